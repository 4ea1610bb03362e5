"""What operators want: policies for groups of stations, and what one station is to do now."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
from chargebus_commanding import Ask, Asked, Commanding, Form, Outcome
from chargebus_runtime.database import Database, Transaction

from chargebus_security.inventory import store as inventory
from chargebus_security.inventory.domain.certificate import Certificate, RootType, root_objection
from chargebus_security.inventory.domain.hashes import HashData, hash_data
from chargebus_security.inventory.errors import UnknownCertificateError
from chargebus_security.stations import store as known_stations
from chargebus_security.stations.errors import UnknownStationError
from chargebus_security.trust import routes
from chargebus_security.trust.domain import station as domain
from chargebus_security.trust.domain.policy import Policy
from chargebus_security.trust.domain.station import Change, Entry, Facts, TrustStation
from chargebus_security.trust.errors import (
    NoSuchTypeError,
    NotInstalledError,
    ProtectedError,
    UnfitRootError,
    UnknownPolicyError,
)
from chargebus_security.trust.operations.facts import facts_of
from chargebus_security.trust.operations.repairing import (
    CHANGE,
    REPORT,
    TIMEOUT_S,
    ChangeSubject,
    ReportSubject,
)
from chargebus_security.trust.operations.servers import Servers
from chargebus_security.trust.store import policies, stations


class Wait(msgspec.Struct, frozen=True):
    """How long a station that is away, and its answer, are waited for; `key`: asked again under it, it is the same."""

    ttl_s: float
    within_s: float
    key: str | None


class Trust:
    """The operations."""

    def __init__(self, database: Database, commanding: Commanding, servers: Servers) -> None:
        self._database = database
        self._servers = servers
        self._commanding = commanding

    # Policies

    async def add(self, wanted: Policy) -> Policy:
        """Want something of stations from now on.

        Raises:
            UnfitRootError: what it names cannot be given to stations.
        """
        async with self._database.transaction() as tx:
            policy = msgspec.structs.replace(wanted, policy_id=uuid4(), created_at=tx.now)
            await self._keep(tx, policy)
        return policy

    async def replace(self, policy_id: UUID, wanted: Policy) -> Policy:
        """Want something else.

        Raises:
            UnknownPolicyError: there is none.
            UnfitRootError: what it names cannot be given to stations.
        """
        async with self._database.transaction() as tx:
            known = await policies.lock(tx.connection, policy_id)
            if known is None:
                raise UnknownPolicyError(policy_id)
            policy = msgspec.structs.replace(wanted, policy_id=policy_id, created_at=known.created_at)
            await self._keep(tx, policy)
        return policy

    async def remove(self, policy_id: UUID) -> None:
        """Want it no more; what stations have, they keep.

        Raises:
            UnknownPolicyError: there is none.
        """
        async with self._database.transaction() as tx:
            if await policies.lock(tx.connection, policy_id) is None:
                raise UnknownPolicyError(policy_id)
            await policies.delete(tx.connection, policy_id)
            await self._all_due(tx)

    async def find(self, policy_id: UUID) -> Policy:
        """Return one.

        Raises:
            UnknownPolicyError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = await policies.find(connection, policy_id)
        if found is None:
            raise UnknownPolicyError(policy_id)
        return found

    async def page(self, after: UUID | None, limit: int) -> list[Policy]:
        """Return up to `limit`, in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await policies.page(connection, after or UUID(int=0), limit)

    # Stations

    async def stations(self, after: str, limit: int, *, drifted: bool) -> list[TrustStation]:
        """Return up to `limit` stations: all, or those that differ from what is wanted."""
        async with self._database.pool.acquire() as connection:
            return await stations.page(connection, after, limit, drifted=drifted)

    async def of_station(self, station_id: str) -> tuple[TrustStation, list[Entry], Facts]:
        """Return what is wanted on a station beside what it has; nothing of one that nobody heard of."""
        async with self._database.transaction() as tx:
            station = await stations.find(tx.connection, station_id) or TrustStation(station_id=station_id)
            _, facts = await facts_of(tx.connection, [station_id], self._servers.issuers())
            return station, domain.compare(facts[station_id], tx.now), facts[station_id]

    async def with_certificate(self, certificate_id: str, after: str, limit: int) -> list[tuple[str, str, datetime]]:
        """Return up to `limit` (station, type, when it told) of the stations that have a certificate.

        Raises:
            UnknownCertificateError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = (await inventory.find(connection, [certificate_id])).get(certificate_id)
            if found is None:
                raise UnknownCertificateError(certificate_id)
            return list(await stations.with_certificate(connection, found.hash_keys, after, limit))

    async def report(self, station_id: str, types: tuple[str, ...], wait: Wait) -> list[tuple[Asked, Outcome | None]]:
        """Ask a station what it has of some types, or of all; a station of OCPP 1.6 is asked for each type.

        Raises:
            UnknownStationError: nobody has heard of it.
            NoSuchTypeError: its version has none of these types.
        """
        async with self._database.transaction() as tx:
            known = (await known_stations.find(tx.connection, [station_id])).get(station_id)
            if known is None or not known.is_known or not known.ocpp_version:
                raise UnknownStationError(station_id)
            parts = routes.report_forms(known.ocpp_version, types)
            if not parts:
                raise NoSuchTypeError(f"OCPP {known.ocpp_version} has no certificates of these types.")
            asked = []
            for about, forms in parts:
                subject = msgspec.json.encode(ReportSubject(about, is_whole=not types)).decode()
                ask = Ask(station_id, REPORT, forms, TIMEOUT_S, wait.ttl_s, subject)
                asked.append(await self._commanding.ask(tx, ask))
            if not types:
                [station] = (await stations.lock(tx.connection, [station_id])).values()
                station = msgspec.structs.replace(station, asking="report", pending=station.pending + len(parts))
                await stations.keep(tx.connection, [station])
        return [(each, await self._outcome(each, wait)) for each in asked]

    async def install(
        self, station_id: str, certificate_type: RootType, certificate_id: str, wait: Wait
    ) -> tuple[Asked, Outcome | None]:
        """Have a station install a root.

        Raises:
            UnfitRootError: it is none, or not known.
            KeyReusedError: something else was asked under the key.
        """
        async with self._database.transaction() as tx:
            known = await inventory.find(tx.connection, [certificate_id])
            certificate = _root(known.get(certificate_id), certificate_id, "body.certificate_id", tx)
        forms = routes.install_forms(certificate_type, certificate.pem)
        if not forms:
            raise UnfitRootError("body.certificate_id", "it is too long for any version of OCPP")
        subject = ChangeSubject(certificate_type, certificate_id, "install", is_wanted=False)
        async with self._database.transaction() as tx:
            asked = await self._commanding.ask(tx, _ask(station_id, forms, subject, wait))
        return asked, await self._outcome(asked, wait)

    async def delete(self, station_id: str, certificate_id: str, wait: Wait) -> tuple[Asked, Outcome | None]:
        """Have a station delete a certificate.

        Raises:
            NotInstalledError: it has none, as far as it told.
            ProtectedError: it must stay.
            KeyReusedError: something else was asked under the key.
        """
        async with self._database.transaction() as tx:
            await stations.lock(tx.connection, [station_id])
            _, found = await facts_of(tx.connection, [station_id], self._servers.issuers())
            facts = found[station_id]
            entries = [each for each in domain.compare(facts, tx.now) if each.certificate_id == certificate_id]
            known = (await inventory.find(tx.connection, [certificate_id])).get(certificate_id)
            named = _named(entries, known)
            if known is not None and (why := domain.objection(known, facts)):
                raise ProtectedError(f"It stays on the station: {why}.")
            for each in entries:
                why = "" if each.installed is None else domain.protection(each.installed, facts, tx.now)
                if why:
                    raise ProtectedError(f"It stays on the station: {why}.")
                if each.verdict in ("as wanted", "missing"):
                    raise ProtectedError("A policy wants it on the station: it would be installed again.")
            kind = entries[0].certificate_type if entries else ""
            subject = ChangeSubject(kind, certificate_id, "delete", is_wanted=False)
            asked = await self._commanding.ask(tx, _ask(station_id, routes.delete_forms(named), subject, wait))
            if not asked.again:  # whoever looks next, by hand or for a policy, counts it as gone
                change = Change(certificate_type=kind, certificate_id=certificate_id, what="delete", changed_at=tx.now)
                await stations.keep_changes(tx.connection, [(station_id, change)])
        return asked, await self._outcome(asked, wait)

    async def _outcome(self, asked: Asked, wait: Wait) -> Outcome | None:
        return await self._commanding.wait(asked, wait.within_s) if wait.within_s else None

    async def _keep(self, tx: Transaction, policy: Policy) -> None:
        known = await inventory.find(tx.connection, policy.certificate_ids)
        for number, certificate_id in enumerate(policy.certificate_ids):
            certificate = _root(known.get(certificate_id), certificate_id, f"body.certificate_ids.{number}", tx)
            if not routes.install_forms(policy.certificate_type, certificate.pem):
                raise UnfitRootError(f"body.certificate_ids.{number}", "it is too long for any version of OCPP")
        await policies.keep(tx.connection, [policy])
        await self._all_due(tx)

    async def _all_due(self, tx: Transaction) -> None:
        """Have all stations looked at, at their pace; who is there already keeps when it is asked what it has."""
        await stations.all_due(tx.connection, tx.now)


async def wanted_by_policies(connection: asyncpg.Connection, certificate: Certificate) -> str:
    """Return what a certificate is needed for here, in words; empty: for nothing."""
    if (name := await policies.naming(connection, certificate.certificate_id)) is not None:
        return f"The policy {name!r} wants it on stations: change that first."
    if found := await stations.with_certificate(connection, certificate.hash_keys, "", 1):
        return f"It is installed on stations, such as {found[0][0]}: delete it there first."
    return ""


def _ask(station_id: str, forms: Sequence[Form], subject: ChangeSubject, wait: Wait) -> Ask:
    told = msgspec.json.encode(subject).decode()
    return Ask(station_id, CHANGE, tuple(forms), TIMEOUT_S, wait.ttl_s, told, wait.key)


def _root(found: Certificate | None, certificate_id: str, where: str, tx: Transaction) -> Certificate:
    if found is None:
        raise UnfitRootError(where, str(UnknownCertificateError(certificate_id)))
    if why := root_objection(found, tx.now):
        raise UnfitRootError(where, why)
    return found


def _named(entries: Sequence[Entry], known: Certificate | None) -> HashData:
    for each in entries:
        if each.installed is not None:
            return each.installed.named
    itself = None if known is None else known.x509
    if itself is not None and known is not None and known.is_self_signed:
        return hash_data(itself, itself)
    raise NotInstalledError("The station has no such certificate, as far as it told: have it report what it has.")

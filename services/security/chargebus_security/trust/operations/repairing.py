"""What time does: stations are asked what they have, and what differs from what is wanted is repaired, at a pace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from chargebus_commanding import Ask, Commanding, Form, Intents, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_security.inventory import operations as inventory
from chargebus_security.inventory import store as certificates
from chargebus_security.metrics import Metrics
from chargebus_security.stations.domain import Station
from chargebus_security.trust import routes
from chargebus_security.trust.domain import station as domain
from chargebus_security.trust.domain.station import (
    Change,
    Delete,
    Facts,
    Install,
    Order,
    Report,
    Told,
    TrustStation,
)
from chargebus_security.trust.operations.facts import facts_of
from chargebus_security.trust.operations.servers import Servers
from chargebus_security.trust.store import stations

REPORT: Final = "trust_report"
CHANGE: Final = "trust_change"

TIMEOUT_S: Final = 60.0
_TTL_S: Final = 30.0


class ReportSubject(msgspec.Struct, frozen=True):
    """What comes back with what a station has: of which types (none: all), and whether they are all that there are."""

    types: tuple[str, ...] = ()
    is_whole: bool = True


class ChangeSubject(msgspec.Struct, frozen=True):
    """What comes back with the answer to a change; `is_wanted`: a policy wants it, and nobody by hand."""

    certificate_type: str
    certificate_id: str
    what: Order
    is_wanted: bool = True


_report_subject: Final = msgspec.json.Decoder(ReportSubject).decode
_change_subject: Final = msgspec.json.Decoder(ChangeSubject).decode


@dataclass(frozen=True)
class Pace:
    """How stations are asked.

    Attributes:
        at_once: how many of them each second, at most.
        settle: how long after a boot.
        every: how often what they have is asked again; None: never.
        everybody: whether those are asked, too, for which there is no policy.
    """

    at_once: int
    settle: timedelta
    every: timedelta | None
    everybody: bool


class Repairing:
    """Does what is due on stations."""

    def __init__(
        self, database: Database, commanding: Commanding, metrics: Metrics, pace: Pace, servers: Servers
    ) -> None:
        self._database = database
        self._servers = servers
        self._commanding = commanding
        self._metrics = metrics
        self._due = DueWork(database, pace.at_once, self._take_due, self._carry_out)
        self._unheard = DueWork(database, 200, self._take_unheard, self._forget)

    async def repair(self) -> None:
        """Do what is due: on so many stations at once, as is set."""
        await self._due.sweep_some()

    async def forget(self) -> None:
        """Drop stations that are not kept any more, and certificates that none has any more."""
        await self._unheard.sweep()
        async with self._database.transaction() as tx:
            await stations.forget_unused(tx.connection)

    async def _take_due(self, tx: OwnTransaction, limit: int) -> Sequence[TrustStation]:
        return await stations.take_due(tx.connection, tx.now, limit)

    async def _carry_out(self, tx: OwnTransaction, taken: Sequence[TrustStation]) -> int:
        known, facts = await facts_of(tx.connection, [each.station_id for each in taken], self._servers.issuers())
        after = []
        for each in taken:
            station, about = known.get(each.station_id), facts[each.station_id]
            if station is None or not station.is_known or not station.online or not station.ocpp_version:
                after.append(msgspec.structs.replace(each, due_at=None))  # it is looked at when it is there
                continue
            after.append(await self._next(tx, station, each, about))
        await stations.keep(tx.connection, after)
        return len(after)

    async def _next(self, tx: OwnTransaction, known: Station, station: TrustStation, facts: Facts) -> TrustStation:
        after, action = domain.next_step(station, facts, tx.now)
        if action is None:
            return after
        if isinstance(action, Report):
            return await self._report(tx, known, after)
        forms = (
            routes.install_forms(action.certificate_type, action.certificate.pem)
            if isinstance(action, Install)
            else routes.delete_forms(action.named)
        )
        change = _change_of(action, facts, tx.now)
        if not any(known.ocpp_version in form.versions for form in forms):
            why = f"OCPP {known.ocpp_version} has no such type of root, or the certificate is too long for it"
            after, change = domain.told(after, change, "refused", why, tx.now)
        else:
            subject = ChangeSubject(change.certificate_type, change.certificate_id, change.what)
            await self._ask(tx, known.station_id, CHANGE, forms, subject)
        await stations.keep_changes(tx.connection, [(known.station_id, change)])
        return after

    async def _report(self, tx: OwnTransaction, known: Station, station: TrustStation) -> TrustStation:
        asked = routes.report_forms(known.ocpp_version, ())
        for types, forms in asked:
            await self._ask(tx, known.station_id, REPORT, forms, ReportSubject(types))
        if not asked:
            why = f"OCPP {known.ocpp_version} has no certificates"
            return domain.not_reported(station, "unsupported", why, tx.now)
        return msgspec.structs.replace(station, pending=len(asked))

    async def _ask(
        self, tx: OwnTransaction, station_id: str, intent: str, forms: tuple[Form, ...], subject: msgspec.Struct
    ) -> None:
        told = msgspec.json.encode(subject).decode()
        await self._commanding.ask(tx, Ask(station_id, intent, forms, TIMEOUT_S, _TTL_S, told))

    async def _take_unheard(self, tx: OwnTransaction, limit: int) -> Sequence[str]:
        return await stations.take_unheard(tx.connection, limit)

    async def _forget(self, tx: OwnTransaction, station_ids: Sequence[str]) -> int:
        await stations.forget(tx.connection, station_ids)
        return len(station_ids)


def _change_of(action: Install | Delete, facts: Facts, now: datetime) -> Change:
    what: Order = "install" if isinstance(action, Install) else "delete"
    certificate_id = action.certificate.certificate_id if isinstance(action, Install) else action.certificate_id
    place = action.certificate_type, certificate_id, what
    before = next((e for e in facts.changes if (e.certificate_type, e.certificate_id, e.what) == place), None)
    return Change(
        certificate_type=action.certificate_type,
        certificate_id=certificate_id,
        what=what,
        tries=0 if before is None else before.tries,
        changed_at=now,
    )


class Answers:
    """What is done about what stations answer."""

    def __init__(self, metrics: Metrics, pace: Pace) -> None:
        self._metrics = metrics
        self._pace = pace

    @property
    def intents(self) -> Intents:
        """The rows of the service's table."""
        return {REPORT: self.reported, CHANGE: self.changed}

    async def reported(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take what stations say they have."""
        known = await stations.lock(tx.connection, {each.station_id for each in outcomes})
        for each in outcomes:
            known[each.station_id] = await self._reported(tx, known[each.station_id], each)
        await stations.keep(tx.connection, list(known.values()))

    async def changed(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take what stations say of what they were to change."""
        known = await stations.lock(tx.connection, {each.station_id for each in outcomes})
        tried = await stations.changes(tx.connection, list(known))
        for each in outcomes:
            subject = _change_subject(each.subject)
            answer = routes.told_of(each, deletes=subject.what == "delete")
            self._metrics.trust_changed(subject.what, answer)
            place = subject.certificate_type, subject.certificate_id
            found = (c for c in tried.get(each.station_id, ()) if (c.certificate_type, c.certificate_id) == place)
            before = next(found, None)
            station = _by_hand(known[each.station_id], answer, tx.now)
            if before is not None and (subject.is_wanted or before.what == subject.what == "delete"):
                asked, change = domain.told(known[each.station_id], before, answer, routes.word_of(each), tx.now)
                await stations.keep_changes(tx.connection, [(each.station_id, change)])
                station = asked if subject.is_wanted else station
            known[each.station_id] = station
        await stations.keep(tx.connection, list(known.values()))

    async def _reported(self, tx: Transaction, station: TrustStation, outcome: Outcome) -> TrustStation:
        subject = _report_subject(outcome.subject)
        has = routes.installed_of(outcome, subject.types)
        if has is None:
            answer = routes.told_of(outcome)
            self._metrics.trust_reported(answer)
            if not subject.is_whole:
                return station
            return domain.not_reported(station, answer, routes.word_of(outcome), tx.now)
        await stations.replace_installed(tx.connection, station.station_id, list(subject.types) or None, has, tx.now)
        await inventory.reported(tx.connection, [(each.named, each.certificate_type) for each in has], tx.now)
        self._metrics.trust_reported("accepted")
        if not subject.is_whole:
            return station
        if station.pending > 1:
            return msgspec.structs.replace(station, pending=station.pending - 1)
        await self._look(tx, station.station_id)
        return domain.reported(station, tx.now, self._pace.every)

    async def _look(self, tx: Transaction, station_id: str) -> None:
        """Drop what was tried and has come to pass."""
        has = (await stations.installed(tx.connection, [station_id])).get(station_id, [])
        named = await certificates.named(tx.connection, [each.hash_key for each in has])
        places = {
            (each.certificate_type, named[each.hash_key].certificate_id if each.hash_key in named else each.hash_key)
            for each in has
        }
        tried = (await stations.changes(tx.connection, [station_id])).get(station_id, [])
        left = domain.seen(tried, places, tx.now)
        await stations.replace_changes(tx.connection, station_id, left)


def _by_hand(station: TrustStation, answer: Told, now: datetime) -> TrustStation:
    """Return a station after somebody had it change something: it is asked what it has."""
    if answer in ("refused", "unsupported", "away"):
        return station
    return msgspec.structs.replace(station, report_at=now, due_at=now)

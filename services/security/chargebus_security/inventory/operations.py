"""What is done with certificates over HTTP and by time, each in one transaction."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

import asyncpg
import msgspec
from chargebus_events.record import Record
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork
from cryptography import x509

from chargebus_security.inventory import payload, store
from chargebus_security.inventory.domain import certificate as domain
from chargebus_security.inventory.domain.certificate import Certificate, described, issuer_of
from chargebus_security.inventory.domain.expiry import scheduled, told
from chargebus_security.inventory.domain.hashes import HashData, keys_of
from chargebus_security.inventory.errors import NeededCertificateError, UnknownCertificateError
from chargebus_security.inventory.store import Filter
from chargebus_security.metrics import Metrics

NeededFor = Callable[[asyncpg.Connection, Certificate], Awaitable[str]]
"""Returns what a certificate is needed for, in words; empty: for nothing."""

_AT_ONCE: Final = 200


class Transaction(Protocol):
    """What is needed of a transaction: that of an HTTP call, of a task or of a batch."""

    @property
    def connection(self) -> asyncpg.Connection:
        """What is written by it is committed together."""
        ...

    @property
    def now(self) -> datetime:
        """Its one time."""
        ...

    def send(self, record: Record) -> None:
        """Send a record after the commit."""
        ...


class Inventory:
    """The certificates that are known.

    Args:
        database: of the service.
        metrics: of the service.
        thresholds_days: how many days before its end it is told that a certificate runs out; 0: when it has.
        needed_for: what a certificate may be needed for.
    """

    def __init__(
        self, database: Database, metrics: Metrics, thresholds_days: Sequence[float], needed_for: Sequence[NeededFor]
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._thresholds = tuple(thresholds_days)
        self._needed_for = needed_for
        self._expiring = DueWork(database, _AT_ONCE, self._take_expiring, self._tell)

    async def upload(self, pem: str, name: str, kind: str) -> list[Certificate]:
        """Take the certificates of a PEM file; those that are known already stay what they are.

        Raises:
            UnreadableCertificateError: there are none that can be read.
        """
        found = domain.read_pem(pem)
        async with self._database.transaction() as tx:
            return await self._add(tx, found, "uploaded", name=name, kind=kind)

    async def issued(self, tx: Transaction, chain_pem: str, kind: str, station_id: str) -> Certificate:
        """Note what was issued to a station: the chain's first certificate.

        Raises:
            UnreadableCertificateError: there are none that can be read.
        """
        leaf, *others = domain.read_pem(chain_pem)
        await self._add(tx, others, "issued")
        [added] = await self._add(tx, [leaf], "issued", others, kind=kind, station_id=station_id)
        return added

    async def installed(self, tx: Transaction, chain_pem: str) -> None:
        """Note that a station uses what was issued to it: those that it had before for the same are replaced.

        Raises:
            UnreadableCertificateError: there are none that can be read.
        """
        newest_id = domain.fingerprint(domain.read_pem(chain_pem)[0])
        newest = (await store.find(tx.connection, [newest_id])).get(newest_id)
        if newest is None:
            return  # somebody has deleted it meanwhile
        for before in await store.issued_before(tx.connection, newest):
            replaced = scheduled(msgspec.structs.replace(before, replaced_at=tx.now), self._thresholds)
            await store.keep(tx.connection, [replaced])
            if before.told_days is not None:
                tx.send(payload.replaced(before, tx.now))

    async def prune(self, tx: Transaction, before: datetime, limit: int) -> None:
        """Drop up to `limit` certificates that were issued to stations and ended before then."""
        await store.prune(tx.connection, before, limit)

    async def page(self, wanted: Filter, after: str, limit: int) -> list[Certificate]:
        """Return up to `limit` of those that are looked for, in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await store.page(connection, wanted, after, limit)

    async def find(self, certificate_id: str) -> Certificate:
        """Return one.

        Raises:
            UnknownCertificateError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = (await store.find(connection, [certificate_id])).get(certificate_id)
        if found is None:
            raise UnknownCertificateError(certificate_id)
        return found

    async def change(self, certificate_id: str, name: str, kind: str, *, in_use: bool) -> Certificate:
        """Say what an operator calls one, what it is for, and whether connections stand under it.

        Raises:
            UnknownCertificateError: there is none.
        """
        async with self._database.transaction() as tx:
            known = await _locked(tx, certificate_id)
            changed = msgspec.structs.replace(known, name=name, kind=kind, in_use=in_use)
            await store.keep(tx.connection, [changed])
        return changed

    async def remove(self, certificate_id: str) -> None:
        """Forget one.

        Raises:
            UnknownCertificateError: there is none.
            NeededCertificateError: it is needed.
        """
        async with self._database.transaction() as tx:
            known = await _locked(tx, certificate_id)
            if known.in_use:
                raise NeededCertificateError("It is marked as in use: say that it is not before it is deleted.")
            for needed_for in self._needed_for:
                if why := await needed_for(tx.connection, known):
                    raise NeededCertificateError(why)
            await store.delete(tx.connection, certificate_id)
            if known.told_days is not None:
                tx.send(payload.replaced(known, tx.now))

    async def issuers(self, named: HashData) -> list[x509.Certificate]:
        """Return the authorities that the name of a certificate may mean by its issuer."""
        async with self._database.pool.acquire() as connection:
            return [_load(pem) for pem in await store.issuers(connection, [named.issuer_key])]

    async def tell_expiring(self) -> None:
        """Tell of certificates that run out: once for each threshold."""
        await self._expiring.sweep()

    async def _add(
        self,
        tx: Transaction,
        found: Sequence[x509.Certificate],
        source: domain.Source,
        beside: Sequence[x509.Certificate] = (),
        **more: str,
    ) -> list[Certificate]:
        subjects = {domain.printable(each.issuer) for each in found}
        known = [_load(pem) for pem in await store.authorities(tx.connection, subjects)]
        issuers = [*found, *beside, *known]
        new = [
            scheduled(msgspec.structs.replace(described(each, issuers, source, tx.now), **more), self._thresholds)
            for each in found
        ]
        await store.forget_reported(tx.connection, [key for each in new for key in each.hash_keys])
        await store.add(tx.connection, new)
        await _adopt(tx.connection, found)
        there = await store.find(tx.connection, [each.certificate_id for each in new])
        return [there[each.certificate_id] for each in new]

    async def _take_expiring(self, tx: OwnTransaction, limit: int) -> Sequence[Certificate]:
        return await store.take_due(tx.connection, tx.now, limit)

    async def _tell(self, tx: OwnTransaction, taken: Sequence[Certificate]) -> int:
        after = []
        for each in taken:
            changed, days = told(each, self._thresholds, tx.now)
            if days is not None:
                tx.send(payload.expiring(each, days, tx.now))
                self._metrics.expiring.add(1, {"days": f"{days:g}"})
            after.append(changed)
        await store.keep(tx.connection, after)
        return len(after)


async def reported(connection: asyncpg.Connection, told_of: Iterable[tuple[HashData, str]], now: datetime) -> None:
    """Note certificates that stations say they have, each with what it is for, where nobody else knows them."""
    new = {each.key: domain.told_of(each, kind, now) for each, kind in told_of}
    known = await store.named(connection, new)
    await store.add(connection, [each for key, each in sorted(new.items()) if key not in known])


async def _adopt(connection: asyncpg.Connection, issuers: Sequence[x509.Certificate]) -> None:
    """Name the certificates whose issuer is known now."""
    named = []
    for orphan in await store.orphans(connection, [domain.printable(each.subject) for each in issuers]):
        itself = orphan.x509
        issuer = None if itself is None else issuer_of(itself, issuers)
        if itself is not None and issuer is not None:
            named.append(msgspec.structs.replace(orphan, hash_keys=keys_of(itself, issuer)))
    await store.forget_reported(connection, [key for each in named for key in each.hash_keys])
    await store.keep(connection, named)


async def _locked(tx: OwnTransaction, certificate_id: str) -> Certificate:
    found = (await store.lock(tx.connection, [certificate_id])).get(certificate_id)
    if found is None:
        raise UnknownCertificateError(certificate_id)
    return found


def _load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())

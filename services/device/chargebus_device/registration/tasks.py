"""Owns the registry topic's truth: what `station.registry` says is what the database says.

Every change goes out through the outbox. What that cannot do is done here: fill a topic that is new or lost, take
out what should not be in it, and put right what two copies published in the wrong order. Several copies may do so
at once: they publish the same.
"""

import asyncio
import functools
import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import asyncpg
import msgspec
from chargebus_events.record import Received, Record
from chargebus_events.registry import (
    DEVIATION_RULES_KEY,
    ONBOARDING_KEY,
    DeviationRules,
    OnboardingPolicy,
    RegisteredStation,
    removed,
)
from chargebus_events.topics import REGISTRY
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.retry import Passing, until_done
from chargebus_runtime.tasks import DueWork
from chargebus_runtime.view import View

from chargebus_device.deviations.store import rules
from chargebus_device.metrics import Metrics
from chargebus_device.registration.domain import Passwords
from chargebus_device.registration.operations import describe
from chargebus_device.registration.store import descriptions, onboarding, passwords, registry, stations

log = logging.getLogger(__name__)

_AT_ONCE = 500
# TimeoutError: Kafka takes nothing now. Everything that is locked is let go of until the next try.
_PASSING: tuple[Passing, ...] = (is_away, TimeoutError, *CONFLICT)


class Publisher(Protocol):
    """The part of the runtime's producer that is needed here."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Send records and wait until they are acknowledged."""


class _Version(msgspec.Struct):
    """The part of a registry record that orders the records of one key."""

    updated_at: datetime


_decode = msgspec.json.Decoder(_Version).decode


UNREADABLE = datetime.min.replace(tzinfo=UTC)


class RegistryLog:
    """What readers of the topic know: the version of the last record of each key.

    A key is suspect when an older record came after a newer one, when it was deleted (it may have been registered
    again meanwhile), or when its record cannot be read.
    """

    def __init__(self) -> None:
        self.view = View(REGISTRY, self.apply)
        self.versions: dict[str, datetime] = {}
        self.suspects: set[str] = set()
        self.restarted = False
        self.news = asyncio.Event()
        self._offsets: dict[int, int] = {}

    def apply(self, record: Received) -> None:
        """Take the next record of the topic."""
        if record.offset <= self._offsets.get(record.partition, -1):
            self._start_over()
        self._offsets[record.partition] = record.offset
        before = self.versions.pop(record.key, None)
        version = _version(record)
        if version is not None:
            self.versions[record.key] = version
        if version is None or (before is not None and version < before):
            self.suspects.add(record.key)
            self.news.set()

    def take_suspects(self) -> set[str]:
        """Return the suspect keys, which are none from now on."""
        self.news.clear()
        suspects, self.suspects = self.suspects, set()
        return suspects

    def _start_over(self) -> None:
        log.warning("%s starts anew: comparing it with the database", REGISTRY)
        self.versions.clear()
        self._offsets.clear()
        self.restarted = True
        self.news.set()


class RegistryKeeper:
    """Makes the last record of each key in the topic say what the database says."""

    def __init__(self, database: Database, publisher: Publisher, topic: RegistryLog, metrics: Metrics) -> None:
        self._database = database
        self._publisher = publisher
        self._topic = topic
        self._metrics = metrics

    async def run(self) -> None:
        """Compare once, then look after suspect keys until cancelled."""
        await until_done("comparing the registry", self.compare, *_PASSING)
        while True:
            await self._topic.news.wait()
            suspects = self._topic.take_suspects()
            await until_done("mending the registry", functools.partial(self.mend, suspects), *_PASSING)
            if self._topic.restarted:
                self._topic.restarted = False
                await until_done("comparing the registry", self.compare, *_PASSING)

    async def compare(self) -> None:
        """Look at every key of which topic and database say different things."""
        async with self._database.pool.acquire() as connection:
            wanted = await registry.versions(connection)
            policy = await onboarding.load(connection)
            rules_changed_at = await rules.changed_at(connection)
        if policy is not None:
            wanted[ONBOARDING_KEY] = policy.updated_at
        if rules_changed_at is not None:
            wanted[DEVIATION_RULES_KEY] = rules_changed_at
        published = self._topic.versions
        await self.mend([key for key in wanted.keys() | published.keys() if wanted.get(key) != published.get(key)])

    async def mend(self, keys: Collection[str]) -> None:
        """Publish what the database says of those keys of which the topic says something else.

        Their rows are locked until Kafka has the records: what changes after that is published after that.

        Raises:
            TimeoutError: Kafka does not take the records while the locks surely hold.
        """
        for some in _chunks(sorted(keys)):
            async with self._database.pool.acquire() as connection, connection.transaction():
                records = await self._differing(connection, some)
                await asyncio.wait_for(self._publisher.publish(records), self._database.may_hold_s)
            if records:
                log.warning("%s: put %d records right", REGISTRY, len(records))
                self._metrics.registry_repairs.add(len(records))

    async def _differing(self, connection: asyncpg.Connection, keys: Sequence[str]) -> list[Record]:
        wanted: dict[str, RegisteredStation | OnboardingPolicy | DeviationRules] = {
            station.station_id: station for station in await registry.lock(connection, keys)
        }
        if ONBOARDING_KEY in keys and (policy := await onboarding.lock(connection)) is not None:
            wanted[ONBOARDING_KEY] = policy
        if DEVIATION_RULES_KEY in keys and (known := await rules.lock(connection)) is not None:
            wanted[DEVIATION_RULES_KEY] = known
        published = self._topic.versions
        right = [value.record() for key, value in wanted.items() if value.updated_at != published.get(key)]
        return right + [removed(key) for key in keys if key not in wanted and key in published]


class PasswordExpiry:
    """Ends older passwords when their time has come, whether the station has used a newer one or not."""

    def __init__(self, database: Database) -> None:
        self._due = DueWork(database, _AT_ONCE, self._take, self._end)

    async def sweep(self) -> None:
        """End all that are due."""
        await self._due.sweep()

    async def _take(self, tx: Transaction, limit: int) -> Sequence[tuple[str, Passwords]]:
        return await passwords.lock_expired(tx.connection, tx.now, limit)

    async def _end(self, tx: Transaction, due: Sequence[tuple[str, Passwords]]) -> int:
        for station_id, known in due:
            registered = await passwords.keep(tx.connection, station_id, known.expired(tx.now), tx.now)
            if registered is not None:
                tx.send(registered.record())
        return len(due)


class Descriptions:
    """Describes stations in `station.events` that were described long ago, or never: by a release that did not.

    Whoever begins to read the topic has all that is kept there, which is less than some stations are old. They are told
    of a few at once: nobody waits for them.
    """

    def __init__(self, database: Database, again_after: timedelta, at_once: int) -> None:
        self._database = database
        self._again_after = again_after
        self._at_once = at_once

    async def tell_some(self) -> None:
        """Tell of the next few that are due."""
        async with self._database.transaction() as tx:
            due = await descriptions.lock_due(tx.connection, tx.now - self._again_after, self._at_once)
            await describe(tx, due)


class Census:
    """Counts registered and connected stations now and then."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def count(self) -> None:
        """Count once."""
        async with self._database.pool.acquire() as connection:
            self._metrics.count_stations(*await stations.census(connection))


def _version(record: Received) -> datetime | None:
    if record.value is None:
        return None
    try:
        return _decode(record.value).updated_at
    except msgspec.DecodeError as error:
        log.warning("no registry record at %s[%d]@%d: %s", REGISTRY, record.partition, record.offset, error)
        return UNREADABLE


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))

"""What is done over HTTP and by time, each in one transaction."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
from chargebus_commanding import Ask, Outcome
from chargebus_commanding import Transaction as TransactionOrBatch
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_firmware.metrics import Metrics
from chargebus_firmware.stations import store
from chargebus_firmware.stations.domain import Station, protocols_told
from chargebus_firmware.stations.errors import UnknownStationError
from chargebus_firmware.stations.routes import PROTOCOLS, protocols_forms, protocols_of

PROTOCOLS_WITHIN_S: Final = 20.0
"""How long it is waited for what a station says of its protocols."""

_AT_ONCE: Final = 500

OpenUpdates: TypeAlias = Callable[[asyncpg.Connection, Collection[str]], Awaitable[Mapping[str, UUID]]]
Shown: TypeAlias = tuple[Station, UUID | None]
"""A station and its open update."""


Told: TypeAlias = Callable[[asyncpg.Connection, Collection[str], datetime], Awaitable[None]]
"""Done once stations have said over what they transfer files."""


class Protocols:
    """Asks stations over what they transfer files, and keeps what they say."""

    def __init__(self, told: Told) -> None:
        self._told = told

    @staticmethod
    def request(station_id: str) -> Ask:
        """Return what asks a station."""
        return Ask(station_id, PROTOCOLS, protocols_forms(), timeout_s=PROTOCOLS_WITHIN_S / 2)

    async def take(self, tx: TransactionOrBatch, outcomes: Sequence[Outcome]) -> None:
        """Keep what stations say; one that said it, or knows no such thing, is asked again with another firmware only.

        One that did not answer is asked again when it matters next.
        """
        said = {each.station_id: words for each in outcomes if (words := protocols_of(each)) is not None}
        await store.hold(tx, said)
        known = await store.find(tx.connection, said)
        told = [protocols_told(station, said[station_id]) for station_id, station in known.items()]
        await store.keep(tx.connection, told, tx.now)
        await self._told(tx.connection, said, tx.now)


class Stations:
    """The operations.

    Args:
        database: of the service.
        metrics: of the service.
        keep: how long a station of which nothing is heard any more is kept.
        open_updates: returns the open update of each station that has one.
    """

    def __init__(self, database: Database, metrics: Metrics, keep: timedelta, open_updates: OpenUpdates) -> None:
        self._open_updates = open_updates
        self._database = database
        self._metrics = metrics
        self._keep = keep
        self._unheard = DueWork(database, _AT_ONCE, self._take_unheard, self._forget)

    async def page(self, after: str, limit: int) -> Sequence[Shown]:
        """Return up to `limit` stations in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            found = await store.page(connection, after, limit)
            updates = await self._open_updates(connection, [station.station_id for station in found])
        return [(station, updates.get(station.station_id)) for station in found]

    async def find(self, station_id: str) -> Shown:
        """Return what is known of a station.

        Raises:
            UnknownStationError: nothing, or it was removed.
        """
        async with self._database.pool.acquire() as connection:
            found = (await store.find(connection, [station_id])).get(station_id)
            updates = await self._open_updates(connection, [station_id])
        if found is None or not found.is_known:
            raise UnknownStationError(station_id)
        return found, updates.get(station_id)

    async def forget_unheard(self) -> None:
        """Drop the stations of which nothing was heard for too long."""
        await self._unheard.sweep()

    async def _take_unheard(self, tx: Transaction, limit: int) -> Sequence[str]:
        return await store.take_unheard(tx.connection, tx.now - self._keep, limit)

    async def _forget(self, tx: Transaction, station_ids: Sequence[str]) -> int:
        await store.forget(tx.connection, station_ids)
        self._metrics.forgotten.add(len(station_ids))
        return len(station_ids)

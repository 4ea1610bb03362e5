"""What is done over HTTP and by time, each in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_notification.metrics import Metrics
from chargebus_notification.stations.domain.station import Station
from chargebus_notification.stations.errors import UnknownStationError
from chargebus_notification.stations.store import stations

_AT_ONCE: Final = 500
_REMOVED_FOR: Final = timedelta(days=1)


class Operations:
    """The operations; `keep` is how long a station of which nothing is heard any more is kept."""

    def __init__(self, database: Database, metrics: Metrics, keep: timedelta) -> None:
        self._database = database
        self._metrics = metrics
        self._keep = keep
        self._unheard = DueWork(database, _AT_ONCE, self._take_unheard, self._forget)

    async def page(self, after: str, limit: int) -> Sequence[Station]:
        """Return up to `limit` stations in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await stations.page(connection, after, limit)

    async def find(self, station_id: str) -> Station:
        """Return what is known of a station.

        Raises:
            UnknownStationError: nothing.
        """
        async with self._database.pool.acquire() as connection:
            found = await stations.find(connection, station_id)
        if found is None:
            raise UnknownStationError(f"Nothing was told of a station {station_id!r}.")
        return found

    async def forget_unheard(self) -> None:
        """Drop the stations that were removed, or not heard of for too long."""
        await self._unheard.sweep()

    async def _take_unheard(self, tx: Transaction, limit: int) -> Sequence[str]:
        removed_before = tx.now - min(_REMOVED_FOR, self._keep)
        return await stations.take_stale(tx.connection, removed_before, tx.now - self._keep, limit)

    async def _forget(self, tx: Transaction, station_ids: Sequence[str]) -> int:
        await stations.forget(tx.connection, station_ids)
        self._metrics.forgotten.add(len(station_ids))
        return len(station_ids)

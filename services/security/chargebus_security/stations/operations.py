"""What is done over HTTP and by time, each in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_security.metrics import Metrics
from chargebus_security.stations import store
from chargebus_security.stations.domain import Station
from chargebus_security.stations.errors import UnknownStationError

_AT_ONCE: Final = 500


class Stations:
    """The operations.

    Args:
        database: of the service.
        metrics: of the service.
        keep: how long a station of which nothing is heard any more is kept.
    """

    def __init__(self, database: Database, metrics: Metrics, keep: timedelta) -> None:
        self._database = database
        self._metrics = metrics
        self._keep = keep
        self._unheard = DueWork(database, _AT_ONCE, self._take_unheard, self._forget)

    async def page(self, after: str, limit: int) -> Sequence[Station]:
        """Return up to `limit` stations in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await store.page(connection, after, limit)

    async def find(self, station_id: str) -> Station:
        """Return what is known of a station.

        Raises:
            UnknownStationError: nothing, or it was removed.
        """
        async with self._database.pool.acquire() as connection:
            found = (await store.find(connection, [station_id])).get(station_id)
        if found is None or not found.is_known:
            raise UnknownStationError(station_id)
        return found

    async def forget_unheard(self) -> None:
        """Drop the stations of which nothing was heard for too long."""
        await self._unheard.sweep()

    async def _take_unheard(self, tx: Transaction, limit: int) -> Sequence[str]:
        return await store.take_unheard(tx.connection, tx.now - self._keep, limit)

    async def _forget(self, tx: Transaction, station_ids: Sequence[str]) -> int:
        await store.forget(tx.connection, station_ids)
        self._metrics.forgotten.add(len(station_ids))
        return len(station_ids)

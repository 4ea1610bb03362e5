"""What is done over HTTP and by time, each in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_smart_charging.limits.domain.hearing import Hearing
from chargebus_smart_charging.limits.errors import UnheardStationError
from chargebus_smart_charging.limits.store import hearings
from chargebus_smart_charging.metrics import Metrics

_AT_ONCE: Final = 500


class Operations:
    """The operations; `keep` is how long a station that is not heard any more is kept."""

    def __init__(self, database: Database, metrics: Metrics, keep: timedelta) -> None:
        self._database = database
        self._metrics = metrics
        self._keep = keep
        self._unheard = DueWork(database, _AT_ONCE, self._take_unheard, self._forget)

    async def page(self, after: str, limit: int) -> Sequence[Hearing]:
        """Return up to `limit` stations in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await hearings.page(connection, after, limit)

    async def find(self, station_id: str) -> Hearing:
        """Return what is known of a station.

        Raises:
            UnheardStationError: nothing.
        """
        async with self._database.pool.acquire() as connection:
            found = await hearings.find(connection, station_id)
        if found is None:
            raise UnheardStationError(f"Nothing was heard of a station {station_id!r}.")
        return found

    async def forget_unheard(self) -> None:
        """Drop the stations that were not heard for too long."""
        await self._unheard.sweep()

    async def _take_unheard(self, tx: Transaction, limit: int) -> Sequence[str]:
        return await hearings.take_unheard(tx.connection, tx.now - self._keep, limit)

    async def _forget(self, tx: Transaction, station_ids: Sequence[str]) -> int:
        await hearings.forget(tx.connection, station_ids)
        self._metrics.forgotten.add(len(station_ids))
        return len(station_ids)

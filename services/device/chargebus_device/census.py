"""Owns counting the stations for the metrics."""

import asyncio

from chargebus_runtime.database import AWAY, CONFLICT, Database
from chargebus_runtime.retry import until_done

from chargebus_device.metrics import DeviceMetrics
from chargebus_device.store import stations


class Census:
    """Counts registered and connected stations now and then."""

    def __init__(self, database: Database, metrics: DeviceMetrics, every_s: float) -> None:
        self._database = database
        self._metrics = metrics
        self._every_s = every_s

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            await until_done("counting stations", self._count, *AWAY, *CONFLICT)
            await asyncio.sleep(self._every_s)

    async def _count(self) -> None:
        async with self._database.pool.acquire() as connection:
            self._metrics.count_stations(*await stations.census(connection))

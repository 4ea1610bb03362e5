"""Owns counting the stations for the metrics."""

from chargebus_runtime.database import Database

from chargebus_device.metrics import Metrics
from chargebus_device.registration.store import stations


class Census:
    """Counts registered and connected stations now and then."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def count(self) -> None:
        """Count once."""
        async with self._database.pool.acquire() as connection:
            self._metrics.count_stations(*await stations.census(connection))

"""Forgets plans that are older than a day, and limits of operators that have ended."""

from datetime import timedelta
from typing import Final

from chargebus_runtime.database import Database

from chargebus_smart_charging.planning.store import overrides, plans

_AT_ONCE: Final = 5000


class Pruning:
    """Forgets what is older than `keep`."""

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._database = database
        self._keep = keep

    async def sweep(self) -> None:
        """Forget some of it."""
        async with self._database.transaction() as tx:
            await plans.prune(tx.connection, tx.now - self._keep, _AT_ONCE)
            await overrides.prune(tx.connection, tx.now - self._keep)

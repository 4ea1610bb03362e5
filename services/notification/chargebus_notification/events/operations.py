"""What time does with events: old ones go."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_notification.events.store.events import SECURITY_EVENTS, STATION_EVENTS, E, EventStore

_AT_ONCE: Final = 500


class Retention:
    """Drops events that came longer ago than `keep`."""

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._database = database
        self._keep = keep

    async def sweep(self) -> None:
        """Drop what is too old."""
        await self._work(STATION_EVENTS).sweep()
        await self._work(SECURITY_EVENTS).sweep()

    def _work(self, store: EventStore[E]) -> DueWork[str]:
        async def take(tx: Transaction, limit: int) -> Sequence[str]:
            return await store.take_old(tx.connection, tx.now - self._keep, limit)

        async def drop(tx: Transaction, event_ids: Sequence[str]) -> int:
            await store.delete(tx.connection, event_ids)
            return len(event_ids)

        return DueWork(self._database, _AT_ONCE, take, drop)

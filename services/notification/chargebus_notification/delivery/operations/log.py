"""What was told to whom, read over HTTP; and what time does with it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chargebus_runtime.database import Database
from chargebus_runtime.sealing import SealingError

from chargebus_notification.delivery.errors import UnknownDeliveryError
from chargebus_notification.delivery.operations.vault import Vault
from chargebus_notification.delivery.store import deliveries, subscriptions
from chargebus_notification.delivery.store.deliveries import Attempt
from chargebus_notification.delivery.store.tables import DeliveryRow
from chargebus_notification.metrics import Metrics

_AT_ONCE: Final = 1000
_MOST_ATTEMPTS: Final = 500


class DeliveryLog:
    """The log of deliveries; `keep` is how long it reaches back."""

    def __init__(self, database: Database, metrics: Metrics, vault: Vault, keep: timedelta) -> None:
        self._database = database
        self._metrics = metrics
        self._vault = vault
        self._keep = keep

    async def page(self, filters: dict[str, object], before: int | None, limit: int) -> Sequence[DeliveryRow]:
        """Return up to `limit` deliveries, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await deliveries.page(connection, filters, before, limit)

    async def find(self, delivery_id: UUID) -> tuple[DeliveryRow, Sequence[Attempt]]:
        """Return a delivery, and each attempt of it.

        Raises:
            UnknownDeliveryError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = await deliveries.find(connection, delivery_id)
            if found is None:
                raise UnknownDeliveryError(delivery_id)
            attempts = []
            if found.message_id is not None:
                attempts = await deliveries.attempts(connection, found.message_id, _MOST_ATTEMPTS)
        return found, attempts

    async def forget(self) -> None:
        """Drop what is older than the log reaches; what waits for so long is given up, and stays for as long."""
        more = True
        while more:
            async with self._database.transaction() as tx:
                since = tx.now - self._keep
                expired = await deliveries.expire(tx.connection, since, tx.now, _AT_ONCE)
                forgotten = await deliveries.forget(tx.connection, since, _AT_ONCE)
            more = max(expired, forgotten) >= _AT_ONCE

    async def reseal(self) -> None:
        """Seal secrets with the first key that another sealed, so that the other may go."""
        if not self._vault.has_keys:
            return
        async with self._database.transaction() as tx:
            found = await subscriptions.sealed_otherwise(tx.connection, self._vault.prefix(tx.now), _AT_ONCE)
            sealed = [(each.subscription_id, again) for each in found if (again := self._sealed_again(each, tx.now))]
            await subscriptions.keep_sealed(tx.connection, sealed)

    async def measure(self) -> None:
        """Measure how long deliveries wait that could go out, and how many receivers are given up."""
        async with self._database.transaction() as tx:
            oldest = await deliveries.oldest_due(tx.connection, tx.now)
            parked = await subscriptions.parked(tx.connection)
        self._metrics.waiting(0.0 if oldest is None else (tx.now - oldest).total_seconds(), parked)

    def _sealed_again(self, subscription: subscriptions.Subscription, now: datetime) -> str:
        """Return secrets sealed anew; nothing where their key is not there: the next message says so."""
        try:
            secrets = self._vault.open(subscription.subscription_id, subscription.sealed or "", now)
        except SealingError:
            return ""
        return self._vault.seal(subscription.subscription_id, secrets, now)

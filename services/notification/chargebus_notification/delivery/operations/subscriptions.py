"""What is done with subscriptions over HTTP, each in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec
from chargebus_outbound.network import CheckedNetwork, RefusedAddressError, UnresolvedError
from chargebus_outbound.targets import target
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database, Transaction

from chargebus_notification.delivery.domain.checks import Able, objections
from chargebus_notification.delivery.domain.subscription import Secrets, Wanted, Webhook
from chargebus_notification.delivery.domain.trying import Result
from chargebus_notification.delivery.errors import (
    NoSecretError,
    NotParkedError,
    Objection,
    UnfitSubscriptionError,
    UnknownSubscriptionError,
)
from chargebus_notification.delivery.operations.channels import Channels
from chargebus_notification.delivery.operations.vault import new_secret
from chargebus_notification.delivery.payload import parked_event, trial
from chargebus_notification.delivery.store import deliveries, subscriptions
from chargebus_notification.delivery.store.subscriptions import Subscription

BOTH_SIGN: Final = timedelta(hours=24)
"""How long the secret before signs, too, after it was changed."""


@dataclass(frozen=True)
class Revealed:
    """A subscription with its secret: the only time that it is shown."""

    subscription: Subscription
    secret: str | None


class Subscriptions:
    """Subscriptions as operators want them."""

    def __init__(
        self, database: Database, channels: Channels, network: CheckedNetwork, able: Able, clock: Clock
    ) -> None:
        self._database = database
        self._channels = channels
        self._network = network
        self._able = able
        self._clock = clock

    async def add(self, wanted: Wanted, headers: Mapping[str, str]) -> Revealed:
        """Take a new one.

        Raises:
            UnfitSubscriptionError: nobody could be told like that.
        """
        await self._check(wanted, headers)
        subscription_id, secret = uuid4(), None
        async with self._database.transaction() as tx:
            sealed = None
            if isinstance(wanted.channel, Webhook):
                secret = new_secret()
                sealed = self._channels.vault.seal(subscription_id, Secrets(secret, dict(headers)), tx.now)
            added = Subscription(subscription_id, wanted, tx.now, tx.now, tx.now, tx.now, sealed)
            await subscriptions.add(tx.connection, added)
        return Revealed(added, secret)

    async def page(self, after: UUID | None, limit: int) -> Sequence[Subscription]:
        """Return up to `limit` in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await subscriptions.page(connection, after or UUID(int=0), limit)

    async def find(self, subscription_id: UUID) -> Subscription:
        """Return one.

        Raises:
            UnknownSubscriptionError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = await subscriptions.find(connection, subscription_id)
        if found is None:
            raise UnknownSubscriptionError(subscription_id)
        return found

    async def change(self, subscription_id: UUID, wanted: Wanted, headers: Mapping[str, str] | None) -> Revealed:
        """Want something else; headers that are None stay as they are.

        What waits is told as it is wanted now. A webhook that was none before gets a secret, which is shown.

        Raises:
            UnknownSubscriptionError: there is none.
            UnfitSubscriptionError: nobody could be told like that.
        """
        await self._check(wanted, headers or {})
        async with self._database.transaction() as tx:
            before = await _lock(tx, subscription_id)
            changed, secret = self._with_secrets(before, wanted, headers, tx.now)
            await subscriptions.change(tx.connection, changed)
            critical_at, other_at = (wanted.due_at(severity, tx.now) for severity in ("critical", "info"))
            await deliveries.reschedule(tx.connection, subscription_id, critical_at, other_at)
            if headers is not None or changed.wanted.channel != before.wanted.channel:
                await subscriptions.restart(tx.connection, subscription_id, tx.now)
            await subscriptions.look_soon(tx.connection, subscription_id, tx.now)
            after = await _lock(tx, subscription_id)
        return Revealed(after, secret)

    async def remove(self, subscription_id: UUID) -> None:
        """Drop one, with what waits for it.

        Raises:
            UnknownSubscriptionError: there is none.
        """
        async with self._database.transaction() as tx:
            before = await _lock(tx, subscription_id)
            await deliveries.cancel(tx.connection, subscription_id, tx.now, "its subscription was removed")
            await subscriptions.remove(tx.connection, subscription_id)
            _tell_resumed(tx, before)

    async def resume(self, subscription_id: UUID, *, discard: bool) -> Subscription:
        """Deliver to a parked receiver again: all that waits for it, or only what comes from now on.

        Raises:
            UnknownSubscriptionError: there is none.
            NotParkedError: it is not parked.
        """
        async with self._database.transaction() as tx:
            before = await _lock(tx, subscription_id)
            if before.status == "active":
                raise NotParkedError
            if discard:
                await deliveries.cancel(tx.connection, subscription_id, tx.now, "it was discarded when it was resumed")
            await subscriptions.resume(tx.connection, subscription_id, tx.now)
            _tell_resumed(tx, before)
            return await _lock(tx, subscription_id)

    async def renew_secret(self, subscription_id: UUID) -> Revealed:
        """Sign with a new secret, and for a while with the one before, too.

        Raises:
            UnknownSubscriptionError: there is none.
            NoSecretError: it is told by mail.
        """
        async with self._database.transaction() as tx:
            before = await _lock(tx, subscription_id)
            if not isinstance(before.wanted.channel, Webhook):
                raise NoSecretError
            vault, secret = self._channels.vault, new_secret()
            was = vault.open(subscription_id, before.sealed or "", tx.now)
            renewed = Secrets(secret, was.headers, was.secret, tx.now + BOTH_SIGN)
            changed = msgspec.structs.replace(before, sealed=vault.seal(subscription_id, renewed, tx.now))
            await subscriptions.change(tx.connection, changed)
        return Revealed(changed, secret)

    async def test(self, subscription_id: UUID) -> tuple[Result, int]:
        """Send a message that says that it is a test, now; return what came of it, and after how many milliseconds.

        Raises:
            UnknownSubscriptionError: there is none.
        """
        found = msgspec.structs.replace(await self.find(subscription_id), remaining=None)
        now = self._clock()
        return await self._channels.send(found, trial(subscription_id, found.wanted.name, uuid4(), now), now)

    async def _check(self, wanted: Wanted, headers: Mapping[str, str]) -> None:
        found = objections(wanted, headers, self._able)
        if not found and isinstance(wanted.channel, Webhook):
            found = await self._look_up(wanted.channel)
        if found:
            raise UnfitSubscriptionError(found)

    async def _look_up(self, channel: Webhook) -> list[Objection]:
        """Return why nothing can be posted to a name; one that cannot be looked up just now may be there later."""
        where = target(channel.url, plain=self._able.plain_http)
        try:
            await self._network.addresses(where.host, where.port)
        except RefusedAddressError as error:
            return [Objection("channel.url", str(error))]
        except UnresolvedError as error:
            return [Objection("channel.url", str(error))] if error.nowhere else []
        return []

    def _with_secrets(
        self, before: Subscription, wanted: Wanted, headers: Mapping[str, str] | None, now: datetime
    ) -> tuple[Subscription, str | None]:
        """Return a subscription as it is wanted now, and its secret, if it is new."""
        changed, vault = msgspec.structs.replace(before, wanted=wanted, updated_at=now), self._channels.vault
        if not isinstance(wanted.channel, Webhook):
            return msgspec.structs.replace(changed, sealed=None), None
        if before.sealed is None:
            secret = new_secret()
            sealed = vault.seal(before.subscription_id, Secrets(secret, dict(headers or {})), now)
            return msgspec.structs.replace(changed, sealed=sealed), secret
        was = vault.open(before.subscription_id, before.sealed, now)
        now_held = was if headers is None else msgspec.structs.replace(was, headers=dict(headers))
        channel = Webhook(wanted.channel.url, tuple(sorted(now_held.headers)))
        sealed = vault.seal(before.subscription_id, now_held, now)
        named = msgspec.structs.replace(wanted, channel=channel)
        return msgspec.structs.replace(changed, wanted=named, sealed=sealed), None


async def _lock(tx: Transaction, subscription_id: UUID) -> Subscription:
    found = await subscriptions.lock(tx.connection, subscription_id)
    if found is None:
        raise UnknownSubscriptionError(subscription_id)
    return found


def _tell_resumed(tx: Transaction, before: Subscription) -> None:
    if before.status == "parked":
        tx.send(parked_event(before.subscription_id, before.wanted.name, before.status_at, "", tx.now))

"""Deliveries go out: each copy of the service takes subscriptions that are due, and sends a message of each at a time.

Who delivers to a subscription has written so into its row, until a moment that is later than any message takes. If it
dies, the same message goes out again after that, under the same id; nobody else sends to the subscription meanwhile.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.retry import Backoff, until_done

from chargebus_notification.delivery.domain.subscription import SEVERITIES
from chargebus_notification.delivery.domain.trying import Decision, Patience, Result, decide
from chargebus_notification.delivery.operations.channels import Channels
from chargebus_notification.delivery.payload import Message, parked_event
from chargebus_notification.delivery.store import deliveries, subscriptions
from chargebus_notification.delivery.store.deliveries import Attempt
from chargebus_notification.delivery.store.subscriptions import Failure, Subscription
from chargebus_notification.delivery.store.tables import DeliveryRow
from chargebus_notification.metrics import Metrics

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.5
_DRAIN_WITHIN_S: Final = 10.0
_MOST_OF_DIGEST: Final = 500
_MOST_IN_TURN: Final = 100
"""So many messages of one subscription, then others have their turn."""


@dataclass(frozen=True)
class Effort:
    """How much is done: at once, for how long, and how often.

    Attributes:
        at_once: how many subscriptions are delivered to at the same time.
        lease: how long a message may be under way before another copy takes it for lost.
        backoff: pauses between tries.
        patience: when a receiver is given up.
    """

    at_once: int
    lease: timedelta
    backoff: Backoff
    patience: Patience


@dataclass(frozen=True)
class _Claimed:
    """A message that this copy is to send; `severity` is that of the worst of its alerts."""

    claim_id: UUID
    subscription: Subscription
    message: Message
    severity: str

    @property
    def subscription_id(self) -> UUID:
        """Who gets it."""
        return self.subscription.subscription_id


@dataclass(frozen=True)
class _Attempted:
    """A message that was sent at `at`, and what came of it."""

    claimed: _Claimed
    result: Result
    at: datetime
    took_ms: int

    @property
    def channel(self) -> str:
        """Which way it went."""
        return str(self.claimed.subscription.wanted.channel.__struct_config__.tag)

    def row(self, decision: Decision) -> Attempt:
        """Return it as the log keeps it."""
        result = self.result
        message_id = self.claimed.message.message_id
        return Attempt(
            message_id, self.at, self.took_ms, result.outcome, result.status, result.error, decision.retry_at
        )


class Sending:
    """Sends what is due; `run` does so until it is cancelled, `drain` lets it end what is under way."""

    def __init__(self, database: Database, channels: Channels, metrics: Metrics, effort: Effort, clock: Clock) -> None:
        self._database = database
        self._channels = channels
        self._metrics = metrics
        self._effort = effort
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()
        self._draining = False

    async def run(self) -> None:
        """Look for what is due, and send it."""
        async with asyncio.TaskGroup() as sending:
            while True:
                await until_done("looking for deliveries", lambda: self._look(sending), is_away, *CONFLICT)
                await asyncio.sleep(_LOOK_EVERY_S)

    async def drain(self) -> None:
        """Take nothing more, and wait until what is under way has ended: else it waits for its lease to end."""
        self._draining = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_DRAIN_WITHIN_S)

    async def _look(self, sending: asyncio.TaskGroup) -> None:
        free = self._effort.at_once - len(self._under_way)
        if free <= 0 or self._draining:
            return
        for claimed in await self._claim(free):
            task = sending.create_task(self._send_in_turn(claimed))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send_in_turn(self, first: _Claimed) -> None:
        """Send a message, and what else is due to the same receiver, one after the other."""
        claimed = first
        for _ in range(_MOST_IN_TURN):
            now = self._clock()
            result, took_ms = await self._channels.send(claimed.subscription, claimed.message, now)
            attempt = _Attempted(claimed, result, now, took_ms)
            done = await until_done("noting a delivery", partial(self._keep, attempt), is_away, *CONFLICT)
            if not done or self._draining:
                return
            next_one = partial(self._claim, 1, claimed.subscription_id)
            more = await until_done("looking for the next delivery", next_one, is_away, *CONFLICT)
            if not more:
                return
            (claimed,) = more

    async def _claim(self, limit: int, only: UUID | None = None) -> list[_Claimed]:
        async with self._database.transaction() as tx:
            due = await subscriptions.take_due(tx.connection, tx.now, limit, only)
            found = [await self._claim_one(tx, subscription) for subscription in due]
        return [each for each in found if each is not None]

    async def _claim_one(self, tx: Transaction, subscription: Subscription) -> _Claimed | None:
        subscription_id = subscription.subscription_id
        rows, message_id = await _message_of(tx, subscription)
        if not rows:
            await subscriptions.look_again(tx.connection, subscription_id, tx.now)
            return None
        claim_id = uuid4()
        until = tx.now + self._effort.lease
        await subscriptions.claim(tx.connection, subscription_id, claim_id, until, message_id)
        message = Message(
            message_id,
            subscription_id,
            subscription.wanted.name,
            is_digest=message_id != rows[0].delivery_id,
            bodies=tuple(row.body for row in rows),
        )
        return _Claimed(claim_id, subscription, message, max((row.severity for row in rows), key=SEVERITIES.index))

    async def _keep(self, attempt: _Attempted) -> bool:
        """Note what came of a message; tell whether the next one may go."""
        claimed, result = attempt.claimed, attempt.result
        async with self._database.transaction() as tx:
            subscription = await subscriptions.lock(tx.connection, claimed.subscription_id)
            held = subscription if subscription is not None and subscription.claim == claimed.claim_id else None
            pause_s = self._effort.backoff.delay_s(claimed.subscription.attempts)
            since = claimed.subscription.failing_since
            decision = decide(result, since, pause_s, tx.now, self._effort.patience)
            if decision.retry_at is not None:
                retry_at = claimed.subscription.wanted.when_not_quiet(claimed.severity, decision.retry_at)
                decision = Decision(retry_at=retry_at)
            await deliveries.attempted(tx.connection, attempt.row(decision))
            note = deliveries.delivered if decision.delivered else deliveries.tried
            await note(tx.connection, claimed.message.message_id, result.error, tx.now)
            if held is None:
                log.info("nobody waits any more for a message to the subscription %s", claimed.subscription_id)
            else:
                await _follow(tx, held, result, decision)
        self._metrics.attempted(attempt.channel, result.outcome, attempt.took_ms / 1000)
        if decision.delivered:
            self._metrics.delivered(attempt.channel, len(claimed.message.bodies))
        return held is not None and decision.delivered


async def _follow(tx: Transaction, subscription: Subscription, result: Result, decision: Decision) -> None:
    """Have a subscription go on, wait, or be parked, as was decided; its row is locked."""
    subscription_id = subscription.subscription_id
    if decision.delivered:
        await subscriptions.note(tx.connection, subscription_id, result.error)
        await subscriptions.look_again(tx.connection, subscription_id, tx.now)
    elif decision.retry_at is not None:
        failure = Failure(decision.retry_at, tx.now, result.remaining, result.error)
        await subscriptions.fail(tx.connection, subscription_id, failure)
    else:
        await subscriptions.park(tx.connection, subscription_id, decision.parked_for, tx.now)
        tx.send(parked_event(subscription_id, subscription.wanted.name, tx.now, decision.parked_for, tx.now))


async def _message_of(tx: Transaction, subscription: Subscription) -> tuple[list[DeliveryRow], UUID]:
    """Return what is to go out next: the message that was tried before, or else a new one."""
    if subscription.message_id is not None:
        rows = await deliveries.of_message(tx.connection, subscription.message_id)
        if rows:
            return rows, subscription.message_id
    wanted, subscription_id = subscription.wanted, subscription.subscription_id
    if wanted.quiet_hours is not None:  # what was due before they began, and nobody sent
        critical_at, other_at = (wanted.when_not_quiet(severity, tx.now) for severity in ("critical", "info"))
        await deliveries.put_off(tx.connection, subscription_id, critical_at, other_at, tx.now)
    at_once = 1 if wanted.digest is None else _MOST_OF_DIGEST
    rows = await deliveries.due(tx.connection, subscription_id, tx.now, at_once)
    message_id = rows[0].delivery_id if rows and wanted.digest is None else uuid4()
    await deliveries.gather(tx.connection, rows, message_id)
    return rows, message_id

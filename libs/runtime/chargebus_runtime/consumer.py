"""A service's consumer group: takes micro-batches, applies each in one transaction, parks what cannot be applied.

The subscriber is FastStream's, the loop is ours: FastStream's own batch loop swallows a handler's error and sleeps
after an idle poll (docs/decisions). The database's offsets are the truth: see `positions`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from chargebus_events.record import Received, Record

from chargebus_runtime import offsets, parking
from chargebus_runtime.away import CONFLICT, MAYBE_AWAY, is_away
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.gathering import Gathering, Patience, Records, no_patience
from chargebus_runtime.kafka import check_alive, received
from chargebus_runtime.outbox import Outgoing
from chargebus_runtime.positions import Positions, StaleOffsetError
from chargebus_runtime.retry import BACKOFF
from chargebus_runtime.telemetry import Tracing, metrics

log = logging.getLogger(__name__)

_IDLE_S = 1.0
_SETTLE_S = 0.1
_COMMIT_EVERY_S = 5.0
_COMMIT_WITHIN_S = 2.0
_PUBLISHING_AT_ONCE = 4
_PACE_S = 0.02  # between polls that bring nothing urgent: each costs a fetch, whatever it brings


class NotAppliedError(Exception):
    """Records could not be applied, through no fault of theirs; the message says why."""


# What was begun is rolled back, sought anew and tried until it goes through.
_WAITED_FOR: tuple[type[BaseException], ...] = (
    *MAYBE_AWAY,
    KafkaError,
    IllegalStateError,
    StaleOffsetError,
    NotAppliedError,
)

Handle = Callable[[Batch], Awaitable[None]]
Refuse = Callable[[Received, str], Sequence[Record]]


def refuse_silently(_received: Received, _reason: str) -> Sequence[Record]:
    """Tell nobody that a record was parked."""
    return ()


async def keep_state(_connection: asyncpg.Connection) -> None:
    """Change nothing on a new Kafka cluster."""


@dataclass(frozen=True)
class ConsumerSpec:
    """What a service consumes, and how.

    `handle` applies a batch inside its transaction; `refuse` returns what to send for a record that is parked;
    `on_new_cluster` drops, in the transaction that resets the offsets, what was known from the old cluster's log.
    Records may wait for others, so that a batch is worth its transaction: all of them for `gather_s` in Kafka, for a
    service that nobody waits for, or each as long as `patience` says in memory.
    """

    topics: tuple[str, ...]
    handle: Handle
    refuse: Refuse = refuse_silently
    on_new_cluster: Callable[[asyncpg.Connection], Awaitable[None]] = keep_state
    gather_s: float = 0.0
    patience: Patience = no_patience


@dataclass(frozen=True)
class ConsumerParts:
    """What a consumer works with."""

    service: str
    database: Database
    clock: Clock
    tracing: Tracing
    batch_records: int


class Consumer:
    """Runs a ConsumerSpec until it is stopped."""

    def __init__(self, spec: ConsumerSpec, parts: ConsumerParts, positions: Positions) -> None:
        self._spec = spec
        self._parts = parts
        self._positions = positions
        self._gathering = Gathering(spec.patience, parts.batch_records)
        self._publishing: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._idle = asyncio.Event()
        self._committed_at = time.monotonic()
        self._committed: dict[TopicPartition, int] = {}
        self._following: asyncio.Task[None] | None = None

    @property
    def idle(self) -> asyncio.Event:
        """Set while the newest poll found nothing and everything is sent; for tests and for draining."""
        return self._idle

    def stop(self) -> None:
        """End `run` after the batch under way."""
        self._stopping = True

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Take batches until stopped; waits for Kafka and the database as long as they are away."""
        attempt = 0
        while not self._stopping:
            try:
                await self._step(client)
            except ConsumerStoppedError:
                return
            except NoOffsetForPartitionError:  # partitions came in the middle of the poll: seek before the next
                self._positions.lose_all()
            except _WAITED_FOR as error:
                # What failed was rolled back: go back to where the database says, then on.
                log.warning("%s waits: %r", self._parts.service, error)
                metrics().retries.add(1, {"service": self._parts.service})
                if isinstance(error, OffsetOutOfRangeError):
                    self._positions.lose_end(error.args[0])
                self._positions.lose_all()
                await asyncio.sleep(BACKOFF.delay_s(attempt))
                attempt += 1
            else:
                attempt = 0
        await self._settle(client)

    async def _step(self, client: AIOKafkaConsumer) -> None:
        check_alive(client)
        if await self._positions.establish(client):
            self._gathering.forget()  # everything is read anew
        taken = await client.getmany(timeout_ms=self._poll_ms(), max_records=self._parts.batch_records)
        self._gathering.add(
            {tp: [received(record) for record in records] for tp, records in taken.items()}, time.monotonic()
        )
        wait_s = self._gathering.wait_s(time.monotonic())
        if wait_s is None:
            await self._rest()
            self._follow(client)
            return
        self._idle.clear()
        if wait_s > 0:
            await asyncio.sleep(min(wait_s, _PACE_S))
            return
        records = self._positions.expected(self._gathering.take())
        if not records:
            return
        await self._check_holes(records)
        await self._apply(records)
        self._follow(client)

    def _poll_ms(self) -> int:
        wait_s = self._gathering.wait_s(time.monotonic())
        if wait_s is not None:
            return int(1000 * wait_s) + 1
        busy = self._publishing or not self._idle.is_set()
        return int(1000 * (_SETTLE_S if busy else _IDLE_S))

    async def _rest(self) -> None:
        if not self._publishing:
            await self._parts.database.outbox.delete_sent()
            self._idle.set()

    async def _check_holes(self, records: Records) -> None:
        for hole in self._positions.holes_before(records):
            await self._positions.report(hole, resume_at=hole.end)

    async def _apply(self, records: Records) -> None:
        taken = [record for group in records.values() for record in group]
        ends = {tp: group[-1].offset + 1 for tp, group in records.items()}
        try:
            await self._transact(taken, ends, self._spec.handle)
        except Exception as error:
            await self._check_ours(error)
            log.exception("%s cannot apply a batch of %d, trying one by one", self._parts.service, len(taken))
            await self._one_by_one(taken)

    async def _one_by_one(self, taken: list[Received]) -> None:
        for record in taken:
            tp = TopicPartition(record.topic, record.partition)
            end = {tp: record.offset + 1}
            try:
                await self._transact([record], end, self._spec.handle)
            except Exception as error:
                await self._check_ours(error)
                log.exception("%s parks %s[%d]@%d", self._parts.service, tp.topic, tp.partition, record.offset)
                await self._park(record, end, f"{type(error).__name__}: {error}")

    async def _check_ours(self, error: Exception) -> None:
        """Return if an error is the fault of records or of their handler: nothing is while the database is away.

        Raises:
            NotAppliedError: it is not.
        """
        passes = isinstance(error, (StaleOffsetError, *CONFLICT)) or is_away(error)
        if passes or not await self._parts.database.answers():
            raise NotAppliedError(repr(error)) from error

    async def _park(self, record: Received, end: dict[TopicPartition, int], reason: str) -> None:
        async def set_aside(batch: Batch) -> None:
            for parked_record in batch.records:
                batch.send(parking.parked(self._parts.service, parked_record, reason, batch.now), because=parked_record)
                for answer in self._spec.refuse(parked_record, reason):
                    batch.send(answer, because=parked_record)

        await self._transact([record], end, set_aside)
        metrics().parked.add(1, {"service": self._parts.service, "topic": record.topic})

    async def _transact(self, taken: list[Received], ends: dict[TopicPartition, int], handle: Handle) -> None:
        """Apply records and store the offsets in one transaction; afterwards their records go out."""
        started = time.monotonic()
        database = self._parts.database
        trace = self._parts.tracing.batch(self._parts.service, taken)
        sent = database.outbox.take_sent()
        try:
            async with database.pool.acquire() as connection, connection.transaction():
                stored = await offsets.lock(connection, ends)
                self._positions.verify(stored)
                fresh = [r for r in taken if r.offset >= stored[TopicPartition(r.topic, r.partition)]]
                batch = Batch(fresh, connection, self._parts.clock(), trace)
                if fresh:
                    await handle(batch)
                new = {tp: max(end, stored[tp]) for tp, end in ends.items()}
                ids = await offsets.advance(connection, new, Outgoing(batch.outgoing, sent), batch.now)
        except BaseException:
            database.outbox.give_back(sent)
            raise
        self._positions.advanced(new)
        trace.end()
        self._count(fresh, time.monotonic() - started)
        await self._publish(ids, batch)

    async def _publish(self, ids: list[int], batch: Batch) -> None:
        if not ids:
            return
        outgoing = [record for group in batch.outgoing.values() for record in group]
        task = self._parts.database.outbox.send_soon(ids, outgoing)
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)
        if len(self._publishing) >= _PUBLISHING_AT_ONCE:
            await asyncio.wait(self._publishing, return_when=asyncio.FIRST_COMPLETED)

    def _count(self, fresh: list[Received], duration_s: float) -> None:
        attributes = {"service": self._parts.service}
        metrics().batch_records.record(len(fresh), attributes)
        metrics().batch_duration.record(duration_s, attributes)
        for topic in {record.topic for record in fresh}:
            count = sum(1 for record in fresh if record.topic == topic)
            metrics().records.add(count, {**attributes, "topic": topic})

    def _follow(self, client: AIOKafkaConsumer) -> None:
        """Let Kafka's committed offsets follow, for lag metrics and autoscaling; nothing depends on them or waits."""
        if time.monotonic() - self._committed_at >= _COMMIT_EVERY_S and self._following is None:
            self._committed_at = time.monotonic()
            self._catch_up(client)

    def _catch_up(self, client: AIOKafkaConsumer) -> None:
        held = self._positions.current(client.assignment())
        if held and held != self._committed:  # none: all were taken away while the batch was applied
            self._following = asyncio.create_task(self._commit(client, held), name="committing to Kafka")

    async def _commit(self, client: AIOKafkaConsumer, held: dict[TopicPartition, int]) -> None:
        try:
            await asyncio.wait_for(client.commit(held), _COMMIT_WITHIN_S)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.info("Kafka did not take the committed offsets of %s: %r", self._parts.service, error)
        else:
            self._committed = held
        finally:
            self._following = None

    async def _settle(self, client: AIOKafkaConsumer) -> None:
        if self._following is None:
            self._catch_up(client)
        if self._following is not None:
            await self._following
        try:
            await asyncio.wait_for(self._parts.database.outbox.settle(), timeout=10)
        except MAYBE_AWAY as error:
            log.warning("%s leaves outbox rows for the next owner: %r", self._parts.service, error)

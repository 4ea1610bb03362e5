"""A service's consumer group: takes micro-batches, applies each in one transaction, parks what cannot be applied.

The subscriber is FastStream's, the loop is ours: FastStream's own batch loop swallows a handler's error and sleeps
after an idle poll (docs/decisions). The database's offsets are the truth: see `positions`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from chargebus_events.record import Received, Record

from chargebus_runtime.applying import Applying, ApplyingParts, Handle, NotAppliedError, Refuse
from chargebus_runtime.away import MAYBE_AWAY
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.gathering import Gathering, Patience, Records, no_patience
from chargebus_runtime.kafka import check_alive, received
from chargebus_runtime.positions import Positions, StaleOffsetError
from chargebus_runtime.progress import Progress
from chargebus_runtime.resting import Resting
from chargebus_runtime.retry import BACKOFF
from chargebus_runtime.telemetry import Tracing, metrics

log = logging.getLogger(__name__)

_IDLE_S = 1.0
_SETTLE_S = 0.1
_COMMIT_EVERY_S = 5.0
_COMMIT_WITHIN_S = 2.0
_PACE_S = 0.02  # between polls that bring nothing urgent: each costs a fetch, whatever it brings

# What was begun is rolled back, sought anew and tried until it goes through.
_WAITED_FOR: tuple[type[BaseException], ...] = (
    *MAYBE_AWAY,
    KafkaError,
    IllegalStateError,
    StaleOffsetError,
    NotAppliedError,
)


def tell_nobody(_record: Received, _reason: str) -> Sequence[Record]:
    """Be the `refuse` of a service whose records nobody waits for."""
    return ()


async def keep_state(_connection: asyncpg.Connection) -> None:
    """Change nothing on a new Kafka cluster."""


@dataclass(frozen=True)
class ConsumerSpec:
    """What a service consumes, and how.

    `handle` applies a batch inside its transaction; `refuse` returns what to send for a record that is parked;
    `on_new_cluster` drops, in the transaction that resets the offsets, what was known from the old cluster's log.
    Partitions of one number of the topics `together` are applied by one transaction at a time, in whichever copies they
    are: for topics that bring different records about the same rows.
    Records may wait for others, so that a batch is worth its transaction: all of them for `gather_s` in Kafka, for a
    service that nobody waits for; those of a topic that nobody waits for as long as `rest_s` says, in Kafka, too; or
    each as long as `patience` says in memory.
    """

    topics: tuple[str, ...]
    handle: Handle
    refuse: Refuse
    on_new_cluster: Callable[[asyncpg.Connection], Awaitable[None]] = keep_state
    gather_s: float = 0.0
    patience: Patience = no_patience
    rest_s: Mapping[str, float] = field(default_factory=dict)
    together: frozenset[str] = frozenset()


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
        self._gathering = Gathering(spec.patience, parts.batch_records, parts.service)
        self._resting = Resting(spec.rest_s)
        self._applying = Applying(
            ApplyingParts(
                parts.service, parts.database, parts.clock, parts.tracing, spec.handle, spec.refuse, spec.together
            ),
            positions,
        )
        self._progress = Progress()
        self._client: AIOKafkaConsumer | None = None
        self._stopping = False
        self._waking: asyncio.Timeout | None = None
        self._stops = 0  # batches in a row that left a partition where it stood
        self._stopped: set[TopicPartition] = set()
        self._resume_at = 0.0
        self._idle = asyncio.Event()
        self._committed_at = time.monotonic()
        self._committed: dict[TopicPartition, int] = {}
        self._following: asyncio.Task[None] | None = None

    @property
    def idle(self) -> asyncio.Event:
        """Set while the newest poll found nothing and everything is sent; for tests and for draining."""
        return self._idle

    def not_ready(self) -> str | None:
        """Return why the consumer cannot do its work; None if it can."""
        if self._applying.stuck:
            return self._applying.stuck
        stalled = self._progress.stalled(self._behind())
        if stalled is None and not self._positions.established:
            return "its Kafka partitions are not assigned yet"
        return stalled

    def stop(self) -> None:
        """End `run` after the batch under way; a poll that waits for records ends at once."""
        self._stopping = True
        waking, self._waking = self._waking, None
        if waking is not None:
            waking.reschedule(asyncio.get_running_loop().time())

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Take batches until stopped; waits for Kafka and the database as long as they are away."""
        self._client = client
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
                await asyncio.sleep(self._progress.failed(error))
        await self._settle(client)

    async def _step(self, client: AIOKafkaConsumer) -> None:
        check_alive(client)
        if await self._positions.establish(client):
            self._gathering.forget()  # everything is read anew
        self._resume(client)
        taken = await self._poll(client)
        self._gathering.add(
            {tp: [received(record) for record in records] for tp, records in taken.items()}, time.monotonic()
        )
        self._resting.begin(client, {tp: records[-1].offset + 1 for tp, records in taken.items()}, time.monotonic())
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
        stopped = await self._applying.apply(records)
        if stopped:
            self._pause(client, stopped)
        elif self._applying.stuck is None:
            self._stops = 0
        self._progress.made()
        self._follow(client)

    def _resume(self, client: AIOKafkaConsumer) -> None:
        """Go on with partitions that stopped and with topics that rested, if it is time."""
        now = time.monotonic()
        if self._stopped and now >= self._resume_at:
            self._stopped.clear()
            client.resume(*(tp for tp in client.paused() if not self._resting.holds(tp.topic, now)))
        self._resting.end(client, self._stopped, now)

    def _pause(self, client: AIOKafkaConsumer, stopped: Iterable[TopicPartition]) -> None:
        """Let partitions rest that stopped, for longer each time; the others go on."""
        for tp, offset in self._positions.current(stopped).items():
            client.seek(tp, offset)
            client.pause(tp)
            self._stopped.add(tp)
        metrics().retries.add(1, {"service": self._parts.service})
        self._resume_at = time.monotonic() + BACKOFF.delay_s(self._stops)
        self._stops += 1

    async def _poll(self, client: AIOKafkaConsumer) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Take what there is, or what comes until the poll's time is over or `stop` wakes it."""
        if self._stopping:
            return {}
        try:
            async with asyncio.timeout(None) as waking:
                self._waking = waking
                taken: dict[TopicPartition, list[ConsumerRecord]] = await client.getmany(
                    timeout_ms=self._poll_ms(), max_records=self._parts.batch_records
                )
                return taken
        except TimeoutError:
            if not waking.expired():
                raise
            return {}
        finally:
            self._waking = None

    def _poll_ms(self) -> int:
        now = time.monotonic()
        busy = self._applying.publishing or not self._idle.is_set()
        waits = (self._gathering.wait_s(now), self._resting.wait_s(now))
        wait_s = min((each for each in waits if each is not None), default=_SETTLE_S if busy else _IDLE_S)
        return int(1000 * wait_s) + 1

    async def _rest(self) -> None:
        if not self._behind():
            self._progress.made()
        if not self._applying.publishing:
            await self._parts.database.outbox.delete_sent()
            if not self._resting.unsure:
                self._idle.set()

    def _behind(self) -> int:
        return self._positions.behind(self._client) if self._client is not None else 0

    async def _check_holes(self, records: Records) -> None:
        for hole in self._positions.holes_before(records):
            await self._positions.leap(hole)

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

"""Records on their way to one partition: those that come while the client is busy go out together.

The client's own `send` costs a coroutine, a future and a look at the metadata for every record; here a record is
appended to a batch that the client already has, and a batch costs them once.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerClosed
from chargebus_events.record import Record

from chargebus_runtime.aiokafka_private import SelfClosingBatchBuilder

log = logging.getLogger(__name__)

_BATCH_BYTES = 256 * 1024

PATIENCE_S: Final = 5.0
"""How long Kafka may take to acknowledge before a partition is taken for one that cannot be written to now."""

MOST_BATCHES: Final = 64
"""How many batches may wait for one partition: some 16 MiB, however long Kafka is away."""


class Sent(NamedTuple):
    """Where Kafka acknowledged a record."""

    partition: int
    offset: int


class OutgoingRecord(Protocol):
    """A record, and who sent it."""

    @property
    def record(self) -> Record:
        """The record."""
        ...

    def told(self, result: Sent | KafkaError) -> None:
        """Learn what became of the record; called once."""


class ProducerBatch:
    """Records of one partition that go to the broker as one batch; `ended` becomes None, or the error."""

    def __init__(self) -> None:
        self.begun_at = time.monotonic()
        self.builder = SelfClosingBatchBuilder(_BATCH_BYTES)
        self.ended: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()
        self._outgoing: list[OutgoingRecord | None] = []

    def add(self, record: Record, outgoing: OutgoingRecord | None) -> bool:
        """Append a record; False if the batch is full, or on its way."""
        taken = self.builder.append(
            timestamp=None, key=record.key.encode(), value=record.value, headers=list(record.headers)
        )
        if taken is None:
            return False
        self._outgoing.append(outgoing)
        return True

    def acknowledge(self, partition: int, base_offset: int) -> None:
        """Tell everyone that the broker has the batch."""
        self.ended.set_result(None)
        for number, outgoing in enumerate(self._outgoing):
            if outgoing is not None:
                _tell(outgoing, Sent(partition, base_offset + number))

    def fail(self, error: KafkaError) -> None:
        """Tell everyone that the batch may not have arrived."""
        self.builder.close()
        self.ended.set_result(error)
        for outgoing in self._outgoing:
            if outgoing is not None:
                _tell(outgoing, error)


class PartitionSender:
    """The way to one partition. Order is that of `add`."""

    def __init__(self, client: AIOKafkaProducer, tp: TopicPartition, failed: Callable[[KafkaError], None]) -> None:
        self._client = client
        self._tp = tp
        self._failed = failed
        self._newest: ProducerBatch | None = None
        self._batches: deque[ProducerBatch] = deque()  # what the client does not have yet
        self._on_the_way: dict[ProducerBatch, None] = {}  # oldest first
        self._task: asyncio.Task[None] | None = None

    def add(self, record: Record, outgoing: OutgoingRecord | None) -> ProducerBatch:
        """Take a record, and return the batch that it goes with."""
        batch = self._newest
        if batch is not None and batch.add(record, outgoing):
            return batch
        batch = self._newest = ProducerBatch()
        batch.add(record, outgoing)
        self._on_the_way[batch] = None
        self._batches.append(batch)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"sender to {self._tp.topic}[{self._tp.partition}]")
        return batch

    def objection(self) -> str:
        """Say why no more should wait for this partition now; empty if it may."""
        oldest = next(iter(self._on_the_way), None)
        if oldest is None:
            return ""
        if len(self._on_the_way) >= MOST_BATCHES:
            return f"{len(self._on_the_way)} batches wait for it"
        silent_s = time.monotonic() - oldest.begun_at
        return f"Kafka has acknowledged nothing for {silent_s:.0f} s" if silent_s > PATIENCE_S else ""

    async def empty(self) -> None:
        """Wait until the client has all."""
        if self._task is not None:
            await self._task

    def abandon(self, error: KafkaError) -> None:
        """Fail whatever the client has not answered for: it is closed, and may have left something behind."""
        self._batches.clear()
        for batch in list(self._on_the_way):
            self._fail(batch, error)

    async def _run(self) -> None:
        topic, partition = self._tp
        while self._batches:
            batch = self._batches.popleft()
            try:
                future = await self._client.send_batch(batch.builder, topic, partition=partition)
            except KafkaError as error:
                self._fail(batch, error)
            except Exception as error:
                log.exception("the Kafka client broke on a batch for %s[%d]", topic, partition)
                self._fail(batch, KafkaError(repr(error)))
            else:
                future.add_done_callback(partial(self._end, batch))
        self._task = None

    def _end(self, batch: ProducerBatch, future: "asyncio.Future[Any]") -> None:
        error = ProducerClosed() if future.cancelled() else future.exception()
        if error is not None:
            self._fail(batch, error if isinstance(error, KafkaError) else KafkaError(repr(error)))
        elif self._let_end(batch):
            metadata = future.result()
            batch.acknowledge(metadata.partition, metadata.offset)

    def _fail(self, batch: ProducerBatch, error: KafkaError) -> None:
        if self._let_end(batch):
            batch.fail(error)
            self._failed(error)

    def _let_end(self, batch: ProducerBatch) -> bool:
        """Let a batch end; False if it has ended before."""
        was_on_the_way = batch in self._on_the_way
        self._on_the_way.pop(batch, None)
        return was_on_the_way


def _tell(outgoing: OutgoingRecord, result: Sent | KafkaError) -> None:
    """Tell one sender; an error of its own is no reason not to tell the next."""
    try:
        outgoing.told(result)
    except Exception:
        log.exception("the sender of a record for %s could not take %r", outgoing.record.topic, result)

"""Records on their way to one partition: those that come while the client is busy go out together.

The client's own `send` costs a coroutine, a future and a look at the metadata for every record; here a record is
appended to a batch that the client already has, and a batch costs them once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder
from chargebus_events.record import Record

log = logging.getLogger(__name__)

_BATCH_BYTES = 256 * 1024
_UNCOMPRESSED = 0


class Sent(NamedTuple):
    """Where Kafka acknowledged a record."""

    partition: int
    offset: int


class Parcel(Protocol):
    """A record, and who sent it."""

    @property
    def record(self) -> Record:
        """The record."""
        ...

    def told(self, result: Sent | KafkaError) -> None:
        """Learn what became of the record; called once."""


class Batch(BatchBuilder):  # type: ignore[misc]
    """A batch that takes records until the client sends it.

    The client gives a batch its sequence numbers, as many as it has records, when it takes it from its queue, and
    closes it only later: a record that came in between would have a number that the next batch has too.
    """

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        super()._set_producer_state(producer_id, producer_epoch, base_sequence)
        self.close()


class Load:
    """Records of one partition that go to the broker as one batch; `ended` becomes None, or the error."""

    def __init__(self) -> None:
        self.builder = Batch(_BATCH_BYTES, _UNCOMPRESSED, is_transactional=False)
        self.ended: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()
        self._parcels: list[Parcel | None] = []

    def add(self, record: Record, parcel: Parcel | None) -> bool:
        """Append a record; False if the batch is full, or on its way."""
        taken = self.builder.append(
            timestamp=None, key=record.key.encode(), value=record.value, headers=list(record.headers)
        )
        if taken is None:
            return False
        self._parcels.append(parcel)
        return True

    def acknowledge(self, partition: int, base_offset: int) -> None:
        """Tell everyone that the broker has the batch."""
        self.ended.set_result(None)
        for number, parcel in enumerate(self._parcels):
            if parcel is not None:
                _tell(parcel, Sent(partition, base_offset + number))

    def fail(self, error: KafkaError) -> None:
        """Tell everyone that the batch may not have arrived."""
        self.builder.close()
        self.ended.set_result(error)
        for parcel in self._parcels:
            if parcel is not None:
                _tell(parcel, error)


class Lane:
    """The way to one partition. Order is that of `add`."""

    def __init__(self, client: AIOKafkaProducer, tp: TopicPartition, failed: Callable[[KafkaError], None]) -> None:
        self._client = client
        self._tp = tp
        self._failed = failed
        self._newest: Load | None = None
        self._loads: deque[Load] = deque()  # what the client does not have yet
        self._on_the_way: set[Load] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, record: Record, parcel: Parcel | None) -> Load:
        """Take a record, and return the load that it goes with."""
        load = self._newest
        if load is not None and load.add(record, parcel):
            return load
        load = self._newest = Load()
        load.add(record, parcel)
        self._on_the_way.add(load)
        self._loads.append(load)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"lane to {self._tp.topic}[{self._tp.partition}]")
        return load

    async def empty(self) -> None:
        """Wait until the client has all."""
        if self._task is not None:
            await self._task

    def abandon(self, error: KafkaError) -> None:
        """Fail whatever the client has not answered for: it is closed, and may have left something behind."""
        self._loads.clear()
        for load in list(self._on_the_way):
            self._fail(load, error)

    async def _run(self) -> None:
        topic, partition = self._tp
        while self._loads:
            load = self._loads.popleft()
            try:
                future = await self._client.send_batch(load.builder, topic, partition=partition)
            except KafkaError as error:
                self._fail(load, error)
            except Exception as error:
                log.exception("the Kafka client broke on a batch for %s[%d]", topic, partition)
                self._fail(load, KafkaError(repr(error)))
            else:
                future.add_done_callback(partial(self._end, load))
        self._task = None

    def _end(self, load: Load, future: "asyncio.Future[Any]") -> None:
        error = ProducerClosed() if future.cancelled() else future.exception()
        if error is not None:
            self._fail(load, error if isinstance(error, KafkaError) else KafkaError(repr(error)))
        elif self._let_end(load):
            metadata = future.result()
            load.acknowledge(metadata.partition, metadata.offset)

    def _fail(self, load: Load, error: KafkaError) -> None:
        if self._let_end(load):
            load.fail(error)
            self._failed(error)

    def _let_end(self, load: Load) -> bool:
        """Let a load end; False if it has ended before."""
        was_on_the_way = load in self._on_the_way
        self._on_the_way.discard(load)
        return was_on_the_way


def _tell(parcel: Parcel, result: Sent | KafkaError) -> None:
    """Tell one sender; an error of its own is no reason not to tell the next."""
    try:
        parcel.told(result)
    except Exception:
        log.exception("the sender of a record for %s could not take %r", parcel.record.topic, result)

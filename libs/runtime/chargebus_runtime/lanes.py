"""Records on their way to one partition: those that come while the client is busy go out together.

The client's own `send` costs a coroutine, a future and a look at the metadata for every record; here a record is
appended to a batch, and a batch costs them once.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder
from chargebus_events.record import Record


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


class Load:
    """Records of one partition that go to the broker as one batch; `ended` becomes None, or the error."""

    def __init__(self, builder: BatchBuilder) -> None:
        self.builder = builder
        self.ended: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()
        self._parcels: list[Parcel | None] = []

    def add(self, record: Record, parcel: Parcel | None) -> bool:
        """Append a record; False if the batch is full."""
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
                parcel.told(Sent(partition, base_offset + number))

    def fail(self, error: KafkaError) -> None:
        """Tell everyone that the batch may not have arrived."""
        self.ended.set_result(error)
        for parcel in self._parcels:
            if parcel is not None:
                parcel.told(error)


class Lane:
    """The way to one partition: one load with the client, the next one filling. Order is that of `add`."""

    def __init__(self, client: AIOKafkaProducer, tp: TopicPartition, failed: Callable[[KafkaError], None]) -> None:
        self._client = client
        self._tp = tp
        self._failed = failed
        self._loads: deque[Load] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, record: Record, parcel: Parcel | None) -> Load:
        """Take a record, and return the load that it goes with."""
        if not self._loads or not self._loads[-1].add(record, parcel):
            load = Load(self._client.create_batch())
            load.add(record, parcel)
            self._loads.append(load)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"lane to {self._tp.topic}[{self._tp.partition}]")
        return self._loads[-1]

    async def empty(self) -> None:
        """Wait until the client has all."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        topic, partition = self._tp
        while self._loads:
            load = self._loads.popleft()  # from here on it takes no more
            try:
                future = await self._client.send_batch(load.builder, topic, partition=partition)
            except KafkaError as error:
                self._fail(load, error)
            else:
                future.add_done_callback(partial(self._end, load))
        self._task = None

    def _end(self, load: Load, future: "asyncio.Future[Any]") -> None:
        error = ProducerClosed() if future.cancelled() else future.exception()
        if error is None:
            metadata = future.result()
            load.acknowledge(metadata.partition, metadata.offset)
        else:
            self._fail(load, error if isinstance(error, KafkaError) else KafkaError(repr(error)))

    def _fail(self, load: Load, error: KafkaError) -> None:
        load.fail(error)
        self._failed(error)

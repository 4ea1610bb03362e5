"""The process's one Kafka producer: idempotent, `acks=all`, and outliving the errors that end aiokafka's own."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import murmur2
from chargebus_events.record import Record
from chargebus_events.topics import MAX_RECORD_BYTES, MAX_VALUE_BYTES

from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.partition_sender import OutgoingRecord, PartitionSender, ProducerBatch, Sent
from chargebus_runtime.retry import until_done

__all__ = ["OutgoingRecord", "Producer", "Sent", "excess"]

log = logging.getLogger(__name__)

# After these, aiokafka's client never sends again on the partition; plain KafkaError is its sender's sudden end.
_BROKEN = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced, UnknownProducerId)

_STOP_WITHIN_S = 5.0


class _AwaitedRecord:
    """One record whose sender waits for the answer."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.answer: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()

    def told(self, result: Sent | KafkaError) -> None:
        if self.answer.done():  # nobody waits any more
            return
        if isinstance(result, KafkaError):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class Producer:
    """Sends records. Order is kept per partition; a record is acknowledged by all in-sync replicas or fails."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._client: _Client | None = None
        self._connecting = asyncio.Lock()
        self._in_turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; waits for Kafka as long as it takes."""
        await until_done("connecting to Kafka", self._connected, KafkaError, OSError)

    async def stop(self) -> None:
        """Flush and close."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    async def hand_over(self, records: Sequence[OutgoingRecord]) -> None:
        """Take records to send; each sender is told once what became of its record.

        Raises:
            KafkaError: the client cannot take records now; none was taken and nobody is told.
        """
        client, partitions = await self._ready(outgoing.record.topic for outgoing in records)
        for outgoing in records:
            try:
                client.add(outgoing.record, outgoing, partitions)
            except KafkaError as error:
                outgoing.told(error)

    async def send(self, record: Record) -> Sent:
        """Send one record and wait for Kafka's acknowledgement.

        Raises:
            KafkaError: Kafka refused it or the client failed; it may have been written all the same.
        """
        awaited = _AwaitedRecord(record)
        await self.hand_over([awaited])
        return await awaited.answer

    async def publish(self, records: Iterable[Record]) -> None:
        """Send all records and wait until all are acknowledged, however long Kafka is away.

        Callers take turns, so that records of one key go out in the order of the calls. After an error all of them
        are sent again: a record may go out twice, never less than once, and then maybe after those of a later call.
        """
        batch = list(records)
        if batch:
            await until_done(f"publishing {len(batch)} records", lambda: self._publish(batch), KafkaError)

    async def partition_of(self, topic: str, key: str) -> int:
        """Return the partition of a topic in which the records of a key are.

        Raises:
            KafkaError: Kafka does not tell how many there are.
        """
        _, partitions = await self._ready([topic])
        return _hash(key) % partitions[topic]

    async def _publish(self, records: list[Record]) -> None:
        async with self._in_turn:
            client, partitions = await self._ready(record.topic for record in records)
            batches = {client.add(record, None, partitions) for record in records}
        # Several callers wait for one batch: who is cancelled must not take it from the others.
        errors = [error for batch in batches if (error := await asyncio.shield(batch.ended)) is not None]
        if errors:
            raise errors[0]

    async def _ready(self, topics: Iterable[str]) -> tuple["_Client", dict[str, int]]:
        """Return the client, connected, and how many partitions the topics have."""
        client = self._client or await self._connected()
        return client, await client.partitions(set(topics))

    async def _connected(self) -> "_Client":
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> "_Client":
        producer = AIOKafkaProducer(
            **self._connection.client_options(),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=30_000,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return _Client(producer, self)

    def drop(self, client: "_Client") -> bool:
        """Let the next record go through a new client; tell whether this one was still in use."""
        if client is not self._client:
            return False
        self._client = None
        return True


class _Client:
    """One of aiokafka's producers, with a sender to each partition."""

    def __init__(self, producer: AIOKafkaProducer, owner: Producer) -> None:
        self._producer = producer
        self._owner = owner
        self._senders: dict[tuple[str, int], PartitionSender] = {}
        self._stopping: asyncio.Task[None] | None = None

    async def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has.

        Raises:
            KafkaError: Kafka does not tell.
        """
        return {topic: len(await self._producer.partitions_for(topic)) for topic in topics}

    def add(self, record: Record, outgoing: OutgoingRecord | None, partitions: dict[str, int]) -> ProducerBatch:
        """Take a record, and return the batch that it goes with.

        Raises:
            MessageSizeTooLargeError, UnknownTopicOrPartitionError: Kafka will never take it.
        """
        if too_large := excess(record):
            raise MessageSizeTooLargeError(too_large)
        count = partitions[record.topic]
        partition = _hash(record.key) % count if record.partition is None else record.partition
        if partition >= count:
            raise UnknownTopicOrPartitionError(f"{record.topic}[{partition}]")
        place = record.topic, partition
        sender = self._senders.get(place)
        if sender is None:
            sender = self._senders[place] = PartitionSender(self._producer, TopicPartition(*place), self._failed)
        return sender.add(record, outgoing)

    async def stop(self) -> None:
        """Hand over what waits, flush and close."""
        try:
            await asyncio.wait_for(
                asyncio.gather(*(sender.empty() for sender in self._senders.values())), _STOP_WITHIN_S
            )
        except TimeoutError:
            log.warning("the Kafka producer stops before it has sent all")
        await self._leave()

    def _failed(self, error: KafkaError) -> None:
        """Give way to a new client if this one's sequence numbers no longer fit the broker's."""
        broken = isinstance(error, _BROKEN) or type(error) is KafkaError
        if broken and self._owner.drop(self):
            log.warning("replacing the Kafka producer after %r", error)
            self._stopping = asyncio.create_task(self._leave(), name="replaced Kafka producer")

    async def _leave(self) -> None:
        try:
            await asyncio.wait_for(self._producer.stop(), _STOP_WITHIN_S)
        except (KafkaError, TimeoutError) as error:
            log.warning("a Kafka producer did not stop cleanly: %r", error)
        self._abandon()

    def _abandon(self) -> None:
        """Fail what the client took without an answer: a batch that comes while it closes is forgotten in there."""
        for sender in self._senders.values():
            sender.abandon(ProducerClosed())


def excess(record: Record) -> str:
    """Say of a record that is larger than Kafka takes how large it is; empty of any other."""
    size = 0 if record.value is None else len(record.value)
    return f"a record of {size} bytes for {record.topic}" if size > MAX_VALUE_BYTES else ""


@lru_cache(maxsize=1 << 16)
def _hash(key: str) -> int:
    """Return what Kafka's own clients choose a key's partition by."""
    hashed: int = murmur2(key.encode()) & 0x7FFFFFFF
    return hashed

"""The process's one Kafka producer: idempotent, `acks=all`, and outliving the errors that end aiokafka's own.

Each destination (a topic's partition, or a topic whose partitions are not known) succeeds or fails by itself: one that
is missing, forbidden or without a leader holds up nothing else.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

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

from chargebus_runtime.aiokafka_private import partition_count, refresh
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.partition_sender import PATIENCE_S, OutgoingRecord, PartitionSender, ProducerBatch, Sent
from chargebus_runtime.retry import BACKOFF, until_done

__all__ = ["Destination", "OutgoingRecord", "Producer", "Sending", "Sent", "excess"]

log = logging.getLogger(__name__)

# After these, aiokafka's client never sends again on the partition; plain KafkaError is its sender's sudden end.
_BROKEN = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced, UnknownProducerId)

_STOP_WITHIN_S = 5.0
_UNKNOWN = -1


class Destination(NamedTuple):
    """Where records go: a partition, or None for a topic whose partitions are not known."""

    topic: str
    partition: int | None = None

    def __str__(self) -> str:
        return self.topic if self.partition is None else f"{self.topic}[{self.partition}]"


Objection = Callable[[str, int | None], str]
"""Says why nothing may be sent to a destination now; empty if it may."""


def no_objection(_topic: str, _partition: int | None) -> str:
    """Let anything be sent anywhere."""
    return ""


class Refused(NamedTuple):
    """Why Kafka does not have a record."""

    reason: str


class Answer(Enum):
    """What Kafka said of a record."""

    SENT = "sent"
    LATE = "late"  # nothing yet


class Sending:
    """Records on their way: those that were taken, each with its batch, and those that were not."""

    def __init__(self, fates: "Sequence[ProducerBatch | Refused]") -> None:
        distinct = set(fates)
        self._fates = fates
        self._batches = [fate for fate in distinct if isinstance(fate, ProducerBatch)]
        self._all_taken = len(self._batches) == len(distinct)

    async def answered(self, within_s: float | None = None) -> None:
        """Wait until Kafka has answered for all that were taken, or until the time is over."""
        # Several senders wait for one batch: a wait that is cancelled leaves its future alone.
        waiting = [batch.ended for batch in self._batches if not batch.ended.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=within_s)

    def part(self, start: int, stop: int) -> "Sending":
        """Return those of the records from number `start` to before `stop`."""
        return Sending(self._fates[start:stop])

    @property
    def all_sent(self) -> bool:
        """Whether Kafka has all."""
        return self._all_taken and all(batch.ended.done() and batch.ended.result() is None for batch in self._batches)

    def outcomes(self) -> list[Answer | Refused]:
        """Return what became of each record so far, in their order."""
        known = {batch: _outcome(batch) for batch in self._batches}
        return [fate if isinstance(fate, Refused) else known[fate] for fate in self._fates]


def _outcome(batch: ProducerBatch) -> Answer | Refused:
    if not batch.ended.done():
        return Answer.LATE
    error = batch.ended.result()
    return Answer.SENT if error is None else Refused(repr(error))


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

        What waits here is the sender's to bound.

        Raises:
            KafkaError: no topic of theirs can be had now; none was taken and nobody is told.
        """
        client = self._client or await self._connected()
        unknown = client.hand_over(records)
        if not unknown:
            return
        by_topic: dict[str, list[OutgoingRecord]] = {}
        for outgoing in unknown:
            by_topic.setdefault(outgoing.record.topic, []).append(outgoing)
        errors = await _gathered({topic: client.hand_over_once_known(topic, by_topic[topic]) for topic in by_topic})
        failed = [outgoing for topic in errors for outgoing in by_topic[topic]]
        if len(failed) == len(records):
            raise next(iter(errors.values()))
        for outgoing in failed:
            outgoing.told(errors[outgoing.record.topic])

    async def send(self, record: Record) -> Sent:
        """Send one record and wait for Kafka's acknowledgement.

        Raises:
            KafkaError: Kafka refused it or the client failed; it may have been written all the same.
        """
        awaited = _AwaitedRecord(record)
        await self.hand_over([awaited])
        return await awaited.answer

    async def publish(self, records: Iterable[Record]) -> None:
        """Send all records and wait until all are acknowledged, however long that takes.

        Records of one key go out in the order of the calls. What fails is sent again: a record may go out twice, never
        less than once, and then maybe after those of a later call.
        """
        left = list(records)
        attempt = 0
        while left:
            await self.look_up({record.topic for record in left})
            sending = self.take(left)
            await sending.answered()
            outcomes = sending.outcomes()
            refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
            left = [record for record, outcome in zip(left, outcomes, strict=True) if isinstance(outcome, Refused)]
            if refused:
                if attempt == 0:
                    log.warning("publishing %d records failed, trying again: %s", len(refused), refused[0].reason)
                await asyncio.sleep(BACKOFF.delay_s(attempt))
                attempt += 1

    async def partition_of(self, topic: str, key: str) -> int:
        """Return the partition of a topic in which the records of a key are.

        Raises:
            KafkaError: Kafka does not tell how many there are.
        """
        return _hash(key) % await self.partitions_of(topic)

    async def partitions_of(self, topic: str) -> int:
        """Return how many partitions a topic has.

        Raises:
            KafkaError: Kafka does not tell.
        """
        client = self._client or await self._connected()
        if not client.count(topic):
            await client.look_up(topic)
        return client.count(topic)

    def knows(self, topics: Iterable[str]) -> bool:
        """Tell whether the partitions of all these topics are known."""
        client = self._client
        return client is not None and all(client.count(topic) for topic in topics)

    async def look_up(self, topics: Collection[str], within_s: float = PATIENCE_S) -> None:
        """Find out which partitions topics have; one that is just being made is waited for."""
        if not self.knows(topics):
            await self._learn(topics, _Client.look_up, within_s)

    async def ask(self, topics: Collection[str], within_s: float) -> None:
        """Ask Kafka once which partitions topics have."""
        if not self.knows(topics):
            await self._learn(topics, _Client.ask, within_s)

    async def _learn(
        self, topics: Collection[str], find: "Callable[[_Client, str], Awaitable[None]]", within_s: float
    ) -> None:
        """Learn about topics as far as Kafka tells in time; those of which it does not stay unknown."""
        try:
            async with asyncio.timeout(within_s):
                client = self._client or await self._connected()
                await _gathered({topic: find(client, topic) for topic in topics})
        except (KafkaError, OSError, TimeoutError) as error:
            log.debug("not all of %s can be looked up: %r", sorted(topics), error)

    def destination(self, record: Record) -> Destination:
        """Return where a record goes, as far as that is known now."""
        count = 0 if self._client is None else self._client.count(record.topic)
        if not count:
            return Destination(record.topic)
        return Destination(record.topic, _hash(record.key) % count if record.partition is None else record.partition)

    def take(self, records: Sequence[Record], objection: Objection = no_objection) -> Sending:
        """Take records to send, at once: those that can be sent now, and nothing objects to.

        A destination for which too much waits, or that has been silent for too long, takes nothing: so what waits in
        memory is bounded.
        """
        if self._client is None:
            refused = Refused("the process is not connected to Kafka")
            return Sending([refused] * len(records))
        return self._client.take(records, objection)

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


class _Closed:
    """Stands where no sender takes records."""

    def __init__(self, reason: str) -> None:
        self._refused = Refused(reason)

    def add(self, _record: Record, _outgoing: None) -> Refused:
        return self._refused


class _Client:
    """One of aiokafka's producers, with a sender to each partition."""

    def __init__(self, producer: AIOKafkaProducer, owner: Producer) -> None:
        self._producer = producer
        self._owner = owner
        self._senders: dict[tuple[str, int], PartitionSender] = {}
        self._missing: dict[str, str] = {}  # topics that could not be looked up, and why
        self._stopping: asyncio.Task[None] | None = None

    def count(self, topic: str) -> int:
        """Return how many partitions a topic has, 0 if that is not known."""
        return partition_count(self._producer, topic)

    async def look_up(self, topic: str) -> None:
        """Learn which partitions a topic has.

        Raises:
            KafkaError: Kafka does not tell.
        """
        attempt, due = 0, time.monotonic() + PATIENCE_S
        await self.ask(topic)
        while not self.count(topic):
            if time.monotonic() > due:
                raise UnknownTopicOrPartitionError(topic)
            await asyncio.sleep(BACKOFF.delay_s(attempt))  # it may just be being made
            await self.ask(topic)
            attempt += 1

    async def ask(self, topic: str) -> None:
        """Ask Kafka once which partitions a topic has.

        Raises:
            KafkaError: we may not know.
        """
        if self.count(topic):
            return
        try:
            await refresh(self._producer, topic)
        except KafkaError as error:
            self._missing[topic] = repr(error)
            raise
        self._missing[topic] = "Kafka does not have the topic"

    async def hand_over_once_known(self, topic: str, records: Sequence[OutgoingRecord]) -> None:
        """Take records of a topic that is to be looked up.

        Raises:
            KafkaError: Kafka does not tell its partitions; none was taken.
        """
        await self.look_up(topic)
        for outgoing in self.hand_over(records):
            outgoing.told(UnknownTopicOrPartitionError(topic))  # it went as it came

    def hand_over(self, records: Sequence[OutgoingRecord]) -> list[OutgoingRecord]:
        """Take records, whose senders are told what became of them; return those whose topic is not known."""
        unknown: list[OutgoingRecord] = []
        counts: dict[str, int] = {}
        senders = self._senders
        for outgoing in records:
            record = outgoing.record
            count = counts.get(record.topic)
            if count is None:
                count = counts[record.topic] = self.count(record.topic)
            partition = record.partition
            if partition is None and count:
                partition = _hash(record.key) % count
            if not count or partition is None:
                unknown.append(outgoing)
            elif too_large := excess(record):
                outgoing.told(MessageSizeTooLargeError(too_large))
            elif partition >= count:
                outgoing.told(UnknownTopicOrPartitionError(f"{record.topic}[{partition}]"))
            else:
                sender = senders.get((record.topic, partition)) or self._sender(record.topic, partition)
                sender.add(record, outgoing)
        return unknown

    def take(self, records: Sequence[Record], objection: Objection) -> Sending:
        """Take what can be sent now."""
        fates: list[ProducerBatch | Refused] = []
        counts: dict[str, int] = {}
        found: dict[tuple[str, int], PartitionSender | _Closed] = {}
        for record in records:
            topic, partition = record.topic, record.partition
            count = counts.get(topic)
            if count is None:
                count = counts[topic] = self.count(topic)
            if partition is None:
                partition = _hash(record.key) % count if count else _UNKNOWN
            place = topic, partition
            sender = found.get(place)
            if sender is None:
                sender = found[place] = self._open(topic, partition, count, objection)
            fates.append(sender.add(record, None))
        return Sending(fates)

    async def stop(self) -> None:
        """Hand over what waits, flush and close."""
        senders = self._senders.values()
        try:
            await asyncio.wait_for(asyncio.gather(*(sender.empty() for sender in senders)), _STOP_WITHIN_S)
        except TimeoutError:
            log.warning("the Kafka producer stops before it has sent all")
        await self._leave()

    def _open(self, topic: str, partition: int, count: int, objection: Objection) -> "PartitionSender | _Closed":
        """Return the way to a partition, as far as it is open."""
        if not count:
            return _Closed(objection(topic, None) or self._missing.get(topic, "not looked up yet"))
        if reason := objection(topic, partition):
            return _Closed(reason)
        if partition >= count:
            return _Closed(f"the topic has only {count} partitions")
        sender = self._sender(topic, partition)
        reason = sender.objection()
        return _Closed(reason) if reason else sender

    def _sender(self, topic: str, partition: int) -> PartitionSender:
        sender = self._senders.get((topic, partition))
        if sender is None:
            tp = TopicPartition(topic, partition)
            sender = self._senders[topic, partition] = PartitionSender(self._producer, tp, self._failed)
        return sender

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


async def _gathered(lookups: dict[str, Awaitable[None]]) -> dict[str, KafkaError]:
    """Look up topics side by side; return the errors of those that failed."""
    results = await asyncio.gather(*lookups.values(), return_exceptions=True)
    errors: dict[str, KafkaError] = {}
    for topic, result in zip(lookups, results, strict=True):
        if isinstance(result, KafkaError):
            errors[topic] = result
        elif isinstance(result, BaseException):
            raise result
    return errors


@lru_cache(maxsize=1 << 16)
def _hash(key: str) -> int:
    """Return what Kafka's own clients choose a key's partition by."""
    hashed: int = murmur2(key.encode()) & 0x7FFFFFFF
    return hashed

"""The way to Kafka: everything an edge publishes goes through here, and its acknowledgements come back.

Nothing waits for an acknowledgement here: a frame is handed over, the next one follows, and whoever sent it is
called when Kafka has it. Each topic is handed over on its own, in order, so that one that is missing or refused
holds up no other.

What waits here is bounded, in bytes: past the bound first what goes to a topic that alone does not take it is given up,
and where that is not enough, stations are read no further until half of it is gone.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final, NamedTuple, Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from chargebus_events.record import Record
from chargebus_runtime.producer import OutgoingRecord, Sent
from chargebus_runtime.retry import BACKOFF

from chargebus_edge.log.topic_queue import Done, Item, TopicQueue

log = logging.getLogger(__name__)

_TRIES_BEFORE_STUCK: Final = 3


class Producing(Protocol):
    """What an uplink needs of the process's producer."""

    async def hand_over(self, records: Sequence[OutgoingRecord]) -> None:
        """Take records to send; each sender is told once what became of its record."""
        ...


class Latency(Protocol):
    """Takes measured durations."""

    def record(self, amount: float) -> None:
        """Take one, in seconds."""


class Waiting(NamedTuple):
    """Something that Kafka has not acknowledged: what it is, in words, and since when Kafka has been given it."""

    since: float
    what: str


class Uplink:
    """Publishes records.

    `publish` is for what loses its meaning when Kafka is away for long (a frame: the station keeps it and sends it
    again); `post` for what must arrive in the end (a report): it is tried until Kafka has it.
    """

    def __init__(
        self, producer: Producing, monotonic: Callable[[], float], latency: Latency, most_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self.monotonic = monotonic
        self.waiting_bytes = 0
        self._most_bytes = most_bytes
        self._full = False
        self._hold: Callable[[], None] = _nothing
        self._release: Callable[[], None] = _nothing
        self._taken_at = -inf  # when the producer last took records of any topic
        self._producer = producer
        self._latency = latency
        self._topics: dict[str, TopicQueue] = {}
        self._unserved: asyncio.Queue[TopicQueue] = asyncio.Queue()
        self._items: dict[Item, None] = {}  # what is neither acknowledged nor given up
        self._awaited: dict[Item, float] = {}  # what was published of them, and when Kafka was given it; oldest first
        self._told = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._items)

    def follow(self, hold: Callable[[], None], release: Callable[[], None]) -> None:
        """Have `hold` called when too much waits, and `release` when half of it is gone."""
        self._hold = hold
        self._release = release

    def buffer(self, size: int) -> None:
        """Count bytes that wait elsewhere for their turn to be published; negative: that wait no longer."""
        self._count(size)

    def publish(self, record: Record, done: Done) -> None:
        """Send a record; `done` is called when it is there or given up."""
        self._add(record, done)

    def post(self, record: Record) -> None:
        """Send a record that must arrive."""
        self._add(record, None)

    def oldest(self) -> Waiting | None:
        """Return what Kafka was given first of the published records that it has not acknowledged.

        What was posted is not counted, for no station waits for it; nor is what the producer did not take: that may
        be its topic's fault, and when it is Kafka's, the heartbeat tells.
        """
        first = next(iter(self._awaited.items()), None)
        if first is None:
            return None
        item, since = first
        return Waiting(since, f"a record for {item.record.topic} with the key {item.record.key!r}")

    def give_up(self) -> None:
        """Give up all that was published and is not acknowledged; what was posted stays."""
        self.abandon(list(self._items))

    async def settled(self) -> None:
        """Wait until everything is acknowledged or given up."""
        await self._empty.wait()

    async def run(self) -> None:
        """Hand over what is queued, until cancelled."""
        async with asyncio.TaskGroup() as topics:
            while True:
                topics.create_task((await self._unserved.get()).run())

    def remaining(self, items: Iterable[Item]) -> list[Item]:
        """Return those that were not given up."""
        return [item for item in items if item in self._items]

    async def hand_over(self, items: Sequence[Item]) -> None:
        """Let the producer take records.

        Raises:
            KafkaError: it took none.
        """
        await self._producer.hand_over(items)
        now = self._taken_at = self.monotonic()
        for item in items:
            if item.done is not None and item in self._items:
                self._awaited[item] = now

    def abandon(self, items: Iterable[Item]) -> None:
        """Give up those that were published and are not acknowledged."""
        given_up = [item for item in items if item.done is not None and item in self._items]
        for item in given_up:
            self._remove(item)
        if self._full:
            self._look_for_room()
        self._tell_given_up(given_up)

    def told(self, item: Item, result: Sent | KafkaError) -> None:
        """Learn from the producer what became of a record."""
        if item not in self._items:
            return  # given up before
        sent = None if isinstance(result, KafkaError) else result
        if sent is None and self._again(item, result):
            asyncio.get_running_loop().call_later(BACKOFF.delay_s(item.attempts), self._enqueue, item)
            item.attempts += 1
            return
        del self._items[item]
        self._awaited.pop(item, None)
        self.waiting_bytes -= item.size
        if self._full:
            self._look_for_room()
        self._told += 1
        if self._told & _SAMPLE == 0:
            self._latency.record(self.monotonic() - item.queued_at)
        if item.done is not None:
            item.done(sent)
        if not self._items:
            self._empty.set()

    def _add(self, record: Record, done: Done | None) -> None:
        item = Item(self, record, done, self.monotonic())
        self._items[item] = None
        self._empty.clear()
        self._enqueue(item)
        self.waiting_bytes = waiting = self.waiting_bytes + item.size
        if waiting > self._most_bytes and not self._full:
            self._make_room()

    def _count(self, size: int) -> None:
        self.waiting_bytes += size
        if self._full:
            self._look_for_room()
        elif self.waiting_bytes > self._most_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Give up what goes to topics that alone are stuck, reports too; where that does not help, read no further."""
        now = self.monotonic()
        stuck = {name for name, topic in self._topics.items() if topic.is_stuck(now, self._taken_at)}
        lost = [item for item in self._items if item.record.topic in stuck or item.attempts > _TRIES_BEFORE_STUCK]
        for item in lost:
            self._remove(item)
        self._full = self.waiting_bytes > self._most_bytes
        if self._full:
            log.error("%d bytes wait for Kafka: stations are read no further", self.waiting_bytes)
            self._hold()
        if lost:
            log.error("too much waits: gave up %d records for %s", len(lost), {item.record.topic for item in lost})
            self._tell_given_up(lost)

    def _look_for_room(self) -> None:
        if self.waiting_bytes <= self._most_bytes // 2:
            self._full = False
            log.warning("half of what waited for Kafka is gone: stations are read again")
            self._release()

    def _remove(self, item: Item) -> None:
        del self._items[item]
        self._awaited.pop(item, None)
        self.waiting_bytes -= item.size

    def _tell_given_up(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.done is not None:
                item.done(None)
        if not self._items:
            self._empty.set()

    def _enqueue(self, item: Item) -> None:
        name = item.record.topic
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = TopicQueue(name, self)
            self._unserved.put_nowait(topic)
        topic.add(item)

    def _again(self, item: Item, result: Sent | KafkaError) -> bool:
        """Tell whether a record that failed is sent again: one that must arrive, unless it never can."""
        if isinstance(result, MessageSizeTooLargeError):
            log.error("a record for %s is too large for Kafka and is lost", item.record.topic)
            return False
        if item.done is None:
            log.warning("Kafka did not take a record for %s, trying again: %r", item.record.topic, result)
        return item.done is None


def _nothing() -> None:
    pass


_SAMPLE = 15  # one record in sixteen is measured: a histogram costs as much as the rest of this

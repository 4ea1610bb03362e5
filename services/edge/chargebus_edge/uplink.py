"""The way to Kafka: everything an edge publishes goes through here, and its acknowledgements come back.

Nothing waits for an acknowledgement here: a frame is handed over, the next one follows, and whoever sent it is
called when Kafka has it. Each topic is handed over on its own, in order, so that one that is missing or refused
holds up no other.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from chargebus_events.record import Record
from chargebus_runtime.producer import OutgoingRecord, Sent
from chargebus_runtime.retry import BACKOFF

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""How long a topic may not be taken before its frames are given up: the client may just be replaced by a new one."""

Done = Callable[[Sent | None], None]
"""Called once with where Kafka has the record, or with None when it was given up."""


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


class _Item:
    """A record that is not acknowledged yet; `done` is None for one that must arrive."""

    __slots__ = ("attempts", "done", "queued_at", "record", "uplink")

    def __init__(self, uplink: "Uplink", record: Record, done: Done | None, queued_at: float) -> None:
        self.uplink = uplink
        self.record = record
        self.done = done
        self.queued_at = queued_at
        self.attempts = 0

    def told(self, result: Sent | KafkaError) -> None:
        self.uplink.told(self, result)


class _Topic:
    """The records of one topic that the producer does not have yet, in order."""

    def __init__(self, name: str, uplink: "Uplink") -> None:
        self._name = name
        self._uplink = uplink
        self._queue: list[_Item] = []
        self._filled = asyncio.Event()
        self._refused_since: float | None = None

    def add(self, item: _Item) -> None:
        self._queue.append(item)
        self._filled.set()

    async def run(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self._hand_over()

    async def _hand_over(self) -> None:
        attempt = 0
        while self._queue:
            items, self._queue = self._uplink.remaining(self._queue), []  # what comes meanwhile goes next
            if not items:
                return
            asked_at = self._uplink.monotonic()
            try:
                await self._uplink.hand_over(items)
            except KafkaError as error:
                items, self._queue = [*items, *self._queue], []
                self._queue[:0] = self._keep(items, error, asked_at)
                await asyncio.sleep(BACKOFF.delay_s(attempt))
                attempt += 1
            else:
                self._note_taken()

    def _keep(self, items: Sequence[_Item], error: KafkaError, asked_at: float) -> Sequence[_Item]:
        """Return what is tried again: everything for a while, then only what must arrive."""
        if self._refused_since is None:
            self._refused_since = asked_at
            log.error("Kafka does not take records for %s: %r", self._name, error)
        if self._uplink.monotonic() - self._refused_since < PATIENCE_S:
            return items
        self._uplink.abandon(items)
        return [item for item in items if item.done is None]

    def _note_taken(self) -> None:
        if self._refused_since is not None:
            self._refused_since = None
            log.warning("Kafka takes records for %s again", self._name)


class Uplink:
    """Publishes records.

    `publish` is for what loses its meaning when Kafka is away for long (a frame: the station keeps it and sends it
    again); `post` for what must arrive in the end (a report): it is tried until Kafka has it.
    """

    def __init__(self, producer: Producing, monotonic: Callable[[], float], latency: Latency) -> None:
        self.monotonic = monotonic
        self._producer = producer
        self._latency = latency
        self._topics: dict[str, _Topic] = {}
        self._unserved: asyncio.Queue[_Topic] = asyncio.Queue()
        self._items: dict[_Item, None] = {}  # what is neither acknowledged nor given up
        self._awaited: dict[_Item, float] = {}  # what was published of them, and when Kafka was given it; oldest first
        self._told = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._items)

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

    def remaining(self, items: Iterable[_Item]) -> list[_Item]:
        """Return those that were not given up."""
        return [item for item in items if item in self._items]

    async def hand_over(self, items: Sequence[_Item]) -> None:
        """Let the producer take records.

        Raises:
            KafkaError: it took none.
        """
        await self._producer.hand_over(items)
        now = self.monotonic()
        for item in items:
            if item.done is not None and item in self._items:
                self._awaited[item] = now

    def abandon(self, items: Iterable[_Item]) -> None:
        """Give up those that were published and are not acknowledged."""
        given_up = [(item, item.done) for item in items if item.done is not None and item in self._items]
        for item, _ in given_up:
            del self._items[item]
            self._awaited.pop(item, None)
        for _, done in given_up:
            done(None)
        if not self._items:
            self._empty.set()

    def told(self, item: _Item, result: Sent | KafkaError) -> None:
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
        self._told += 1
        if self._told & _SAMPLE == 0:
            self._latency.record(self.monotonic() - item.queued_at)
        if item.done is not None:
            item.done(sent)
        if not self._items:
            self._empty.set()

    def _add(self, record: Record, done: Done | None) -> None:
        item = _Item(self, record, done, self.monotonic())
        self._items[item] = None
        self._empty.clear()
        self._enqueue(item)

    def _enqueue(self, item: _Item) -> None:
        name = item.record.topic
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(name, self)
            self._unserved.put_nowait(topic)
        topic.add(item)

    def _again(self, item: _Item, result: Sent | KafkaError) -> bool:
        """Tell whether a record that failed is sent again: one that must arrive, unless it never can."""
        if isinstance(result, MessageSizeTooLargeError):
            log.error("a record for %s is too large for Kafka and is lost", item.record.topic)
            return False
        if item.done is None:
            log.warning("Kafka did not take a record for %s, trying again: %r", item.record.topic, result)
        return item.done is None


_SAMPLE = 15  # one record in sixteen is measured: a histogram costs as much as the rest of this

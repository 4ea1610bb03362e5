"""The way to Kafka: everything an edge publishes goes through here, in order, and its acknowledgements come back.

Nothing waits for an acknowledgement here: a frame is handed over, the next one follows, and whoever sent it is
called when Kafka has it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from chargebus_events.record import Record
from chargebus_runtime.producer import Parcel, Sent
from chargebus_runtime.retry import BACKOFF

log = logging.getLogger(__name__)

Done = Callable[[Sent | None], None]
"""Called once with where Kafka has the record, or with None when it was given up."""


class Producing(Protocol):
    """What an uplink needs of the process's producer."""

    async def hand_over(self, parcels: Sequence[Parcel]) -> None:
        """Take records to send; each parcel is told once what became of its record."""
        ...


class Latency(Protocol):
    """Takes measured durations."""

    def record(self, amount: float) -> None:
        """Take one, in seconds."""


class _Item:
    """A record that is not acknowledged yet; `done` is None for one that must arrive."""

    __slots__ = ("done", "queued_at", "record", "uplink")

    def __init__(self, uplink: "Uplink", record: Record, done: Done | None, queued_at: float) -> None:
        self.uplink = uplink
        self.record = record
        self.done = done
        self.queued_at = queued_at

    def told(self, result: Sent | KafkaError) -> None:
        self.uplink.told(self, result)


class Uplink:
    """Publishes records.

    `publish` is for what loses its meaning when Kafka is away for long (a frame: the station keeps it and sends it
    again); `post` for what must arrive in the end (a report): it is tried until Kafka has it.
    """

    def __init__(self, producer: Producing, monotonic: Callable[[], float], latency: Latency) -> None:
        self._producer = producer
        self._monotonic = monotonic
        self._latency = latency
        self._queue: deque[_Item] = deque()
        self._items: dict[_Item, None] = {}  # what is not acknowledged, oldest first
        self._told = 0
        self._waiting: asyncio.Future[None] | None = None  # what `run` waits for while nothing is queued
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

    def oldest_at(self) -> float | None:
        """Return since when the oldest unacknowledged record waits, or None."""
        oldest = next(iter(self._items), None)
        return None if oldest is None else oldest.queued_at

    def give_up(self) -> None:
        """Give up all that was published and is not acknowledged; what was posted stays."""
        given_up = [(item, item.done) for item in self._items if item.done is not None]
        for item, _ in given_up:
            del self._items[item]
        for _, done in given_up:
            done(None)
        if not self._items:
            self._empty.set()

    def renew(self) -> None:
        """Count the waiting of what is still there from now on: Kafka was away, and is back."""
        now = self._monotonic()
        for item in self._items:
            item.queued_at = now

    async def settled(self) -> None:
        """Wait until everything is acknowledged or given up."""
        await self._empty.wait()

    async def run(self) -> None:
        """Hand over what is queued, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._hand_over()
            self._waiting = loop.create_future()
            await self._waiting

    def told(self, item: _Item, result: Sent | KafkaError) -> None:
        """Learn from the producer what became of a record."""
        if item not in self._items:
            return  # given up before
        sent = None if isinstance(result, KafkaError) else result
        if sent is None and self._again(item, result):
            asyncio.get_running_loop().call_later(BACKOFF.delay_s(0), self._enqueue, item)
            return
        del self._items[item]
        self._told += 1
        if self._told & _SAMPLE == 0:
            self._latency.record(self._monotonic() - item.queued_at)
        if item.done is not None:
            item.done(sent)
        if not self._items:
            self._empty.set()

    def _add(self, record: Record, done: Done | None) -> None:
        item = _Item(self, record, done, self._monotonic())
        self._items[item] = None
        self._empty.clear()
        self._enqueue(item)

    def _enqueue(self, item: _Item) -> None:
        self._queue.append(item)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _hand_over(self) -> None:
        attempt = 0
        while self._queue:
            items = list(self._queue)
            try:
                await self._producer.hand_over([item for item in items if item in self._items])
            except KafkaError as error:
                if attempt == 0:
                    log.warning("Kafka does not take records: %r", error)
                await asyncio.sleep(BACKOFF.delay_s(attempt))
                attempt += 1
            else:
                for _ in items:  # those that came meanwhile stay
                    self._queue.popleft()

    def _again(self, item: _Item, result: Sent | KafkaError) -> bool:
        """Tell whether a record that failed is sent again: one that must arrive, unless it never can."""
        if isinstance(result, MessageSizeTooLargeError):
            log.error("a record for %s is too large for Kafka and is lost", item.record.topic)
            return False
        if item.done is None:
            log.warning("Kafka did not take a record for %s, trying again: %r", item.record.topic, result)
        return item.done is None


_SAMPLE = 15  # one record in sixteen is measured: a histogram costs as much as the rest of this

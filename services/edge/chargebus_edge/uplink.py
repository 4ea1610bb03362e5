"""The way to Kafka: everything an edge publishes goes through here, in order, and its acknowledgements come back.

Nothing waits for an acknowledgement here: a frame is handed over, the next one follows, and whoever sent it is
called when Kafka has it.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from chargebus_events.record import Record
from chargebus_runtime.producer import Sent
from chargebus_runtime.retry import BACKOFF

log = logging.getLogger(__name__)

Done = Callable[[Sent | None], None]
"""Called once with where Kafka has the record, or with None when it was given up."""


class Producing(Protocol):
    """What an uplink needs of the process's producer."""

    async def enqueue(self, record: Record) -> "asyncio.Future[Sent]":
        """Hand over a record; the future is its acknowledgement."""
        ...


class Latency(Protocol):
    """Takes measured durations."""

    def record(self, amount: float) -> None:
        """Take one, in seconds."""


class _Item:
    __slots__ = ("done", "queued_at", "record")

    def __init__(self, record: Record, queued_at: float, done: Done | None) -> None:
        self.record = record
        self.queued_at = queued_at
        self.done = done


class Uplink:
    """Publishes records.

    `publish` is for what loses its meaning when Kafka is away for long (a frame: the station keeps it and sends it
    again); `post` for what must arrive in the end (a report): it is tried until Kafka has it.
    """

    def __init__(self, producer: Producing, monotonic: Callable[[], float], latency: Latency) -> None:
        self._producer = producer
        self._monotonic = monotonic
        self._latency = latency
        self._queue: deque[int] = deque()
        self._items: dict[int, _Item] = {}  # what is not acknowledged, oldest first
        self._numbers = itertools.count(1)
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
        oldest = next(iter(self._items.values()), None)
        return None if oldest is None else oldest.queued_at

    def give_up(self) -> None:
        """Give up all that was published and is not acknowledged; what was posted stays."""
        given_up = [(number, item.done) for number, item in self._items.items() if item.done is not None]
        for number, _ in given_up:
            del self._items[number]
        for _, done in given_up:
            done(None)
        self._settle()

    def renew(self) -> None:
        """Count the waiting of what is still there from now on: Kafka was away, and is back."""
        now = self._monotonic()
        for item in self._items.values():
            item.queued_at = now

    async def settled(self) -> None:
        """Wait until everything is acknowledged or given up."""
        await self._empty.wait()

    async def run(self) -> None:
        """Hand over what is queued, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            while self._queue:
                await self._hand_over(self._queue[0])
                self._queue.popleft()
            self._waiting = loop.create_future()
            await self._waiting

    def _add(self, record: Record, done: Done | None) -> None:
        number = next(self._numbers)
        self._items[number] = _Item(record, self._monotonic(), done)
        self._empty.clear()
        self._enqueue(number)

    def _enqueue(self, number: int) -> None:
        self._queue.append(number)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _hand_over(self, number: int) -> None:
        attempt = 0
        while (item := self._items.get(number)) is not None:
            try:
                future = await self._producer.enqueue(item.record)
            except MessageSizeTooLargeError:
                self._drop(number, item)
            except KafkaError as error:
                if attempt == 0:
                    log.warning("Kafka does not take records: %r", error)
                await asyncio.sleep(BACKOFF.delay_s(attempt))
                attempt += 1
            else:
                future.add_done_callback(partial(self._acknowledged, number))
                return

    def _acknowledged(self, number: int, future: "asyncio.Future[Sent]") -> None:
        failure = _failure(future)
        item = self._items.get(number)
        if item is None:
            return  # given up before
        if failure is not None and item.done is None:
            log.warning("Kafka did not take a record for %s, trying again: %r", item.record.topic, failure)
            self._enqueue(number)
            return
        del self._items[number]
        if number & _SAMPLE == 0:
            self._latency.record(self._monotonic() - item.queued_at)
        if item.done is not None:
            item.done(None if failure is not None else _sent(future))
        self._settle()

    def _drop(self, number: int, item: _Item) -> None:
        log.error("a record for %s is too large for Kafka and is lost", item.record.topic)
        del self._items[number]
        if item.done is not None:
            item.done(None)
        self._settle()

    def _settle(self) -> None:
        if not self._items:
            self._empty.set()


_SAMPLE = 15  # one record in sixteen is measured: a histogram costs as much as the rest of this


def _failure(future: "asyncio.Future[Sent]") -> BaseException | None:
    return asyncio.CancelledError() if future.cancelled() else future.exception()


def _sent(future: "asyncio.Future[Sent]") -> Sent:
    metadata = future.result()  # aiokafka's own, with more than these
    return Sent(metadata.partition, metadata.offset)

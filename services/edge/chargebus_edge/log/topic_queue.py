"""The records of one topic that Kafka's client does not have yet, in order: other topics do not wait for them."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from aiokafka.errors import KafkaError
from chargebus_events.record import Record
from chargebus_runtime.producer import Sent
from chargebus_runtime.retry import BACKOFF

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""How long a topic may not be taken before its frames are given up: the client may just be replaced by a new one."""

RECORD_BYTES: Final = 2048
"""What a record costs in memory beside its value: its headers, who waits for it, and its copy in the client."""

_STUCK_AFTER_S: Final = 1.0

Done = Callable[[Sent | None], None]
"""Called once with where Kafka has the record, or with None when it was given up."""


class Owner(Protocol):
    """The uplink, as its topics need it."""

    monotonic: Callable[[], float]

    def remaining(self, items: Iterable["Item"]) -> list["Item"]:
        """Return those that were not given up."""
        ...

    async def hand_over(self, items: Sequence["Item"]) -> None:
        """Let the producer take records."""

    def abandon(self, items: Iterable["Item"]) -> None:
        """Give up those that were published and are not acknowledged."""

    def told(self, item: "Item", result: Sent | KafkaError) -> None:
        """Learn from the producer what became of a record."""


class Item:
    """A record that is not acknowledged yet; `done` is None for one that must arrive."""

    __slots__ = ("attempts", "done", "queued_at", "record", "size", "uplink")

    def __init__(self, uplink: Owner, record: Record, done: Done | None, queued_at: float) -> None:
        self.uplink = uplink
        self.record = record
        self.done = done
        self.queued_at = queued_at
        self.attempts = 0
        self.size = RECORD_BYTES if record.value is None else len(record.value) + RECORD_BYTES

    def told(self, result: Sent | KafkaError) -> None:
        """Learn what became of the record."""
        self.uplink.told(self, result)


class TopicQueue:
    """Hands over the records of one topic."""

    def __init__(self, name: str, uplink: Owner) -> None:
        self._name = name
        self._uplink = uplink
        self._queue: list[Item] = []
        self._filled = asyncio.Event()
        self._refused_since: float | None = None
        self._asked_at: float | None = None  # when the producer was asked to take what it has not taken yet

    def add(self, item: Item) -> None:
        """Take a record."""
        self._queue.append(item)
        self._filled.set()

    def is_stuck(self, now: float, taken_at: float) -> bool:
        """Tell whether this topic alone does not take records: another one did, at `taken_at`."""
        since = self._asked_at if self._refused_since is None else self._refused_since
        return since is not None and since + _STUCK_AFTER_S < min(now, taken_at)

    async def run(self) -> None:
        """Hand over until cancelled."""
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
            asked_at = self._asked_at = self._uplink.monotonic()
            try:
                await self._uplink.hand_over(items)
            except KafkaError as error:
                items, self._queue = [*items, *self._queue], []
                self._queue[:0] = self._keep(items, error, asked_at)
                await asyncio.sleep(BACKOFF.delay_s(attempt))
                attempt += 1
            else:
                self._asked_at = None
                self._note_taken()

    def _keep(self, items: Sequence[Item], error: KafkaError, asked_at: float) -> Sequence[Item]:
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

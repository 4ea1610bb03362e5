"""Topics read without a group: a whole compacted topic kept in memory, and the end of one partition."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from math import inf
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from chargebus_events.record import Received

from chargebus_runtime.kafka import check_alive, received
from chargebus_runtime.retry import until_done
from chargebus_runtime.telemetry import metrics

log = logging.getLogger(__name__)

_POLL_MS = 1000
_RECORDS_AT_ONCE = 2000

_UNREAD_KEYS = 1000

ASK_EVERY_S: Final = 0.1
_LOOK_EVERY_S: Final = 0.01
_CATCH_UP_WITHIN_S: Final = 3.0
_MOST_WAITING: Final = 2000

Apply = Callable[[Received], None]


def pass_over(_record: Received) -> None:
    """Do nothing about a record that cannot be read: what its key said before still holds."""


@dataclass
class View:
    """A compacted topic, applied record by record in log order, tombstones too (their value is None).

    A record that `apply` fails at (of a later version, or broken) is reported and given to `unreadable`, which closes
    whatever the record may have wanted closed; the next one goes on.

    `ready` is set once everything is applied that stood in the topic when reading began. From then on it may lag by
    `pace_s`: each fetch has its price, whatever it brings, so a topic with much traffic is read in larger pieces.
    """

    topic: str
    apply: Apply
    pace_s: float = 0.0
    unreadable: Apply = pass_over
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _unread: dict[str, str] = field(default_factory=dict)
    _client: AIOKafkaConsumer | None = None
    _next_question: "asyncio.Task[bool] | None" = None
    _asked_at: float = -inf
    _waiting: int = 0

    async def catch_up(self) -> bool:
        """Wait until all that stands in the topic now is applied; return whether it is known to be.

        To be asked where something is about to be denied: what a caller was told elsewhere may rely on it. Kafka is
        asked at most every `ASK_EVERY_S`, for all who came before that; too many at once learn nothing. A view that
        nobody reads has nothing to catch up with.
        """
        if self._client is None:
            return True
        if self._waiting >= _MOST_WAITING:
            return False
        question = self._next_question
        if question is None:
            question = self._next_question = asyncio.create_task(self._ask(self._client), name=f"end of {self.topic}")
        self._waiting += 1
        try:
            return await asyncio.shield(question)
        finally:
            self._waiting -= 1

    def take(self, record: Received) -> None:
        """Apply a record, whatever it is."""
        try:
            self.apply(record)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is told
            self._report(record, error)
            self.unreadable(record)
        else:
            if self._unread:
                self._unread.pop(record.key, None)

    def trouble(self) -> str | None:
        """Say which keys' newest records cannot be read, or None; of what they hold only the log tells."""
        if not self._unread:
            return None
        key, what = next(iter(self._unread.items()))
        return f"{self.topic}: {len(self._unread)} keys have a record that cannot be read, such as {key!r} ({what})"

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Read until cancelled."""
        self._client = client
        goal = await _ends(client, client.assignment())
        while not self.ready.is_set():
            if await _reached(client, goal):
                self.ready.set()
            else:
                await self._take(client)
        while True:
            await self._take(client)
            await asyncio.sleep(self.pace_s)

    async def _take(self, client: AIOKafkaConsumer) -> None:
        for records in (await _poll(client)).values():
            for record in records:
                self.take(received(record))

    async def _ask(self, client: AIOKafkaConsumer) -> bool:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._asked_at + ASK_EVERY_S - now())
        self._asked_at, self._next_question = now(), None  # who comes from now on asks again
        try:
            async with asyncio.timeout(_CATCH_UP_WITHIN_S):
                goal = await client.end_offsets(client.assignment())
                while not await _reached(client, goal):  # noqa: ASYNC110 - another task reads, and may rest in between
                    await asyncio.sleep(_LOOK_EVERY_S)
        except (KafkaError, ConsumerStoppedError, TimeoutError) as error:
            log.warning("%s: whether all of it was read is not known: %r", self.topic, error)
            return False
        return True

    def _report(self, record: Received, error: Exception) -> None:
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        log.error("the record for %r at %s cannot be read: %r", record.key, where, error)
        metrics().unreadable.add(1, {"topic": self.topic})
        if len(self._unread) < _UNREAD_KEYS:
            self._unread[record.key] = f"{type(error).__name__} at [{record.partition}]@{record.offset}"


@dataclass
class Tail:
    """One partition from its end on; `apply` gets the records that arrived together, and is to take each by itself.

    If it fails all the same, that is reported, and the rest of these records is lost: a process that ended would lose
    them too, and everything else with them.

    `ready` is set once the position is taken: whatever is produced from then on is seen.
    """

    topic: str
    partition: int
    apply: Callable[[list[Received]], None]
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Read until cancelled."""
        tp = TopicPartition(self.topic, self.partition)
        client.seek(tp, (await _ends(client, [tp]))[tp])
        self.ready.set()
        while True:
            for records in (await _poll(client)).values():
                self._take([received(record) for record in records])

    def _take(self, records: list[Received]) -> None:
        try:
            self.apply(records)
        except Exception:
            first = records[0]
            log.exception("%s[%d]: %d records from %d failed", self.topic, self.partition, len(records), first.offset)
            metrics().unreadable.add(1, {"topic": self.topic})


async def _poll(client: AIOKafkaConsumer) -> dict[TopicPartition, list[ConsumerRecord]]:
    async def take() -> dict[TopicPartition, list[ConsumerRecord]]:
        check_alive(client)
        taken: dict[TopicPartition, list[ConsumerRecord]] = await client.getmany(
            timeout_ms=_POLL_MS, max_records=_RECORDS_AT_ONCE
        )
        return taken

    return await until_done("reading from Kafka", take, KafkaError)


async def _ends(client: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await until_done(
        "finding the end of a topic", lambda: client.end_offsets(partitions), KafkaError
    )
    return ends


async def _reached(client: AIOKafkaConsumer, goal: dict[TopicPartition, int]) -> bool:
    for tp, end in goal.items():
        if end > 0 and await client.position(tp) < end:
            return False
    return True

"""Topics read without a group: a whole compacted topic kept in memory, and the end of one partition."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from chargebus_events.record import Received

from chargebus_runtime.kafka import check_alive, received
from chargebus_runtime.retry import until_done
from chargebus_runtime.telemetry import metrics

log = logging.getLogger(__name__)

_POLL_MS = 1000
_RECORDS_AT_ONCE = 2000

_UNREAD_KEYS = 1000

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
        """Say which keys' newest records cannot be read, or None."""
        if not self._unread:
            return None
        key, reason = next(iter(self._unread.items()))
        return f"{self.topic}: {len(self._unread)} keys have a record that cannot be read, such as {key!r}: {reason}"

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Read until cancelled."""
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

    def _report(self, record: Received, error: Exception) -> None:
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        log.error("the record for %r at %s cannot be read: %r", record.key, where, error)
        metrics().unreadable.add(1, {"topic": self.topic})
        if len(self._unread) < _UNREAD_KEYS:
            self._unread[record.key] = f"{type(error).__name__}: {error}"


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

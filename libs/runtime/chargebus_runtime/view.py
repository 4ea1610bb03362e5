"""Topics read without a group: a whole compacted topic kept in memory, and the end of one partition."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from chargebus_events.record import Received

from chargebus_runtime.kafka import check_alive, received
from chargebus_runtime.retry import until_done

_POLL_MS = 1000
_RECORDS_AT_ONCE = 2000

Apply = Callable[[Received], None]


@dataclass
class View:
    """A compacted topic, applied record by record in log order, tombstones too (their value is None).

    `ready` is set once everything is applied that stood in the topic when reading began. From then on it may lag by
    `pace_s`: each fetch has its price, whatever it brings, so a topic with much traffic is read in larger pieces.
    """

    topic: str
    apply: Apply
    pace_s: float = 0.0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

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
                self.apply(received(record))


@dataclass
class Tail:
    """One partition from its end on; `apply` gets the records that arrived together.

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
                self.apply([received(record) for record in records])


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

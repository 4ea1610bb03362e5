"""The log of a system's Kafka: what stands in a topic, where its partitions end, and records produced once more."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from chargebus_events.record import Received
from chargebus_events.topics import Topic
from chargebus_runtime.kafka import KafkaConnection, received

from chargebus_testkit.partitions import SYSTEM_TOPICS

_POLL_MS = 500
_FETCH_MS = 20  # a fetch under way holds up the next one, of what is read next

EVERYTHING: Final[Mapping[TopicPartition, int]] = {}
"""Since when a log is read that is read from its beginning."""


class Log:
    """Reads and writes topics without a group, beside the services; enter it to connect.

    Args:
        connection: to the Kafka.
        topics: as they were created there.
    """

    def __init__(self, connection: KafkaConnection, topics: Mapping[str, Topic] = SYSTEM_TOPICS) -> None:
        self._topics = topics
        self._options = connection.client_options()
        self._client = AIOKafkaConsumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=_FETCH_MS
        )

    async def ends(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        """Return the offset after the last record of each partition."""
        ends: Mapping[TopicPartition, int] = await self._client.end_offsets(self._partitions(topics))
        return ends

    async def read(self, *topics: str, since: Mapping[TopicPartition, int] = EVERYTHING) -> Sequence[Received]:
        """Return what stands in topics now, each partition in its order: all, or what came `since` ends told before."""
        client, partitions = self._client, self._partitions(topics)
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        begins = {tp: max(begins[tp], since.get(tp, 0)) for tp in partitions}
        left = {tp for tp in partitions if begins[tp] < ends[tp]}
        for tp in left:
            client.seek(tp, begins[tp])
        client.resume(*left)
        found: list[Received] = []
        while left:
            for tp, records in (await client.getmany(*left, timeout_ms=_POLL_MS)).items():
                found += [received(record) for record in records if record.offset < ends[tp]]
            done = {tp for tp in left if await client.position(tp) >= ends[tp]}
            client.pause(*done)
            left -= done
        return found

    async def produce(self, records: Sequence[Received]) -> None:
        """Put records into the partitions that they came from once more, each partition in the order given."""
        async with AIOKafkaProducer(**self._options, acks="all") as producer:
            sending = []
            for record in records:
                headers = list(record.headers.items())
                sending.append(
                    await producer.send(
                        record.topic, record.value, record.key.encode(), partition=record.partition, headers=headers
                    )
                )
            await asyncio.gather(*sending)

    async def __aenter__(self) -> Self:
        """Connect; all partitions are known from the start, and none is fetched before it is read."""
        await self._client.start()
        partitions = self._partitions(self._topics)
        self._client.assign(partitions)
        self._client.pause(*partitions)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        with suppress(asyncio.CancelledError):  # aiokafka, of its own task, when stopped soon after it was started
            await self._client.stop()

    def _partitions(self, topics: Collection[str]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._topics[topic].partitions)]

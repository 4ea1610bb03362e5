"""The log of a system's Kafka: what stands in a topic, where its partitions end, and records produced once more."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from chargebus_events.record import Received
from chargebus_events.topics import Topic
from chargebus_runtime.kafka import KafkaConnection, received

from chargebus_testkit.partitions import SYSTEM_TOPICS

_POLL_MS = 500


class Log:
    """Reads and writes topics without a group, beside the services; enter it to connect.

    Args:
        connection: to the Kafka.
        topics: as they were created there.
    """

    def __init__(self, connection: KafkaConnection, topics: Mapping[str, Topic] = SYSTEM_TOPICS) -> None:
        self._topics = topics
        self._options = connection.client_options()
        self._client = AIOKafkaConsumer(**self._options, enable_auto_commit=False)

    async def ends(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        """Return the offset after the last record of each partition."""
        ends: Mapping[TopicPartition, int] = await self._client.end_offsets(self._partitions(topics))
        return ends

    async def read(self, *topics: str) -> Sequence[Received]:
        """Return everything that stands in topics now, each partition in its order."""
        client, partitions = self._client, self._partitions(topics)
        client.assign(partitions)
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        for tp in partitions:
            client.seek(tp, begins[tp])
        left = {tp for tp in partitions if begins[tp] < ends[tp]}
        found: list[Received] = []
        while left:
            for tp, records in (await client.getmany(*left, timeout_ms=_POLL_MS)).items():
                found += [received(record) for record in records if record.offset < ends[tp]]
            left = {tp for tp in left if await client.position(tp) < ends[tp]}
        return found

    async def produce(self, records: Sequence[Received]) -> None:
        """Put records into the partitions that they came from once more, one after the other."""
        async with AIOKafkaProducer(**self._options, acks="all") as producer:
            for record in records:
                headers = list(record.headers.items())
                await producer.send_and_wait(
                    record.topic, record.value, record.key.encode(), partition=record.partition, headers=headers
                )

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._client.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        with suppress(asyncio.CancelledError):  # aiokafka, of its own task, when stopped soon after it was started
            await self._client.stop()

    def _partitions(self, topics: Collection[str]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._topics[topic].partitions)]

"""The log of a system's Kafka: what stands in a topic, where its partitions end, and records produced once more."""

from collections.abc import Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from chargebus_events.record import Received
from chargebus_events.topics import TOPICS
from chargebus_runtime.kafka import KafkaConnection, received

_POLL_MS = 500


class Log:
    """Reads and writes topics without a group, beside the services."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._options = connection.client_options()

    async def ends(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        """Return the offset after the last record of each partition."""
        async with self._reader() as client:
            ends: Mapping[TopicPartition, int] = await client.end_offsets(_partitions(topics))
            return ends

    async def read(self, *topics: str) -> Sequence[Received]:
        """Return everything that stands in topics now, each partition in its order."""
        partitions = _partitions(topics)
        async with self._reader() as client:
            client.assign(partitions)
            begins = await client.beginning_offsets(partitions)
            ends = await client.end_offsets(partitions)
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
        producer = AIOKafkaProducer(**self._options, acks="all")
        await producer.start()
        try:
            for record in records:
                headers = list(record.headers.items())
                await producer.send_and_wait(
                    record.topic, record.value, record.key.encode(), partition=record.partition, headers=headers
                )
        finally:
            await producer.stop()

    def _reader(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(**self._options, enable_auto_commit=False)


def _partitions(topics: Collection[str]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics for number in range(TOPICS[topic].partitions)]

"""The process's Kafka subscribers: FastStream makes and owns them, views, tails and consumers read them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, TopicPartition

from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.retry import until_done
from chargebus_runtime.view import Tail, View

_BEATS_A_SESSION = 3
_MAX_POLL_INTERVAL_MS = 15 * 60 * 1000  # a batch that waits for a database that is away keeps its partitions
_GATHER_BYTES = 1024 * 1024
# By ranges a member has the same numbers of all topics that have as many partitions: what a station says on two topics
# meets in one batch. The other one is for members of before, while they are replaced: a group goes by what all know.
_ASSIGNORS = (RangePartitionAssignor, RoundRobinPartitionAssignor)

Run = Callable[[AIOKafkaConsumer], Awaitable[None]]


class Readers:
    """Subscribes, and runs each reader on its own consumer until `stop`."""

    def __init__(self, connection: KafkaConnection, client_id: str) -> None:
        self._session_timeout_ms = int(1000 * connection.settings.kafka_session_timeout_s)
        self._broker = KafkaBroker(
            connection.settings.kafka_bootstrap_servers.split(","),
            security=connection.security(),
            client_id=client_id,
            consumer_only=True,
            logger=None,
        )

    async def start(self) -> None:
        """Connect; subscribers are started one by one as they are added."""
        await until_done("connecting to Kafka", self._broker.connect, KafkaError, OSError)

    async def stop(self) -> None:
        """Close every consumer; groups are left at once, not by a timeout."""
        await self._broker.stop()

    async def view(self, view: View) -> "asyncio.Task[None]":
        """Read a whole compacted topic into `view`."""
        return await self._run(view.run, f"view of {view.topic}", (view.topic,), auto_offset_reset="earliest")

    async def tail(self, tail: Tail) -> "asyncio.Task[None]":
        """Read one partition from its end into `tail`."""
        partitions = [TopicPartition(tail.topic, tail.partition)]
        return await self._run(tail.run, f"tail of {tail.topic}", (), partitions=partitions, auto_offset_reset="latest")

    async def group(
        self, run: Run, group: str, spec: ConsumerSpec, listener: ConsumerRebalanceListener
    ) -> "asyncio.Task[None]":
        """Read the topics of `spec` as a member of a consumer group."""
        gather = {"fetch_min_bytes": _GATHER_BYTES, "fetch_max_wait_ms": int(1000 * spec.gather_s)}
        return await self._run(
            run,
            f"consumer of {group}",
            spec.topics,
            group_id=group,
            listener=listener,
            auto_offset_reset="none",  # where the log does not go on, the consumer decides, and says so
            ack_policy=AckPolicy.MANUAL,
            partition_assignment_strategy=_ASSIGNORS,
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=self._session_timeout_ms // _BEATS_A_SESSION,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
            **(gather if spec.gather_s else {}),
        )

    async def _run(self, run: Run, name: str, topics: Sequence[str], **options: Any) -> "asyncio.Task[None]":  # noqa: ANN401
        subscriber = self._broker.subscriber(*topics, batch=True, **options)
        await until_done(f"starting the {name}", subscriber.start, KafkaError, OSError)
        if subscriber.consumer is None:
            raise RuntimeError(f"the {name} has no Kafka consumer")
        return asyncio.create_task(_awaitable(run(subscriber.consumer)), name=name)


async def _awaitable(running: Awaitable[None]) -> None:
    await running

"""Up to when a service has read its topics: who judges what is absent must know that it is not only unread."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chargebus_runtime import offsets
from chargebus_runtime.away import CONFLICT, MAYBE_AWAY
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.retry import until_done

_ASK_EVERY_S: Final = 0.5
_LOOK_EVERY_S: Final = 0.2
_REACH_WITHIN_S: Final = 30.0  # then it is asked anew where the topics end: they may be those of another cluster
_PASSING: Final = (KafkaError, TimeoutError, *MAYBE_AWAY, *CONFLICT)


class ReadUpTo:
    """Follows up to when the service, in whichever copies, has applied all that stood in topics; `run` is a task.

    `at` stands still while records wait, or Kafka is away; it is None until all was read once.
    """

    def __init__(
        self, topics: Sequence[str], database: Database, kafka: KafkaConnection, producer: Producer, clock: Clock
    ) -> None:
        self._topics = topics
        self._database = database
        self._kafka = kafka
        self._producer = producer
        self._clock = clock
        self.at: datetime | None = None

    async def run(self) -> None:
        """Follow until cancelled."""
        client = AIOKafkaConsumer(**self._kafka.client_options())
        try:
            await until_done("connecting to Kafka", client.start, KafkaError, OSError)
            while True:
                await until_done("reading up to the ends of topics", partial(self._follow, client), *_PASSING)
                await asyncio.sleep(_ASK_EVERY_S)
        finally:
            await client.stop()

    async def _follow(self, client: AIOKafkaConsumer) -> None:
        asked_at = self._clock()
        places = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in range(await self._producer.partitions_of(topic))
        ]
        goal: dict[TopicPartition, int] = await client.end_offsets(places)
        async with asyncio.timeout(_REACH_WITHIN_S):
            while not await offsets.reached(self._database.pool, goal):  # noqa: ASYNC110 - another copy may do it
                await asyncio.sleep(_LOOK_EVERY_S)
        self.at = asked_at

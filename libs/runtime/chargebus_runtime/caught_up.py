"""Whether a service has read what stood in its topics at a moment: what a caller was told elsewhere may rely on."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chargebus_runtime import offsets
from chargebus_runtime.database import Database
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.retry import until_done

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.02


class CaughtUp:
    """Waits until the service, in whichever copy, has applied all that stands in topics about a key; `run` is a task.

    To be asked only where something is about to be denied: each time costs a question to Kafka.
    """

    def __init__(self, topics: Sequence[str], database: Database, kafka: KafkaConnection, producer: Producer) -> None:
        self._topics = topics
        self._database = database
        self._kafka = kafka
        self._producer = producer
        self._client: AIOKafkaConsumer | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Keep a client until cancelled."""
        client = AIOKafkaConsumer(**self._kafka.client_options())
        try:
            await until_done("connecting to Kafka", client.start, KafkaError, OSError)
            self._client = client
            self._connected.set()
            await asyncio.Event().wait()
        finally:
            await client.stop()

    async def with_all_of(self, key: str, within_s: float) -> bool:
        """Wait until what stands there of a key now is applied; return whether it is, within so many seconds."""
        try:
            async with asyncio.timeout(within_s):
                goal = await self._ends(key)
                while not await offsets.reached(self._database.pool, goal):  # noqa: ASYNC110 - another copy may do it
                    await asyncio.sleep(_LOOK_EVERY_S)
        except (KafkaError, TimeoutError) as error:
            log.warning("%s: whether all news of %s were read is not known: %r", self._database.name, key, error)
            return False
        return True

    async def _ends(self, key: str) -> dict[TopicPartition, int]:
        await self._connected.wait()
        if self._client is None:
            raise RuntimeError("the client is gone")
        places = [TopicPartition(topic, await self._producer.partition_of(topic, key)) for topic in self._topics]
        ends: dict[TopicPartition, int] = await self._client.end_offsets(places)
        return ends

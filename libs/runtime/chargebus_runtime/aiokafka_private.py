"""All that we take from inside aiokafka: what its public API lacks, in one place.

What stands here may change with any of its releases. So `pyproject.toml` declares the releases that it was tried
with, and `test_runtime_aiokafka_private.py` fails on any other, and where one of the names is gone.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import BatchBuilder

__all__ = ["SelfClosingBatchBuilder", "ended_task", "mend_torn_connections", "partition_count", "refresh"]

_UNCOMPRESSED: Final = 0
_SENDS: Final = ("send", "_send_sasl_token")


class SelfClosingBatchBuilder(BatchBuilder):  # type: ignore[misc]
    """A batch that takes records until the client sends it.

    The client gives a batch its sequence numbers, as many as it has records, when it takes it from its queue, and
    closes it only later: a record that came in between would have a number that the next batch has too.
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes, _UNCOMPRESSED, is_transactional=False)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        super()._set_producer_state(producer_id, producer_epoch, base_sequence)
        self.close()


def ended_task(client: AIOKafkaConsumer) -> "asyncio.Task[None] | None":
    """Return a background task of a consumer that has ended: it finds nothing from then on, and never says so."""
    tasks = (client._fetcher._fetch_task, client._client._sync_task, _coordination(client))
    return next((task for task in tasks if task is not None and task.done()), None)


def _coordination(client: AIOKafkaConsumer) -> "asyncio.Task[None] | None":
    task: asyncio.Task[None] | None = getattr(client._coordinator, "_coordination_task", None)  # a group's only
    return task


def mend_torn_connections() -> None:
    """Let the connections of all of this process's Kafka clients report a closed transport as a broken connection.

    Where a transport is closed already, uvloop answers a write with RuntimeError. aiokafka expects OSError there; any
    other error ends a task of its client that nothing starts again, and the client then waits for news of the cluster
    for ever. A broker that comes back makes this happen once in a few times.

    Source: https://github.com/aio-libs/aiokafka/issues/1038
    """
    for name in _SENDS:
        setattr(AIOKafkaConnection, name, _broken_if_closed(getattr(AIOKafkaConnection, name)))


def _broken_if_closed(send: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(send)
    def checked(connection: AIOKafkaConnection, *arguments: object, **options: object) -> object:
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error

    return checked


def partition_count(producer: AIOKafkaProducer, topic: str) -> int:
    """Return how many partitions a topic has, 0 where the client does not know it (yet, or any more)."""
    return len(producer.client.cluster.partitions_for_topic(topic) or ())


async def refresh(producer: AIOKafkaProducer, topic: str) -> None:
    """Ask Kafka once for the partitions of a topic; the client's own way asks ten times a second for half a minute.

    Raises:
        TopicAuthorizationFailedError: we may not see it.
    """
    client = producer.client
    client.add_topic(topic)
    await client.force_metadata_update()
    if topic in client.cluster.unauthorized_topics:
        raise TopicAuthorizationFailedError(topic)

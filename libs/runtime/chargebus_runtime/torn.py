"""A torn connection to Kafka becomes the error that aiokafka is prepared for.

Where a transport is closed already, uvloop answers a write with RuntimeError. aiokafka expects OSError there; any other
error ends a task of its client that nothing starts again, and the client then waits for news of the cluster for ever.
A broker that comes back makes this happen once in a few times.

Source: https://github.com/aio-libs/aiokafka/issues/1038
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

Send = Callable[..., Any]


def mend() -> None:
    """Let the connections of all of this process's Kafka clients report a closed transport as a broken connection."""
    for name in ("send", "_send_sasl_token"):
        setattr(AIOKafkaConnection, name, _broken_if_closed(getattr(AIOKafkaConnection, name)))


def _broken_if_closed(send: Send) -> Send:
    @wraps(send)
    def checked(connection: AIOKafkaConnection, *arguments: object, **options: object) -> object:
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error

    return checked

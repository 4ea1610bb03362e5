"""What the processes of the spine agree on: topics, headers, how to send, and the word that one is ready."""

import sys

from aiokafka import AIOKafkaProducer
from chargebus_testkit.partitions import PARTITIONS as AS_MANY

TO_SESSION = "spine.session"
TO_NOBODY = "spine.other"  # frames that the edge answers by itself, once they are safe
DOWN = "spine.down"

PARTITIONS = {TO_SESSION: AS_MANY, TO_NOBODY: AS_MANY, DOWN: 1}

MESSAGE_ID = "id"
ACTION = "action"
TIME = "time"

READY = "the spine's process is ready"

_BATCH_BYTES = 1 << 18  # more than is ever under way: whoever finds a batch full waits for its way to Kafka and back


def producer(bootstrap_servers: str) -> AIOKafkaProducer:
    """Return a producer, not started yet, that loses nothing that it says is sent, and repeats nothing."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=_BATCH_BYTES,
    )


def say_ready() -> None:
    """Tell the parent, by the log, that this process takes what comes."""
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()

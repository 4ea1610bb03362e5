"""Apache Kafka and PostgreSQL as child processes, from wheels and cached jars."""

from chargebus_embedded.errors import EmbeddedError, JarsUnavailableError, PortTakenError, StartError
from chargebus_embedded.kafka import EmbeddedKafka
from chargebus_embedded.mock import MockKafka
from chargebus_embedded.ports import free_port, is_free, require_free
from chargebus_embedded.postgres import EmbeddedPostgres
from chargebus_embedded.provide import start_kafka

__all__ = [
    "EmbeddedError",
    "EmbeddedKafka",
    "EmbeddedPostgres",
    "JarsUnavailableError",
    "MockKafka",
    "PortTakenError",
    "StartError",
    "free_port",
    "is_free",
    "require_free",
    "start_kafka",
]

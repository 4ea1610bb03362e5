"""Apache Kafka and PostgreSQL as child processes, from wheels and cached jars."""

from chargebus_embedded.errors import EmbeddedError, JarsUnavailableError, PortTakenError, StartError
from chargebus_embedded.kafka import EmbeddedKafka
from chargebus_embedded.mock import MockKafka
from chargebus_embedded.ports import free_port, is_free, require_free
from chargebus_embedded.postgres import EmbeddedPostgres
from chargebus_embedded.provide import start_kafka
from chargebus_embedded.server import EmbeddedServer, Startable

__all__ = [
    "EmbeddedError",
    "EmbeddedKafka",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "JarsUnavailableError",
    "MockKafka",
    "PortTakenError",
    "StartError",
    "Startable",
    "free_port",
    "is_free",
    "require_free",
    "start_kafka",
]

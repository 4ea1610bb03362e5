"""librdkafka's mock cluster: Kafka's protocol in this process, for where no broker can be had."""

from confluent_kafka import KafkaException, Producer

from chargebus_embedded.errors import StartError
from chargebus_embedded.server import Startable

_ANSWER_WITHIN_S = 20.0


class MockKafka(Startable):
    """A cluster that forgets everything on exit.

    Its topics spring up at first use with 4 partitions; it serves one consumer per group.
    """

    shortcomings: tuple[str, ...] = (
        "forgets everything on exit",
        "keeps only the newest 5 MB of a partition",
        "serves one consumer per group: no second copy of a service",
        "knows no topic settings, no compaction and no kill -9",
        "answers a waiting consumer late, by up to a second",
    )

    def __init__(self) -> None:
        self._producer: Producer | None = None
        self._address = ""

    @property
    def bootstrap_servers(self) -> str:
        """The cluster's address, as Kafka clients take it."""
        return self._address

    async def start(self) -> None:
        """Start the cluster; it lives as long as the librdkafka producer that made it.

        Raises:
            StartError: librdkafka did not bring it up.
        """
        # The mock replaces this address with its own; librdkafka only wants to see one.
        producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 2})
        try:
            metadata = producer.list_topics(timeout=_ANSWER_WITHIN_S)
        except KafkaException as error:
            message = f"librdkafka's mock cluster did not start: {error}"
            raise StartError(message) from error
        broker = next(iter(metadata.brokers.values()))
        self._address = f"{broker.host}:{broker.port}"
        self._producer = producer

    async def stop(self) -> None:
        """Forget the cluster."""
        self._producer = None

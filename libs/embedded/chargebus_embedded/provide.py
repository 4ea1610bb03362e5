"""Which Kafka the embedded one is: the real broker, or the mock where it is asked for or nothing else can be had."""

from collections.abc import Mapping
from pathlib import Path

from chargebus_embedded.errors import EmbeddedError, JarsUnavailableError
from chargebus_embedded.kafka import EmbeddedKafka
from chargebus_embedded.mock import MockKafka
from chargebus_embedded.say import Say

SETTING = "KAFKA"
MOCK = "mock"


async def start_kafka(data_dir: Path, environment: Mapping[str, str], say: Say) -> EmbeddedKafka | MockKafka:
    """Start the embedded Kafka that the environment asks for.

    Args:
        data_dir: the real broker's folder.
        environment: `KAFKA=mock` asks for the mock cluster; unset for the real broker.
        say: gets what the user should know: a download, and what a mock cannot do.

    Raises:
        EmbeddedError: `KAFKA` has another value, or the server did not start.
    """
    asked = environment.get(SETTING, "")
    if asked not in ("", MOCK):
        message = f"{SETTING}={asked} is not known: leave it out for Apache Kafka, or set {SETTING}={MOCK}"
        raise EmbeddedError(message)
    if asked == MOCK:
        return await _start_mock(say)
    kafka = EmbeddedKafka(data_dir, say=say)
    try:
        await kafka.start()
    except JarsUnavailableError as error:
        say(f"{error}.")
        say(
            "Two ways out: give a Kafka (KAFKA_BOOTSTRAP_SERVERS=host:9092), or live with the mock cluster "
            f"({SETTING}={MOCK}), which is taken now."
        )
        return await _start_mock(say)
    return kafka


async def _start_mock(say: Say) -> MockKafka:
    mock = MockKafka()
    await mock.start()
    say(f"Kafka is librdkafka's mock cluster. It {'; '.join(mock.shortcomings)}.")
    return mock

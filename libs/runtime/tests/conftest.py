"""A connection to the tests' broker, and a producer on it."""

import pytest
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.settings import RuntimeSettings


@pytest.fixture
async def kafka_connection(kafka) -> KafkaConnection:
    return KafkaConnection(RuntimeSettings(kafka_bootstrap_servers=kafka.bootstrap_servers))


@pytest.fixture
async def producer(kafka_connection):
    producer = Producer(kafka_connection)
    await producer.start()
    yield producer
    await producer.stop()

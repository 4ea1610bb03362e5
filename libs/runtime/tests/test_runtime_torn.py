"""A connection that is closed while aiokafka still holds it costs nothing but a new connection."""

import asyncio
import uuid

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from chargebus_events.record import Record
from chargebus_events.topics import Topic
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics


def test_a_client_whose_connections_are_closed_under_it_goes_on_under_uvloop(kafka):
    uvloop.run(
        read_over_torn_connections(KafkaConnection(RuntimeSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)))
    )


async def read_over_torn_connections(connection: KafkaConnection) -> None:
    topic = Topic(f"torn{uuid.uuid4().hex[:8]}", "key", "test", (), 1)
    await ensure_topics(connection, [topic], 1)
    async with AIOKafkaConsumer(topic.name, auto_offset_reset="earliest", **connection.client_options()) as consumer:
        for held in list(consumer._client._conns.values()):
            held._writer.close()
            held._writer = await torn_writer(held.host, held.port)
            with pytest.raises(KafkaConnectionError):  # the client is prepared for this, and for no RuntimeError
                held.send(MetadataRequest([topic.name]))
            assert not held.connected()
        await publish(connection, Record(topic.name, "key", b"after"))
        assert (await asyncio.wait_for(consumer.getone(), 10)).value == b"after"


async def torn_writer(host: str, port: int) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(host, port)
    writer.transport.abort()
    await asyncio.sleep(0.1)
    with pytest.raises(RuntimeError):
        writer.write(b"this is what uvloop does")
    return writer


async def publish(connection: KafkaConnection, record: Record) -> None:
    producer = Producer(connection)
    await producer.start()
    try:
        await producer.publish([record])
    finally:
        await producer.stop()

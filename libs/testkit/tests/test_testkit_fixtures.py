"""The fixtures give what they promise: real servers, a database of one's own, topics."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from chargebus_events.topics import TOPICS


async def test_a_database_is_empty_and_ones_own(make_database):
    first, second = await make_database("session"), await make_database("session")

    connection = await asyncpg.connect(first)
    await connection.execute("CREATE TABLE here (id int)")
    await connection.close()

    other = await asyncpg.connect(second)
    found = await other.fetchval("SELECT to_regclass('here')")
    await other.close()
    assert first != second
    assert found is None


async def test_what_is_produced_to_a_topic_is_consumed(kafka, make_topic):
    topic = await make_topic("greetings", partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, b"hello", key=b"cs-1")

    async with AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", group_id="readers"
    ) as consumer:
        record = await consumer.getone()

    assert (record.key, record.value) == (b"cs-1", b"hello")


@pytest.mark.real_broker
async def test_every_declared_topic_is_there(kafka, topics):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        found = await admin.list_topics()
    finally:
        await admin.close()

    assert set(TOPICS) <= set(found)

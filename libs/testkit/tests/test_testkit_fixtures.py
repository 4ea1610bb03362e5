"""The fixtures give what they promise: real servers, a database of one's own, topics."""

import asyncio

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from chargebus_events.topics import TOPICS
from chargebus_runtime.migrations import database_url
from chargebus_testkit.waiting import NeverError, eventually, until


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


async def test_a_migrated_database_is_a_copy_and_ones_own(make_migrated, postgres, tmp_path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text("from chargebus_runtime.migrations import run_env\nrun_env(None)\n")
    first_revision = "from alembic import op\nrevision, down_revision = '1', None\n"
    (tmp_path / "versions" / "one.py").write_text(
        f"{first_revision}def upgrade(): op.execute('CREATE TABLE here ()')\n"
    )

    urls = [database_url(postgres.url, await make_migrated("session", tmp_path)) for _ in range(2)]

    for url in urls:
        connection = await asyncpg.connect(url)
        found = await connection.fetchval("SELECT to_regclass('here')")
        await connection.execute("DROP TABLE here")
        await connection.close()
        assert found == "here"


async def test_what_never_comes_is_told_by_what_was_waited_for_and_seen():
    with pytest.raises(NeverError, match=r"the end of the world; seen last: 7"):
        await eventually(lambda: asyncio.sleep(0, 7), lambda seen: seen == 8, 0.1, what="the end of the world")
    never = False
    with pytest.raises(NeverError, match=r"until\(lambda: never"):
        await until(lambda: never, 0.1)

"""What we take from inside aiokafka is there in the release that is installed, and does what it is there for."""

import asyncio
import inspect
import re
import tomllib
import uuid
from importlib.metadata import version
from pathlib import Path

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.protocol.metadata import MetadataRequest
from chargebus_events.record import Record
from chargebus_events.topics import Topic
from chargebus_runtime.aiokafka_private import SelfClosingBatchBuilder, ended_task
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics

PACKAGE = Path(__file__).parents[1]
INSIDE = re.compile(
    r"\b(?:client|consumer|producer|fetcher|coordinator|connection|accumulator)\._(?!_)|message_accumulator"
)


def test_the_installed_aiokafka_is_one_that_this_was_tried_with():
    dependencies = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["dependencies"]
    (declared,) = (line for line in dependencies if line.startswith("aiokafka"))
    oldest, newest = re.fullmatch(r"aiokafka>=(\d+\.\d+),<(\d+\.\d+)", declared).groups()
    assert numbers(oldest) <= numbers(version("aiokafka")) < numbers(newest)


def numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in release.split(".")[:2])


def test_the_methods_that_we_override_are_called_as_before():
    assert list(inspect.signature(BatchBuilder._set_producer_state).parameters) == [
        "self",
        "producer_id",
        "producer_epoch",
        "base_sequence",
    ]
    assert list(inspect.signature(BatchBuilder.__init__).parameters)[:4] == [
        "self",
        "batch_size",
        "compression_type",
        "is_transactional",
    ]
    assert "set_producer_state" in inspect.getsource(MessageAccumulator._pop_batch)
    assert callable(AIOKafkaConnection.send)
    assert callable(AIOKafkaConnection._send_sasl_token)


def test_a_batch_takes_nothing_more_once_it_is_numbered():
    batch = SelfClosingBatchBuilder(1000)
    assert batch.append(timestamp=None, key=b"k", value=b"v", headers=[]) is not None
    batch._set_producer_state(1, 0, 0)
    assert batch.append(timestamp=None, key=b"k", value=b"v", headers=[]) is None


async def test_a_consumer_shows_its_tasks(kafka):
    options = {"bootstrap_servers": kafka.bootstrap_servers}
    async with (
        AIOKafkaConsumer(**options, group_id=f"group{uuid.uuid4().hex}") as member,
        AIOKafkaConsumer(**options) as alone,
    ):
        tasks = [member._fetcher._fetch_task, member._client._sync_task, member._coordinator._coordination_task]
        assert all(isinstance(task, asyncio.Task) for task in tasks)
        assert ended_task(member) is None
        assert ended_task(alone) is None
        alone._fetcher._fetch_task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ended_task(alone) is alone._fetcher._fetch_task


def test_nothing_else_takes_from_inside_aiokafka():
    found = [
        f"{path.name}: {line.strip()}"
        for path in (PACKAGE / "chargebus_runtime").glob("*.py")
        if path.name != "aiokafka_private.py"
        for line in path.read_text().splitlines()
        if INSIDE.search(line)
    ]
    assert found == []


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
        assert (await asyncio.wait_for(consumer.getone(), 180)).value == b"after"


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

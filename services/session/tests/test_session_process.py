"""The service in its process: records in from a real Kafka, answers and events out to it."""

import asyncio
import dataclasses
import json
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from chargebus_events.frames import Frame
from chargebus_events.topics import DOWNLINK, SESSION_EVENTS, frames_topic
from chargebus_runtime.kafka import received
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings
from chargebus_session.main import build

pytestmark = pytest.mark.real_broker

FRAMES = frames_topic("session")


class Alone(Process):
    """A process whose database and consumer group are this test's alone."""

    def __init__(self, settings, name):
        super().__init__(settings, name)
        self.alone = name

    def database(self, service, package):
        database = super().database(service, package)
        database._options = dataclasses.replace(database._options, name=self.alone)
        return database


@pytest.fixture
async def started(kafka, topics, postgres, unused_tcp_port):
    name = f"session_{uuid.uuid4().hex[:8]}"
    settings = RuntimeSettings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url, http_port=unused_tcp_port
    )

    def alone(process):
        return dataclasses.replace(build(process), name=name)

    process = Alone(settings, name)
    await build(process).database.migrate()
    await process.start([alone])
    yield process
    await process.stop()


@asynccontextmanager
async def reading(kafka, *topics):
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=kafka.bootstrap_servers, group_id=uuid.uuid4().hex, auto_offset_reset="earliest"
    )
    await consumer.start()
    yield consumer
    await consumer.stop()


async def take(consumer, station_id, count):
    found = []
    while len(found) < count:
        record = received(await asyncio.wait_for(consumer.getone(), 30))
        if record.key == station_id:
            found.append(record)
    return found


async def test_frames_are_answered_and_told_once_though_they_come_twice(kafka, started):
    station_id = f"CS-{uuid.uuid4().hex[:8]}"
    request = {"connectorId": 1, "idTag": "nobody", "meterStart": 7, "timestamp": "2025-06-01T12:00:00Z"}
    frames = [
        Frame(station_id, "1.6", "StartTransaction", f"m{number}", 3, 7, number, json.dumps(request).encode(),
              datetime.now(UTC))
        for number in (1, 2)
    ]  # fmt: skip
    await started.producer.publish([frame.record(FRAMES) for frame in frames])

    async with reading(kafka, DOWNLINK) as down, reading(kafka, SESSION_EVENTS) as events:
        first, second = await take(down, station_id, 2)
        [told] = await take(events, station_id, 1)
    assert (first.value, first.partition) == (second.value, 3)
    assert json.loads(first.value)["idTagInfo"] == {"status": "Invalid"}
    assert json.loads(told.value)["meter_start_wh"] == 7.0
    connection = await asyncpg.connect(started._services[0].database.url)
    assert await connection.fetchval("SELECT count(*) FROM charging_session WHERE station_id = $1", station_id) == 1
    await connection.close()

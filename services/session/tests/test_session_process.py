"""The service in its process: records in from a real Kafka, answers and events out to it."""

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer
from chargebus_events.frames import Frame
from chargebus_events.topics import DOWNLINK, SESSION_EVENTS, frames_topic
from chargebus_runtime.kafka import received
from chargebus_session.main import build

pytestmark = pytest.mark.real_broker

FRAMES = frames_topic("session")


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
        record = received(await asyncio.wait_for(consumer.getone(), 180))
        if record.key == station_id:
            found.append(record)
    return found


@pytest.mark.road
async def test_frames_are_answered_and_told_once_though_they_come_twice(make_bed, kafka):
    bed = make_bed(build)
    station_id = f"CS-{uuid.uuid4().hex[:8]}"
    request = {"connectorId": 1, "idTag": "nobody", "meterStart": 7, "timestamp": "2025-06-01T12:00:00Z"}
    frames = [
        Frame(station_id, "1.6", "StartTransaction", f"m{number}", 3, 7, number, json.dumps(request).encode(),
              datetime.now(UTC))
        for number in (1, 2)
    ]  # fmt: skip
    async with bed.running() as process, reading(kafka, DOWNLINK) as down, reading(kafka, SESSION_EVENTS) as events:
        await process.producer.publish([frame.record(FRAMES) for frame in frames])
        first, second = await take(down, station_id, 2)
        [told] = await take(events, station_id, 1)
    assert (first.value, first.partition) == (second.value, 3)
    assert json.loads(first.value)["idTagInfo"] == {"status": "Invalid"}
    assert json.loads(told.value)["meter_start_wh"] == 7.0
    assert await bed.rows("SELECT count(*) FROM charging_session WHERE station_id = $1", station_id) == [(1,)]

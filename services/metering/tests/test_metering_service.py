"""The whole service in its process: real Kafka in and out, real database, HTTP with a key."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from chargebus_events.access import ApiKey
from chargebus_events.frames import Frame
from chargebus_events.public import SESSION_STARTED, MeterReadings, Session, event
from chargebus_events.record import Record
from chargebus_events.topics import METER_VALUES, TOPICS, frames_topic, parked_topic
from chargebus_metering.main import build
from chargebus_runtime import secrets
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.keys import format_key
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
SECRET = secrets.generate_password()


class IsolatedProcess(Process):
    """A process whose service has a database of this test's own."""

    name = ""

    def database(self, service: str, package: str) -> Database:
        options = DatabaseOptions(self.name, self.settings.database_url, Path(__file__).parent.parent / "migrations")
        return Database(options, self.producer, self.clock, self.telemetry.tracing)


class Bench:
    """Starts and stops the service; talks to it only by Kafka and HTTP."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self.settings = settings
        self.station_id = f"cs-{uuid.uuid4().hex[:8]}"
        self.key_id = uuid.uuid4().hex[:12]
        self._name = f"metering_{uuid.uuid4().hex[:8]}"
        self._frames = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        process = IsolatedProcess(self.settings, "metering")
        process.name = self._name
        service = build(process)
        await service.database.migrate()
        await process.start([build])
        key = ApiKey(self.key_id, "test", "viewer", secrets.hash_generated(SECRET), NOW)
        await process.producer.publish([key.record()])
        try:
            yield process
        finally:
            await process.stop()

    def frame(self, action: str, payload: object) -> Record:
        self._frames += 1
        raw = msgspec.json.encode(payload)
        topic = frames_topic("metering" if action == "MeterValues" else "session")
        number = self._frames
        return Frame(self.station_id, "1.6", action, f"m{number}", 0, 7, number, raw, NOW).record(topic)

    def meter_values(self, *values: str) -> Record:
        sampled = [{"value": value} for value in values]
        meter_value = [{"timestamp": "2024-05-01T12:15:00Z", "sampledValue": sampled}]
        return self.frame("MeterValues", {"connectorId": 2, "transactionId": 77, "meterValue": meter_value})

    def session(self) -> Record:
        session = Session(
            self.station_id, self.station_id, "77", "1.6", "active", NOW, 2, 1, started_at=NOW, meter_start_wh=1000.0
        )
        return event(SESSION_STARTED, self.station_id, "/session", NOW, session)

    async def stored(self) -> list[float]:
        url = f"http://{self.settings.http_host}:{self.settings.http_port}/v1/sessions/{self.station_id}/meter-values"
        async with httpx.AsyncClient(headers={"X-API-Key": format_key(self.key_id, SECRET)}) as client:
            response = await client.get(url, params={"limit": 500})
        return sorted(item["value"] for item in response.json()["items"]) if response.status_code == 200 else []

    async def eventually_stored(self, *expected: float) -> None:
        async with asyncio.timeout(30):
            while await self.stored() != list(expected):
                await asyncio.sleep(0.05)

    async def published(self, topic: str) -> list[Record]:
        """Return this test's records of a topic."""
        client = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
        await client.start()
        try:
            tps = [TopicPartition(topic, partition) for partition in range(TOPICS[topic].partitions)]
            client.assign(tps)
            ends = await client.end_offsets(tps)
            found = []
            while any([await client.position(tp) < end for tp, end in ends.items()]):
                for records in (await client.getmany(timeout_ms=200)).values():
                    found += [record for record in records if record.key == self.station_id.encode()]
            return found
        finally:
            with suppress(asyncio.CancelledError):  # aiokafka, of its own task, when stopped right after assign()
                await client.stop()

    async def published_values(self) -> list[float]:
        messages = [
            msgspec.json.decode(record.value, type=MeterReadings) for record in await self.published(METER_VALUES)
        ]
        return sorted(reading.value for message in messages for reading in message.readings)


@pytest.fixture
async def bench(kafka, topics, postgres, unused_tcp_port) -> Bench:
    settings = RuntimeSettings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url, http_port=unused_tcp_port
    )
    return Bench(settings)


async def test_readings_go_from_frames_and_sessions_to_the_topic_and_to_http(bench: Bench) -> None:
    stop = {"transactionId": 77, "meterStop": 3000, "timestamp": "2024-05-01T12:30:00Z"}
    async with bench.running() as process:
        records = [bench.session(), bench.meter_values("2000"), bench.frame("StopTransaction", stop)]
        await process.producer.publish(records)
        await bench.eventually_stored(1000.0, 2000.0, 3000.0)
    assert await bench.published_values() == [1000.0, 2000.0, 3000.0]


async def test_a_station_that_sends_again_is_stored_and_published_once(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([bench.session(), bench.meter_values("2000")])
        await bench.eventually_stored(1000.0, 2000.0)
    async with bench.running() as process:
        await process.producer.publish([bench.session(), bench.meter_values("2000"), bench.meter_values("2001")])
        await bench.eventually_stored(1000.0, 2000.0, 2001.0)
    assert await bench.published_values() == [1000.0, 2000.0, 2001.0]


async def test_a_frame_that_cannot_be_read_is_parked_and_the_others_go_on(bench: Bench) -> None:
    async with bench.running() as process:
        broken = bench.frame("MeterValues", {"connectorId": "two"})
        await process.producer.publish([bench.session(), broken, bench.meter_values("2000")])
        await bench.eventually_stored(1000.0, 2000.0)
        await process.idle()
    [parked] = await bench.published(parked_topic("metering"))
    assert parked.value == broken.value

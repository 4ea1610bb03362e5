"""The whole service in its process: real Kafka in and out, real database, HTTP with a key."""

import uuid
from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_events.frames import Frame
from chargebus_events.public import SESSION_STARTED, MeterReadings, Session, event
from chargebus_events.record import Received, Record
from chargebus_events.topics import METER_VALUES, frames_topic, parked_topic
from chargebus_metering.main import build
from chargebus_testkit.bed import Bed
from chargebus_testkit.waiting import eventually

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Bench:
    """Starts and stops the service; talks to it only by Kafka and HTTP."""

    def __init__(self, bed: Bed) -> None:
        self.station_id = f"cs-{uuid.uuid4().hex[:8]}"
        self.running = bed.running
        self._bed = bed
        self._frames = 0

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
        async with self._bed.client("viewer") as client:
            response = await client.get(f"/sessions/{self.station_id}/meter-values", params={"limit": 500})
        return sorted(item["value"] for item in response.json()["items"]) if response.status_code == 200 else []

    async def eventually_stored(self, *expected: float) -> None:
        await eventually(self.stored, lambda stored: stored == list(expected), what=f"{expected} stored")

    async def published(self, topic: str) -> list[Received]:
        """Return this test's records of a topic."""
        return await self._bed.read(topic, self.station_id)

    async def published_values(self) -> list[float]:
        messages = [
            msgspec.json.decode(record.value, type=MeterReadings) for record in await self.published(METER_VALUES)
        ]
        return sorted(reading.value for message in messages for reading in message.readings)


@pytest.fixture
def bench(make_bed) -> Bench:
    return Bench(make_bed(build))


@pytest.mark.road
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

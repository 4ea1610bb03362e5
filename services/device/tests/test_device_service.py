"""The whole service on a real Kafka: what goes in and what comes out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import msgspec
import pytest
from chargebus_device.main import build
from chargebus_events.frames import ANSWER, Frame
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.public import STATION_CONNECTION
from chargebus_events.registry import RegisteredStation, removed
from chargebus_events.topics import DOWNLINK, PRESENCE, REGISTRY, STATION_EVENTS
from chargebus_testkit.bed import Bed, ProcessUnderTest
from chargebus_testkit.waiting import eventually

SLOT = 30


@dataclass
class Bench:
    """A device service on real servers; every station is this test's own."""

    bed: Bed
    station_id: str
    process: ProcessUnderTest | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self.bed.running() as self.process, self.bed.client() as client:
            yield client

    async def newest(self, topic: str):
        """The records of a topic with this test's station as key, in order."""
        return await self.bed.read(topic, self.station_id)

    def boot(self, epoch: int, number: int = 1) -> Frame:
        payload = b'{"chargePointVendor":"Acme","chargePointModel":"One"}'
        now = datetime.now(UTC)
        return Frame(self.station_id, "1.6", "BootNotification", "m1", SLOT, epoch, number, payload, now)


@pytest.fixture
def bench(make_bed, monkeypatch) -> Bench:
    monkeypatch.setenv("DEVICE_EDGE_DEAD_AFTER_S", "1")
    monkeypatch.setenv("DEVICE_SWEEP_EVERY_S", "0.2")
    return Bench(make_bed(build), f"CS-{uuid4().hex[:12]}")


@pytest.mark.road
async def test_a_registered_station_boots_and_its_edge_gets_the_answer(bench):
    async with bench.running() as client:
        created = await client.post("/stations", json={"station_id": bench.station_id, "registration": "pending"})
        assert created.status_code == 201
        await bench.process.producer.publish([bench.boot(epoch=7).record("ocpp.frames.device")])

        async def booted() -> bool:
            return (await client.get(f"/stations/{bench.station_id}")).json()["boot"] is not None

        await eventually(booted)

    (answer,) = await bench.newest(DOWNLINK)
    assert (answer.partition, answer.type, answer.headers["registration"]) == (SLOT, ANSWER, b"pending")
    assert json.loads(answer.value)["status"] == "Pending"
    registered = msgspec.json.decode((await bench.newest(REGISTRY))[-1].value, type=RegisteredStation)
    assert (registered.registration, registered.vendor, registered.model) == ("pending", "Acme", "One")


@asynccontextmanager
async def beating(producer, epoch: int) -> AsyncIterator[None]:
    """Have an edge say again and again that it lives."""

    async def beat() -> None:
        while True:
            await producer.publish([EdgeHeartbeat(SLOT, "edge-test", datetime.now(UTC), epoch=epoch).record()])
            await asyncio.sleep(0.2)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


async def test_the_stations_of_an_edge_that_dies_are_disconnected(bench):
    async with bench.running() as client:
        await client.post("/stations", json={"station_id": bench.station_id})
        producer = bench.process.producer
        edge = await producer.send(EdgeHeartbeat(SLOT, "edge-test", datetime.now(UTC)).record())
        presence = Presence(bench.station_id, True, SLOT, edge.offset, datetime.now(UTC), version="1.6")

        async def is_connected() -> bool:
            return (await client.get(f"/stations/{bench.station_id}")).json()["connection"]["connected"]

        async def is_not() -> bool:
            return not await is_connected()

        async with beating(producer, edge.offset):
            connection = await producer.send(presence.record())
            await eventually(is_connected)
        await eventually(is_not)
        async with beating(producer, edge.offset):
            await eventually(is_connected)
        gone = Presence(bench.station_id, False, SLOT, edge.offset, datetime.now(UTC), epoch=connection.offset)
        await producer.publish([gone.record()])
        await eventually(is_not)

    events = await bench.newest(STATION_EVENTS)
    told = [json.loads(record.value) for record in events if record.type == STATION_CONNECTION]
    assert [event["connected"] for event in told][:3] == [True, False, True]
    assert {event["epoch"] for event in told} == {connection.offset}


async def test_a_registry_that_lost_a_station_gets_it_back_and_one_that_has_too_many_is_cleaned(bench):
    ghost = RegisteredStation(f"{bench.station_id}-ghost", "accepted", "hash", datetime.now(UTC))
    async with bench.running() as client:
        await client.post("/stations", json={"station_id": bench.station_id})
        await eventually(lambda: _has(bench, 1))
    await bench.bed.publish(removed(bench.station_id), ghost.record())

    spectre = replace(bench, station_id=ghost.station_id)
    async with bench.running():
        await eventually(lambda: _has(bench, 3))
        await eventually(lambda: _has(spectre, 2))

    first, _, last = await bench.newest(REGISTRY)
    assert last.value == first.value
    assert (await spectre.newest(REGISTRY))[-1].value is None


async def test_late_presence_of_an_old_connection_is_fenced(bench):
    async with bench.running() as client:
        await client.post("/stations", json={"station_id": bench.station_id})
        producer, now = bench.process.producer, datetime.now(UTC)
        edge = await producer.send(EdgeHeartbeat(SLOT, "edge-test", now + timedelta(minutes=1)).record())
        old = await producer.send(Presence(bench.station_id, True, SLOT, edge.offset, now).record())
        new = await producer.send(Presence(bench.station_id, True, SLOT, edge.offset, now, version="2.1").record())
        late = Presence(bench.station_id, False, SLOT, edge.offset, now, epoch=old.offset)
        boot = msgspec.structs.replace(bench.boot(new.offset), received_at=now)
        await producer.publish([late.record(), boot.record("ocpp.frames.device")])

        async def applied() -> bool:
            position = await bench.process.service.database.pool.fetchval(
                "SELECT next_offset FROM consumer_offset WHERE topic = $1 AND partition = $2", PRESENCE, new.partition
            )
            return position is not None and position >= new.offset + 2

        await eventually(applied)
        found = (await client.get(f"/stations/{bench.station_id}")).json()["connection"]
        rows = await bench.process.service.database.pool.fetch(
            "SELECT epoch, present FROM connection WHERE station_id = $1", bench.station_id
        )

    assert found["version"] == "2.1"
    assert [tuple(row) for row in rows] == [(new.offset, True)]


async def _has(bench: Bench, count: int) -> bool:
    return len(await bench.newest(REGISTRY)) >= count

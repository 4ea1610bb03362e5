"""The service in its process, on a real Kafka: HTTP and requests in, an edge's part played by the test."""

import asyncio
import json
import random
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from chargebus_command import operations
from chargebus_command.main import build
from chargebus_events.commands import CommandForm, CommandRequested, Delivery
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import DOWNLINK, outcomes_topic
from chargebus_runtime.kafka import KafkaConnection, received
from chargebus_runtime.migrations import database_url
from chargebus_runtime.producer import Producer
from chargebus_runtime.readers import Readers
from chargebus_runtime.view import Tail
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.real_broker


class Edge:
    """An edge for one station: it announces the connection and answers commands as it is told to."""

    def __init__(self, producer):
        self.producer = producer
        self.station_id = f"CS-{uuid.uuid4().hex[:8]}"
        self.slot = random.randrange(16, 32)
        self.epoch = 0
        self.commands = asyncio.Queue()
        self.tail = Tail(DOWNLINK, self.slot, self.take)

    def take(self, records):
        for record in records:
            if record.key == self.station_id:
                self.commands.put_nowait(record)

    async def connect(self):
        now = datetime.now(UTC)
        edge = await self.producer.send(EdgeHeartbeat(self.slot, "test", now).record())
        await self.producer.send(RegisteredStation(self.station_id, "accepted", "hash", now).record())
        presence = Presence(self.station_id, True, self.slot, edge.offset, now, version="1.6")
        self.epoch = (await self.producer.send(presence.record())).offset

    async def report(self, record, result="answered", payload=b'{"status":"Accepted"}'):
        command_id = record.text("ce_id")
        delivery = Delivery(
            command_id,
            self.station_id,
            int(record.text("ocpp_epoch")),
            result,
            datetime.now(UTC),
            payload=msgspec.Raw(payload),
            sent_at=datetime.fromisoformat(record.text("ce_time")),
        )
        await self.producer.publish([delivery.record(self.slot)] * 2)


@pytest.fixture
def bed(make_bed):
    return make_bed(build)


@pytest.fixture
async def edge(bed):
    connection = KafkaConnection(bed.settings)
    producer, readers = Producer(connection), Readers(connection, "test")
    await producer.start()
    await readers.start()
    edge = Edge(producer)
    tailing = await readers.tail(edge.tail)
    await edge.tail.ready.wait()
    yield edge
    tailing.cancel()
    await asyncio.gather(tailing, return_exceptions=True)
    await readers.stop()
    await producer.stop()


async def until_online(bed, edge):
    query = "SELECT 1 FROM station WHERE station_id = $1 AND connected"
    await eventually(lambda: bed.rows(query, edge.station_id), what="the station is online")


async def outcomes(bed, edge, count):
    """Read the outcomes of the edge's station until `count` are there, and what else stands in the topic."""
    consumer = AIOKafkaConsumer(
        outcomes_topic("session"),
        bootstrap_servers=bed.settings.kafka_bootstrap_servers,
        group_id=uuid.uuid4().hex,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    found = []
    try:
        async with asyncio.timeout(180):
            taken = None
            while len(found) < count or taken or taken is None:
                taken = await consumer.getmany(timeout_ms=500)
                found += [received(r) for group in taken.values() for r in group if r.key == edge.station_id.encode()]
    finally:
        await consumer.stop()
    return [(json.loads(record.value)["command_id"], json.loads(record.value)["outcome"]) for record in found]


@pytest.mark.road
async def test_an_operators_command_goes_to_the_edge_and_its_answer_comes_back(bed, edge):
    async with bed.running(), bed.client() as client:
        await edge.connect()
        await until_online(bed, edge)
        body = {"action": "Reset", "payload": {"type": "Soft"}}
        calling = asyncio.create_task(client.post(f"/stations/{edge.station_id}/commands", json=body))
        down = await asyncio.wait_for(edge.commands.get(), 180)
        await edge.report(down)
        answer = await calling

    assert (answer.status_code, answer.json()["outcome"]) == (200, "answered")
    assert answer.json()["reply"] == {"status": "Accepted"}
    assert (down.value, int(down.text("ocpp_epoch"))) == (b'{"type":"Soft"}', edge.epoch)
    assert await outcomes(bed, edge, 0) == []


async def test_a_command_survives_the_services_death_and_ends_once(bed, edge):
    form = CommandForm("Reset", msgspec.Raw(b'{"type":"Soft"}'))
    request = CommandRequested(str(uuid.uuid4()), edge.station_id, "session", datetime.now(UTC), (form,))
    async with bed.running():
        await edge.connect()
        await until_online(bed, edge)
        await edge.producer.publish([request.record()] * 2)
        down = await asyncio.wait_for(edge.commands.get(), 180)
    await edge.report(down)
    async with bed.running() as process:
        await process.idle()
        ended = await outcomes(bed, edge, 1)

    assert ended == [(request.command_id, "answered")]
    assert edge.commands.empty()
    assert await bed.rows("SELECT count(*) FROM outbox") == [(0,)]


async def test_a_stations_commands_go_one_by_one_in_order_and_end_once(bed, edge):
    form = CommandForm("ClearCache", msgspec.Raw(b"{}"))
    requests = [
        CommandRequested(f"{edge.station_id}-{n}", edge.station_id, "session", datetime.now(UTC), (form,))
        for n in range(30)
    ]
    async with bed.running():
        await edge.connect()
        await until_online(bed, edge)
        await edge.producer.publish([request.record() for request in requests])
        sent = []
        for _ in requests:
            down = await asyncio.wait_for(edge.commands.get(), 180)
            sent.append(down.text("ce_id"))
            await edge.report(down)
        ended = await outcomes(bed, edge, len(requests))

    assert sent == [request.command_id for request in requests]
    assert ended == [(request.command_id, "answered") for request in requests]


@asynccontextmanager
async def consumer_held(bed):
    """Keep the consumer, in whichever copy, from applying anything: it waits for the lock of its offsets."""
    connection = await asyncpg.connect(database_url(bed.settings.database_url, bed.name))
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM consumer_offset FOR UPDATE")
            yield
    finally:
        await connection.close()


async def test_what_another_service_was_told_is_waited_for_before_a_command_is_denied(bed, edge, monkeypatch):
    """A station is registered and connected in Kafka, and our consumer lags: it is neither unknown nor away."""
    monkeypatch.setattr(operations, "NEWS_WITHIN_S", 60.0)
    body = {"action": "Reset", "payload": {"type": "Soft"}, "wait": False}
    async with bed.running() as process, bed.client() as client:
        await process.idle()
        async with consumer_held(bed):
            await edge.connect()
            calling = asyncio.create_task(client.post(f"/stations/{edge.station_id}/commands", json=body))
            done, _ = await asyncio.wait({calling}, timeout=0.5)
        answer = await calling

    assert done == set()
    assert (answer.status_code, answer.json()["state"]) == (202, "sent")


async def test_a_station_that_there_is_not_is_denied_as_soon_as_all_is_read(bed, edge, monkeypatch):
    monkeypatch.setattr(operations, "NEWS_WITHIN_S", 600.0)
    async with bed.running() as process, bed.client() as client:
        await process.idle()
        async with asyncio.timeout(180):
            answer = await client.post("/stations/NOBODY/commands", json={"action": "ClearCache"}, timeout=120)

    assert answer.status_code == 404


async def test_a_command_is_denied_in_the_end_though_the_news_are_not_read(bed, edge):
    async with bed.running() as process, bed.client() as client:
        await process.idle()
        async with consumer_held(bed):
            await edge.connect()
            answer = await client.post(f"/stations/{edge.station_id}/commands", json={"action": "ClearCache"})

    assert answer.status_code == 404

"""An edge as it runs, against a real broker: durable before answered, one socket a station, dark, not lossy."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from chargebus_edge.log import topic_queue
from chargebus_edge.main import wire
from chargebus_edge.settings import EdgeSettings
from chargebus_embedded import EmbeddedKafka
from chargebus_events.commands import Command
from chargebus_events.frames import Frame
from chargebus_events.record import Received
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import DELIVERIES, EDGES, FRAME_PARTITIONS, PRESENCE, TOPICS, frames_topic
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.process import Process
from chargebus_runtime.secrets import generate_password, hash_generated
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics
from chargebus_testkit.settings import grouped
from chargebus_testkit.waiting import until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.real_broker

PASSWORD = generate_password()
STORED = hash_generated(PASSWORD)


class RunningEdge:
    def __init__(self, process, wired):
        self.process = process
        self.edge = wired.edge

    async def register(self):
        """Register a station of this test alone; return its identity once the edge knows it."""
        station_id = f"CP-{uuid4().hex[:12]}"
        station = RegisteredStation(station_id, "accepted", STORED, datetime.now(UTC))
        await self.process.producer.send(station.record())
        await until(lambda: self.edge.server._parts.admission.registry.find(station_id))
        return station_id

    def connect(self, station_id):
        basic = base64.b64encode(f"{station_id}:{PASSWORD}".encode()).decode()
        return connect(
            f"ws://127.0.0.1:{self.edge.server.port}/ocpp/{station_id}",
            additional_headers={"Authorization": f"Basic {basic}"},
            subprotocols=["ocpp1.6"],
            compression=None,
        )


SECURITY_EVENT = (
    '[2,"event","SecurityEventNotification",{"type":"StartupOfTheDevice","timestamp":"2024-05-01T12:00:00Z"}]'
)


async def beat(socket):
    await socket.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await asyncio.wait_for(socket.recv(), 180))[:2] == [3, "hb"]


@asynccontextmanager
async def running_edge(bootstrap_servers, **settings):
    wired = []

    def build(process):
        wired.append(wire(process, grouped(EdgeSettings, port=0, allow_plain_ws=True, **settings)))
        return wired[0].service

    process = Process(RuntimeSettings(kafka_bootstrap_servers=bootstrap_servers, http_port=0), "edge")
    await process.start([build])
    try:
        yield RunningEdge(process, wired[0])
    finally:
        await process.stop()


async def read(bootstrap_servers, topic, partitions, key):
    """Return the records of a key, read to the end of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        assigned = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(assigned)
        ends = await consumer.end_offsets(assigned)
        found = []
        for tp in assigned:
            while await consumer.position(tp) < ends[tp]:
                for record in (await consumer.getmany(tp, timeout_ms=200)).get(tp, ()):
                    if record.key == key.encode():
                        headers = dict(record.headers)
                        found.append(Received(topic, tp.partition, record.offset, key, record.value, headers))
        return found
    finally:
        await consumer.stop()


@pytest.fixture
async def edge(kafka, topics):
    async with running_edge(kafka.bootstrap_servers, slot=20) as edge:
        yield edge


@pytest.mark.road
async def test_an_answered_frame_is_in_kafka(edge, kafka):
    station_id = await edge.register()
    async with edge.connect(station_id) as socket:
        for number in range(10):
            await socket.send(f'[2,"{number}","Heartbeat",{{}}]')
        answers = [json.loads(await socket.recv()) for _ in range(10)]
        assert [answer[:2] for answer in answers] == [[3, str(number)] for number in range(10)]
        records = await read(kafka.bootstrap_servers, frames_topic("device"), FRAME_PARTITIONS, station_id)
    frames = [Frame.read(record) for record in records]
    assert [(frame.number, frame.message_id, frame.slot) for frame in frames] == [
        (number + 1, str(number), 20) for number in range(10)
    ]
    announced, *_ = await read(kafka.bootstrap_servers, PRESENCE, TOPICS[PRESENCE].partitions, station_id)
    assert {frame.epoch for frame in frames} == {announced.offset}


async def test_the_clock_by_which_commands_are_fresh_is_kafkas(edge):
    clock = edge.process.edges.kafka_clock
    await until(lambda: clock.measured)
    assert clock.stamped
    assert abs(clock.skew_s()) < 0.5  # broker and edge share a clock here: the rest is the way of a heartbeat
    assert edge.process.edges.life(20, edge.edge.slot.epoch, 10) == "alive"


async def test_a_services_answer_comes_down_the_slots_partition(edge, kafka):
    station_id = await edge.register()
    async with edge.connect(station_id) as socket:
        await socket.send('[2,"a","Authorize",{"idTag":"t"}]')
        frames = []
        async with asyncio.timeout(180):
            while not frames:
                frames = await read(kafka.bootstrap_servers, frames_topic("session"), FRAME_PARTITIONS, station_id)
        answer = Frame.read(frames[0]).answer(b'{"idTagInfo":{"status":"Accepted"}}', "/session", datetime.now(UTC))
        await edge.process.producer.send(answer)
        assert await asyncio.wait_for(socket.recv(), 180) == '[3,"a",{"idTagInfo":{"status":"Accepted"}}]'


async def test_two_edges_with_one_station_keep_the_newer_connection(edge, kafka):
    async with running_edge(kafka.bootstrap_servers, slot=21) as other:
        station_id = await edge.register()
        await until(lambda: other.edge.server._parts.admission.registry.find(station_id))
        async with edge.connect(station_id) as old:
            await beat(old)  # the log orders connections, so this one has to be in it before the next
            new = await other.connect(station_id)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(old.recv(), 180)
            await beat(new)
            async with edge.connect(station_id) as newest:
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(new.recv(), 180)
                await beat(newest)
    records = await read(kafka.bootstrap_servers, PRESENCE, TOPICS[PRESENCE].partitions, station_id)
    states = [json.loads(record.value) for record in records]
    assert [state["slot"] for state in states if state["connected"]] == [20, 21, 20]
    assert [state["epoch"] for state in states if not state["connected"]] == [records[2].offset]


async def test_an_edge_leaves_the_log_as_if_it_had_never_been(kafka, topics):
    async with running_edge(kafka.bootstrap_servers, slot=22) as edge:
        station_id = await edge.register()
        socket = await edge.connect(station_id)
        await socket.send('[2,"1","Heartbeat",{}]')
        await socket.recv()
    begin, end = await read(kafka.bootstrap_servers, PRESENCE, TOPICS[PRESENCE].partitions, station_id)
    assert json.loads(end.value)["connected"] is False
    assert json.loads(end.value)["epoch"] == begin.offset
    *_, last = await read(kafka.bootstrap_servers, EDGES, TOPICS[EDGES].partitions, "22")
    assert json.loads(last.value)["stopped"] is True
    assert socket.close_code == 1012


MISSING = frames_topic("notification")
PATIENCE = {"stall_s": 8, "dark_s": 15, "spread_s": 0.5}
"""Of an edge that is to go dark soon, but not when a busy broker takes seconds to lead partitions that are new."""


@pytest.fixture
def topics_there():
    """Return the topics that a test's own broker has; a test may set them by a parameter of this name."""
    return set(TOPICS)


@pytest.fixture
async def own_kafka(kafka, tmp_path, topics_there):
    """A broker that a test may stop."""
    broker = EmbeddedKafka(tmp_path)
    await broker.start()
    await create(broker, topics_there)
    yield broker
    await broker.stop()


async def create(broker, names):
    connection = KafkaConnection(RuntimeSettings(kafka_bootstrap_servers=broker.bootstrap_servers))
    await ensure_topics(connection, [TOPICS[name] for name in names], replication=1)


@pytest.mark.parametrize("topics_there", [TOPICS.keys() - {MISSING, DELIVERIES}])
async def test_a_topic_that_is_missing_holds_up_what_goes_there_and_nothing_else(own_kafka, monkeypatch):
    monkeypatch.setattr(topic_queue, "PATIENCE_S", 60)  # the frame waits until the topic is there
    async with running_edge(own_kafka.bootstrap_servers, **PATIENCE) as edge:
        station_id, other_id = await edge.register(), await edge.register()
        async with edge.connect(station_id) as socket, edge.connect(other_id) as other:
            await beat(other)
            await socket.send(SECURITY_EVENT)
            await edge.process.producer.send(too_late(other_id, edge.edge.connections.of(other_id)[0].epoch))
            began = monotonic()
            while monotonic() < began + 1.2 * PATIENCE["dark_s"]:
                await beat(other)
                await asyncio.sleep(0.1)
                assert edge.edge.check() is None
            await create(own_kafka, [MISSING, DELIVERIES])
            answer = json.loads(await asyncio.wait_for(socket.recv(), 180))
            assert answer[:2] == [3, "event"]
        partitions = TOPICS[DELIVERIES].partitions
        async with asyncio.timeout(180):
            while not (reports := await read(own_kafka.bootstrap_servers, DELIVERIES, partitions, other_id)):
                await asyncio.sleep(0.1)
        assert json.loads(reports[0].value)["result"] == "undeliverable"


def too_late(station_id, epoch):
    """Return a command that the edge reports at once, as it came too late to be written."""
    long_ago = datetime(2024, 5, 1, tzinfo=UTC)
    return Command("c-1", station_id, "ClearCache", b"{}", 0, epoch, timeout_s=1, sent_at=long_ago).record()


async def test_a_kafka_that_hangs_puts_the_edge_in_the_dark_and_its_return_ends_that(own_kafka):
    async with running_edge(own_kafka.bootstrap_servers, **PATIENCE) as edge:
        station_id = await edge.register()
        socket = await edge.connect(station_id)
        await socket.send('[2,"1","Heartbeat",{}]')
        await asyncio.wait_for(socket.recv(), 180)
        await own_kafka.pause()
        try:
            await socket.send('[2,"2","Heartbeat",{}]')
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 180)
            assert closed.value.rcvd.code == 1013
            with pytest.raises(InvalidStatus) as refused:
                await edge.connect(station_id)
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) >= 10
            assert edge.edge.check() == "Kafka does not take records"
        finally:
            own_kafka.resume()
        await until(lambda: edge.edge.check() is None, 180)
        async with edge.connect(station_id) as socket:
            await beat(socket)
    states = [
        json.loads(record.value)
        for record in await read(own_kafka.bootstrap_servers, PRESENCE, TOPICS[PRESENCE].partitions, station_id)
    ]
    assert states[-1]["connected"] is False


async def test_a_kafka_that_was_killed_and_started_again_is_used_again(own_kafka):
    async with running_edge(own_kafka.bootstrap_servers, **PATIENCE) as edge:
        station_id = await edge.register()
        socket = await edge.connect(station_id)
        await own_kafka.kill()
        with pytest.raises(ConnectionClosed):
            await beat(socket)
        await own_kafka.restart()
        await until(lambda: edge.edge.check() is None, 180)
        async with edge.connect(station_id) as socket:
            await beat(socket)

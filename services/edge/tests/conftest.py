"""An edge against a Kafka that a test plays: it decides when records are acknowledged, and what comes down."""

import asyncio
import base64
import socket
from collections import defaultdict
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import pytest
import uvloop
from chargebus_edge.log import drain
from chargebus_edge.main import wire
from chargebus_edge.settings import EdgeSettings
from chargebus_events.record import Received
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import DOWNLINK, EDGES
from chargebus_runtime.edge_liveness import EdgeLiveness
from chargebus_runtime.producer import Sent
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.secrets import hash_generated
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.settings import grouped
from websockets.asyncio.client import connect

PASSWORD = "0123456789abcdef0123456789abcdef01234567"
STORED = hash_generated(PASSWORD)


def pytest_asyncio_loop_factories(item):
    """TLS is a matter of the loop: it is tested on the one that processes have."""
    if item.path.stem.startswith("test_edge_tls"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture
def handshake():
    """Speak as a station does whose own library resumes sessions."""

    def handshake(context, port, session=None):
        """Return the answer to an opening request, whether the session was resumed, and the session."""
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
        ):
            tls.sendall(
                b"GET /ocpp/CP1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
            )
            return tls.recv(64), tls.session_reused, tls.session

    return handshake


class PlayedKafka:
    """Keeps records, acknowledges them (unless told to wait) and hands them to who reads the topic."""

    def __init__(self):
        self.log = defaultdict(list)
        self.waiting = []
        self.held = False
        self.failing = None
        self.readers = []
        self.seen = asyncio.Condition()

    async def hand_over(self, records):
        for outgoing in records:
            if self.held:
                self.waiting.append(outgoing)
            else:
                self._take(outgoing)

    async def send(self, record):
        answer = asyncio.get_running_loop().create_future()
        await self.hand_over([SimpleNamespace(record=record, told=answer.set_result)])
        return await answer

    def hold(self):
        self.held = True

    def release(self):
        self.held = False
        waiting, self.waiting = self.waiting, []
        for outgoing in waiting:
            self._take(outgoing)

    def fail(self, error):
        waiting, self.waiting = self.waiting, []
        for outgoing in waiting:
            outgoing.told(error)

    def write(self, record):
        """Let another process write a record."""
        log = self.log[record.topic]
        log.append(record)
        received = self.received(record, len(log) - 1)
        for service in self.readers:
            for view in service.views:
                if view.topic == record.topic:
                    view.take(received)
            for tail in service.tails:
                if (tail.topic, tail.partition) == (record.topic, record.partition):
                    tail.apply([received])
        return len(log) - 1

    @staticmethod
    def received(record, offset):
        """A record as it is read; the broker's clock is right, and it stamps the topic of edges."""
        return Received(
            topic=record.topic,
            partition=record.partition or 0,
            offset=offset,
            key=record.key,
            value=record.value,
            headers=dict(record.headers),
            timestamp_ms=int(datetime.now(UTC).timestamp() * 1000),
            stamped_by_kafka=record.topic == EDGES,
        )

    def _take(self, outgoing):
        offset = self.write(outgoing.record)
        asyncio.get_running_loop().call_soon(outgoing.told, Sent(outgoing.record.partition or 0, offset))
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self):
        async with self.seen:
            self.seen.notify_all()

    async def until(self, topic, count):
        """Wait for so many records of a topic and return them."""
        async with asyncio.timeout(180), self.seen:
            await self.seen.wait_for(lambda: len(self.log[topic]) >= count)
        return self.log[topic]


class EdgeUnderTest:
    def __init__(self, wired, kafka):
        self.wired = wired
        self.edge = wired.edge
        self.kafka = kafka
        self.tasks = []

    @property
    def connections(self):
        return self.edge.connections

    def url(self, path):
        return f"ws://127.0.0.1:{self.edge.server.port}{path}"

    def register(self, station_id, registration="accepted", **more):
        more = {"password_hash": STORED, "updated_at": datetime.now(UTC), **more}
        self.kafka.write(RegisteredStation(station_id, registration, **more).record())

    def connect(self, station_id, *, password=PASSWORD, user=None, path=None, **options):
        headers = options.pop("additional_headers", None) or basic(user or station_id, password)
        options = {"subprotocols": ["ocpp1.6"], "compression": None, **options}
        return connect(self.url(path or f"/ocpp/{station_id}"), additional_headers=headers, **options)

    async def published(self, service, count):
        return (await self.kafka.until(f"ocpp.frames.{service}", count))[:count]

    def send_down(self, record):
        assert record.topic == DOWNLINK
        self.kafka.write(record)


def basic(user, password):
    secret = password if isinstance(password, bytes) else password.encode()
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + secret).decode()}


def decode(record):
    return msgspec.json.decode(record.value)


@pytest.fixture
def played_kafka():
    return PlayedKafka()


@pytest.fixture
def run_edge(played_kafka, monkeypatch):
    """Run an edge with some settings; several may run on one Kafka. What a test leaves open is not waited for.

    A Kafka that a test plays is never slow by itself: what stands still for seconds is the machine.
    """

    @asynccontextmanager
    async def run(**settings):
        settings = {"stall_s": 60, "dark_s": 120, **settings}
        clock = settings.pop("clock", lambda: datetime.now(UTC))
        tracing = Tracing(enabled=False)
        process = SimpleNamespace(
            producer=played_kafka,
            clock=clock,
            telemetry=SimpleNamespace(tracing=tracing),
            sealing=Sealing(),
            edges=EdgeLiveness("edge", clock),
        )
        wired = wire(process, grouped(EdgeSettings, **{"port": 0, "allow_plain_ws": True, **settings}))
        service = wired.service
        for topic, log in list(played_kafka.log.items()):
            for offset, record in enumerate(log):
                for view in service.views:
                    if view.topic == topic:
                        view.take(played_kafka.received(record, offset))
        for view in service.views:
            view.ready.set()
        played_kafka.readers.append(service)
        edge = EdgeUnderTest(wired, played_kafka)
        edge.tracing = tracing
        await service.start()
        edge.tasks = [asyncio.ensure_future(task()) for task in service.tasks]
        try:
            yield edge
        finally:
            played_kafka.release()
            with monkeypatch.context() as impatient:
                impatient.setattr(drain, "PATIENCE_S", 0.1)
                await service.drain()
            for task in edge.tasks:
                task.cancel()
            await asyncio.gather(*edge.tasks, return_exceptions=True)
            if service in played_kafka.readers:
                played_kafka.readers.remove(service)

    return run


@pytest.fixture
async def edge(run_edge):
    async with run_edge() as edge:
        edge.register("CP1")
        yield edge

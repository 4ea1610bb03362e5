"""A device service without its process: a real database, and what it would have sent."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio
from chargebus_device.boots.block import Boots
from chargebus_device.boots.domain import Rules
from chargebus_device.connections.handlers import PresenceLog
from chargebus_device.connections.tasks import EdgeLife, LifeRules
from chargebus_device.main import Asked, CommandSide, asking, consumed, routes
from chargebus_device.metrics import Metrics
from chargebus_device.registration.operations import BulkLimits, Registrar
from chargebus_device.settings import DeviceSettings
from chargebus_device.statuses.block import Statuses
from chargebus_events.access import ApiKey
from chargebus_events.commands import CommandOutcome, CommandRequested
from chargebus_events.frames import Frame
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.record import Received, Record
from chargebus_events.topics import COMMANDS, frames_topic
from chargebus_runtime import secrets
from chargebus_runtime.batch import Batch
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.edge_liveness import EdgeLiveness
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.keys import KeyRing, format_key
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.telemetry import Trace, Tracing
from chargebus_testkit.databases import migrated_database
from chargebus_testkit.http import http_client
from chargebus_testkit.producer import KeepingProducer

FRAMES = frames_topic("device")
MIGRATIONS = Path(__file__).parent.parent / "migrations"
START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
DEAD_AFTER = timedelta(seconds=10)
RULES = Rules("refuse", heartbeat_s=300, retry_s=60)
API_SECRET = "5ec4e7" * 7


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class PlayedNews:
    """Takes the place of CaughtUp: all is read, once what `unread` returns is applied."""

    def __init__(self):
        self.unread = None

    async def with_all_of(self, key: str, within_s: float) -> bool:
        if self.unread is not None:
            await self.unread()
        return True


@dataclass
class Device:
    """The parts of the service on one database."""

    database: Database
    sent: KeepingProducer
    time: Time
    consumed: ConsumerSpec
    heard: EdgeLiveness
    life: EdgeLife
    registrar: Registrar
    news: PlayedNews
    asked: Asked
    offset: int = 0
    statements: list[object] = field(default_factory=list)

    async def apply(self, *records: Received) -> list[Record]:
        """Apply one batch and return what it sends."""
        async with self.database.pool.acquire() as connection, connection.transaction():
            batch = Batch(records, connection, self.time(), Trace())
            with connection.query_logger(self.statements.append):
                await self.consumed.handle(batch)
        return [record for group in batch.outgoing.values() for record in group]

    def frame(self, action: str, payload: bytes, **more) -> Received:
        """Return a frame that arrived just now."""
        self.offset += 1
        frame = Frame(
            station_id=more.get("station_id", "CS-1"),
            version=more.get("version", "1.6"),
            action=action,
            message_id=f"m{self.offset}",
            slot=more.get("slot", 3),
            epoch=more.get("epoch", 7),
            number=self.offset,
            payload=payload,
            received_at=more.get("received_at", self.time()),
        )
        record = received(frame.record(FRAMES), self.offset)
        return msgspec.structs.replace(record, timestamp_ms=int(frame.received_at.timestamp() * 1000))

    def presence(self, offset: int, **more) -> Received:
        """Return a presence record at an offset."""
        values = {"station_id": "CS-1", "connected": True, "slot": 3, "edge_epoch": 5, "at": self.time(), **more}
        return received(Presence(**values).record(), offset)

    def hear(self, offset: int, **more) -> None:
        """Hear an edge, live."""
        values = {"slot": 3, "instance": "edge-a", "at": self.time(), **more}
        self.heard.apply(received(EdgeHeartbeat(**values).record(), offset))

    def again(self) -> None:
        """Put a copy that has just started in the place of the one that ran: it knows what stands in rows alone."""
        commands = CommandSide(KafkaClock(self.time, lambda: 0.0), Sealing([b"k" * 32]))
        metrics = Metrics()
        self.asked = asking(self.database, commands, metrics, DeviceSettings())
        presence, boots = PresenceLog(self.life), Boots(RULES, metrics)
        self.consumed = consumed(presence, boots, Statuses(metrics), self.asked, self.time)

    async def fetch(self, query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self.database.pool.fetch(query)]

    async def settled(self) -> list[Record]:
        """Wait until everything committed is sent; return all that was."""
        await self.database.outbox.settle()
        return self.sent.records


def received(record: Record, offset: int) -> Received:
    """Return a record as a consumer gets it."""
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


class Stations:
    """Stations of OCPP 1.6 that answer what the service asks, as a test says."""

    def __init__(self, device):
        self.device = device
        self.keys = {}
        self.seen = set()
        self.asked = []

    async def connect(self, *station_ids, **keys):
        device = self.device
        device.hear(0, epoch=5)
        for number, station_id in enumerate(station_ids, start=1):
            self.keys[station_id] = {"HeartbeatInterval": "300", "WebSocketPingInterval": "20", **keys}
            await device.database.pool.execute(
                "INSERT INTO station (station_id, registration, password_hash, security_profile, versions, name,"
                " labels, created_at, updated_at) VALUES ($1, 'accepted', '', 1, '{}', '', '{}', $2, $2)",
                station_id,
                device.time(),
            )
            presence = device.presence(100 + number, station_id=station_id, version="1.6")
            await device.apply(presence)
            await self.boot(station_id)

    async def boot(self, station_id, firmware_version="1.0"):
        """Boot a station."""
        payload = {"chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": firmware_version}
        boot = self.device.frame("BootNotification", json.dumps(payload).encode(), station_id=station_id)
        await self.device.apply(boot)

    async def answer(self, *, silent=(), rejects=()):
        """Answer all that was asked and is not answered yet; return the names of the actions."""
        actions = []
        records = list(await self.device.settled())
        for record in records:
            if record.topic != COMMANDS:
                continue
            asked = msgspec.json.decode(record.value, type=CommandRequested)
            if asked.command_id in self.seen:
                continue
            self.seen.add(asked.command_id)
            form = asked.forms[0]
            payload = json.loads(bytes(form.payload))
            actions.append(form.action)
            self.asked.append((asked.station_id, form.action, payload))
            if asked.station_id in silent:
                continue
            reply = self._reply(asked.station_id, form.action, payload, rejects)
            records.extend(await self.device.apply(self._outcome(asked, form.action, reply)))
        return actions

    def _reply(self, station_id, action, payload, rejects):
        keys = self.keys[station_id]
        if action == "ChangeConfiguration":
            if payload["key"] in rejects:
                return {"status": "Rejected"}
            keys[payload["key"]] = payload["value"]
            return {"status": "Accepted"}
        wanted = payload.get("key") or list(keys)
        shown = [{"key": key, "readonly": False, "value": keys[key]} for key in wanted if key in keys]
        return {"configurationKey": shown, "unknownKey": [key for key in wanted if key not in keys]}

    def _outcome(self, asked, action, reply):
        told = CommandOutcome(
            command_id=asked.command_id,
            station_id=asked.station_id,
            requester="device",
            outcome="answered",
            intent=asked.intent,
            subject=asked.subject,
            requested_at=self.device.time(),
            ended_at=self.device.time(),
            action=action,
            version="1.6",
            payload=msgspec.Raw(json.dumps(reply).encode()),
        ).record()
        self.device.offset += 1
        return Received(told.topic, 0, self.device.offset, told.key, told.value, dict(told.headers))

    async def go_on(self, rounds=6, **more):
        """Let time pass, and all that is to be done be done."""
        for _ in range(rounds):
            self.device.time.pass_s(6)
            await self.device.asked.following.notice()
            await self.device.asked.following.look()
            await self.device.asked.reading.sweep()
            await self.device.asked.requests.sweep()
            await self.answer(**more)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def device_database(postgres) -> AsyncIterator[DatabaseOptions]:
    """Migrate one database for the tests of this folder."""
    async with migrated_database(postgres.url, "device", MIGRATIONS) as options:
        yield options


@pytest.fixture
async def device(device_database) -> AsyncIterator[Device]:
    """Return the service's parts on an empty database."""
    time, sent, metrics = Time(), KeepingProducer(), Metrics()
    database = Database(device_database, sent, time, Tracing(enabled=False))
    await database.start()
    heard = EdgeLiveness("device", time, lambda: time().timestamp())
    heard.view.ready.set()
    life = EdgeLife(database, heard, LifeRules(DEAD_AFTER, every_s=0.01), time)
    news = PlayedNews()
    commands = CommandSide(KafkaClock(time, lambda: 0.0), Sealing([b"k" * 32]))
    asked = asking(database, commands, metrics, DeviceSettings())
    yield Device(
        database,
        sent,
        time,
        consumed(PresenceLog(life), Boots(RULES, metrics), Statuses(metrics), asked, time),
        heard,
        life,
        Registrar(database, BulkLimits(stations=50, chosen_passwords=2), news),
        news,
        asked,
    )
    await database.outbox.settle()
    await database.pool.execute(
        "TRUNCATE station, boot, connection, connector_status, edge, onboarding, outbox, consumer_offset,"
        " deviation, deviation_sum, deviation_rule, deviation_rules, asked_command,"
        " variable, variable_station, variable_request, configuration, configuration_station, configuration_variable"
    )
    await database.stop()


@pytest.fixture
async def api(device) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the service's HTTP API; `as_role` makes its headers."""
    ring = KeyRing(device.time)
    for role in ("viewer", "operator", "admin"):
        key = ApiKey(f"id{role}", role, role, secrets.hash_generated(API_SECRET), START)
        ring.view.apply(received(key.record(), 0))
    ring.view.ready.set()

    served = routes(device.database, device.registrar, device.asked)
    async with http_client({"/v1": served}, ring, "/v1", **as_role("operator")) as client:
        yield client


def as_role(role: str) -> dict[str, str]:
    """Return the headers of a caller."""
    return {"X-API-Key": format_key(f"id{role}", API_SECRET)}


@pytest.fixture
def role_headers():
    """Return the maker of a caller's headers."""
    return as_role


@pytest.fixture
def stations(device) -> Stations:
    """Return stations of OCPP 1.6 that answer what they are asked."""
    return Stations(device)


@pytest.fixture
def device_time() -> Time:
    """Return a clock that stands still."""
    return Time()

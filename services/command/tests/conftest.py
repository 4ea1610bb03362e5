"""A command service without its process: a real database, and what it would have sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio
from chargebus_command.api import ApiParts, router
from chargebus_command.block import Queues
from chargebus_command.handlers import Handlers
from chargebus_command.metrics import Metrics
from chargebus_command.operations import Commands
from chargebus_command.payload import Keeping
from chargebus_command.settings import CommandSettings
from chargebus_command.store.commands import ENDED_CHANNEL
from chargebus_command.tasks import Sweeper, SweepTimes
from chargebus_events.access import ApiKey
from chargebus_events.commands import CommandForm, CommandOutcome, CommandRequested, Delivery
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.record import Received, Record
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import DOWNLINK, EDGES, outcomes_topic
from chargebus_runtime import secrets
from chargebus_runtime.batch import Batch
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.edge_liveness import EdgeLiveness
from chargebus_runtime.keys import KeyRing, format_key
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.telemetry import Trace, Tracing
from chargebus_runtime.waiters import Waiters
from chargebus_testkit.databases import migrated_database
from chargebus_testkit.http import http_client
from chargebus_testkit.producer import KeepingProducer
from chargebus_testkit.settings import grouped

MIGRATIONS = Path(__file__).parent.parent / "migrations"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
API_SECRET = "5ec4e7" * 7
SLOT, EDGE_EPOCH = 3, 5
SEALING = Sealing([b"k" * 32])


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Sent(KeepingProducer):
    """A producer of which `on_record` sees each record."""

    on_record: Callable[[Record], None] = lambda _record: None

    def keep(self, record: Record) -> None:
        super().keep(record)
        self.on_record(record)


@dataclass
class News:
    """Takes the place of CaughtUp: all is read, once what `unread` returns is applied."""

    unread: Callable[[], Awaitable[object]] | None = None
    asked_for: list[str] = field(default_factory=list)

    async def with_all_of(self, key: str, within_s: float) -> bool:
        self.asked_for.append(key)
        if self.unread is not None:
            await self.unread()
        return True


@dataclass
class Service:
    """The parts of the service on one database."""

    database: Database
    sent: Sent
    time: Time
    edges: EdgeLiveness
    handlers: Handlers
    queues: Queues
    sweeper: Sweeper
    waiters: Waiters
    commands: Commands
    news: News
    statements: list[object] = field(default_factory=list)

    async def apply(self, *records: Received) -> list[Record]:
        """Apply one batch and return what it sends; heartbeats of edges are read beside it."""
        for record in records:
            if record.topic == EDGES:
                self.edges.apply(record)
        records = tuple(record for record in records if record.topic != EDGES)
        async with self.database.pool.acquire() as connection, connection.transaction():
            batch = Batch(records, connection, self.time(), Trace())
            with connection.query_logger(self.statements.append):
                await self.handlers.handle(batch)
        return [record for group in batch.outgoing.values() for record in group]

    async def come_online(self, *station_ids: str, epoch: int = 7, version: str = "1.6") -> list[Record]:
        """Register and connect stations through one living edge."""
        news = [self.heartbeat()]
        for station_id in station_ids:
            news += [self.registered(station_id), self.presence(station_id, epoch, version=version)]
        return await self.apply(*news)

    def heartbeat(self, offset: int = EDGE_EPOCH, slot: int = SLOT, **more) -> Received:
        """Return a heartbeat; without an epoch it is the edge's first."""
        return received(EdgeHeartbeat(slot, "edge-a", **{"at": self.time(), **more}).record(), offset)

    def presence(self, station_id: str, offset: int, **more) -> Received:
        """Return a presence record at an offset."""
        values = {
            "connected": True,
            "slot": SLOT,
            "edge_epoch": EDGE_EPOCH,
            "at": self.time(),
            "version": "1.6",
            **more,
        }
        return received(Presence(station_id, **values).record(), offset)

    def registered(self, station_id: str) -> Received:
        return received(RegisteredStation(station_id, "accepted", "hash", self.time()).record())

    def request(self, station_id: str, command_id: str, action: str = "Reset", **more) -> Received:
        """Return a request of another service."""
        form = CommandForm(action, msgspec.Raw(more.pop("payload", b'{"type":"Soft"}')), more.pop("versions", ()))
        values = {"requester": "session", "requested_at": self.time(), "forms": (form,), **more}
        return received(CommandRequested(command_id, station_id, **values).record())

    def delivery(self, station_id: str, command_id: str, result: str, epoch: int = 7, **more) -> Received:
        """Return an edge's report."""
        return received(Delivery(command_id, station_id, epoch, result, self.time(), **more).record(SLOT))

    def downlinks(self, records: Sequence[Record]) -> list[tuple[str, int | None, bytes | None]]:
        """Return station, partition and command id of the commands among records."""
        return [(r.key, r.partition, dict(r.headers)["ce_id"]) for r in records if r.topic == DOWNLINK]

    def outcomes(self, records: Sequence[Record]) -> list[CommandOutcome]:
        """Return the outcomes among records."""
        return [
            msgspec.json.decode(r.value, type=CommandOutcome) for r in records if r.topic == outcomes_topic("session")
        ]

    async def fetch(self, query: str, *values: object) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self.database.pool.fetch(query, *values)]

    async def outcome(self, command_id: str) -> object:
        rows = await self.fetch("SELECT outcome FROM command WHERE command_id = $1", command_id)
        return rows[0][0]

    async def settled(self) -> list[Record]:
        """Wait until everything committed is sent; return all that was."""
        await self.database.outbox.settle()
        return self.sent.records


def received(record: Record, offset: int = 0) -> Received:
    """Return a record as a consumer gets it."""
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def command_database(postgres) -> AsyncIterator[DatabaseOptions]:
    """Migrate one database for the tests of this folder."""
    async with migrated_database(postgres.url, "command", MIGRATIONS) as options:
        yield options


@pytest.fixture
def absent_grace_s() -> float:
    """Return how long a command waits for an absent station; a test may set it by a parameter of this name."""
    return 0.0


@pytest.fixture
def secret_names() -> tuple[str, ...]:
    """Return what an operator adds to the secrets; a test may set it by a parameter of this name."""
    return ()


@pytest.fixture
def sealing() -> Sealing:
    """Return what secrets are sealed with; a test may set it by a parameter of this name."""
    return SEALING


@pytest.fixture
def keeping(secret_names, sealing) -> Keeping:
    return Keeping.of(secret_names, sealing)


@pytest.fixture
async def service(command_database, absent_grace_s, keeping) -> AsyncIterator[Service]:
    """Return the service's parts on an empty database."""
    time, sent, metrics, news = Time(), Sent(), Metrics(), News()
    settings = grouped(CommandSettings, max_waiting=5, absent_grace_s=absent_grace_s)
    database = Database(command_database, sent, time, Tracing(enabled=False))
    await database.start()
    edges = EdgeLiveness("test", time, lambda: time().timestamp())
    queues = Queues(settings.rules(), edges, settings.grace.edge_silence_s, metrics, keeping)
    waiters = Waiters(database, ENDED_CHANNEL)
    yield Service(
        database,
        sent,
        time,
        edges,
        Handlers(queues, metrics, time, edges.kafka_clock),
        queues,
        Sweeper(database, queues, metrics, SweepTimes(0.05, 2, 0.05, settings.sweep.keep_days)),
        waiters,
        Commands(database, queues, waiters, news),
        news,
    )
    await database.outbox.settle()
    await database.pool.execute("TRUNCATE station, command, outbox, consumer_offset")
    await database.stop()


@pytest.fixture
def http_wait_s() -> float:
    """Return how long the API waits for an outcome; a test may set it by a parameter of this name."""
    return 0.3


@pytest.fixture
async def api(service, http_wait_s) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the service's HTTP API, as an operator; `role_headers` makes the headers of others."""
    ring = KeyRing(service.time)
    for role in ("viewer", "operator", "admin"):
        key = ApiKey(f"id{role}", role, role, secrets.hash_generated(API_SECRET), START)
        ring.view.apply(received(key.record()))
    ring.view.ready.set()

    parts = ApiParts(service.commands, service.queues.rules, http_wait_s)
    listening = asyncio.create_task(service.waiters.run())
    async with http_client({"/v1": router(parts)}, ring, "/v1", **as_role("operator")) as client:
        yield client
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await asyncio.sleep(0)  # its connection is closed by the next turn of the loop


def as_role(role: str) -> dict[str, str]:
    """Return the headers of a caller."""
    return {"X-API-Key": format_key(f"id{role}", API_SECRET)}


@pytest.fixture
def role_headers():
    """Return the maker of a caller's headers."""
    return as_role

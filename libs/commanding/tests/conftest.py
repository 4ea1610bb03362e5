"""A service that asks, without its process: a real database, and what it would have sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from chargebus_commanding import Ask, Asked, Commanding, Form, Outcome, Transaction
from chargebus_events.commands import CommandOutcome, CommandRequested
from chargebus_events.record import Received, Record
from chargebus_events.topics import COMMANDS
from chargebus_runtime.batch import Batch
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.migrations import migrate
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.telemetry import Trace, Tracing
from chargebus_testkit.producer import KeepingProducer
from chargebus_testkit.servers import execute

MIGRATIONS = Path(__file__).parent / "asking_migrations"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SEALING = Sealing([b"k" * 32])
FORM = Form(("1.6",), "Reset", b'{"type":"Soft"}')
LISTENING = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Asking:
    """A service that asks, with one intent, "reset": it notes the outcomes that it is told of."""

    database: Database
    sent: KeepingProducer
    time: Time
    told: list[list[Outcome]] = field(default_factory=list)
    reply: Record | None = None
    sealing: Sealing = SEALING

    def __post_init__(self) -> None:
        self.clock = KafkaClock(self.time, lambda: 0.0)
        self.commanding = Commanding("session", self.database, {"reset": self.note}, self.clock, self.sealing)

    async def note(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        self.told.append(list(outcomes))
        if self.reply is not None:
            tx.send(self.reply)

    async def ask(self, **more) -> Asked:
        values = {"station_id": "CS-1", "intent": "reset", "forms": (FORM,), **more}
        async with self.database.transaction() as tx:
            return await self.commanding.ask(tx, Ask(**values))

    async def requests(self) -> list[CommandRequested]:
        await self.database.outbox.settle()
        records = [record for record in self.sent.records if record.topic == COMMANDS]
        return [msgspec.json.decode(record.value, type=CommandRequested) for record in records]

    def outcome(self, command_id: str, partition: int = 0, **more) -> Received:
        values = {"station_id": "CS-1", "requester": "session", "outcome": "answered", "intent": "reset"}
        times = {"requested_at": self.time(), "ended_at": self.time()}
        record = CommandOutcome(command_id=command_id, **(values | times | more)).record()
        return Received(record.topic, partition, 0, record.key, record.value, dict(record.headers))

    async def apply(self, *records: Received) -> Batch:
        async with self.database.pool.acquire() as connection, connection.transaction():
            batch = Batch(records, connection, self.time(), Trace())
            await self.commanding.apply(batch, records)
        return batch


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def asking_database(postgres) -> AsyncIterator[DatabaseOptions]:
    options = DatabaseOptions(f"asking_{uuid4().hex[:12]}", postgres.url, MIGRATIONS, pool_size=4)
    await migrate(options.server_url, options.name, options.migrations)
    yield options
    await execute(postgres.url, f'DROP DATABASE "{options.name}" WITH (FORCE)')


@pytest.fixture
async def asking(asking_database) -> AsyncIterator[Asking]:
    time, sent = Time(), KeepingProducer()
    database = Database(asking_database, sent, time, Tracing(enabled=False))
    await database.start()
    await database.pool.execute("TRUNCATE asked_command, outbox")
    yield Asking(database, sent, time)
    await database.outbox.settle()
    await database.stop()


@pytest.fixture
async def listening(asking) -> AsyncIterator[None]:
    """Have waiting calls woken."""
    running = asyncio.create_task(asking.commanding.tasks[0]())
    async with asyncio.timeout(180):
        while not await asking.database.pool.fetch(LISTENING):
            await asyncio.sleep(0.01)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.sleep(0)  # its connection is closed by the next turn of the loop

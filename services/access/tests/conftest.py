"""An access service without its process: a real database, and a topic that the test plays."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from chargebus_access.api import router
from chargebus_access.handlers import KeyLog
from chargebus_access.metrics import Metrics
from chargebus_access.operations import KeyOperations
from chargebus_access.tasks import KeyKeeper
from chargebus_events.record import Received, Record
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.keys import KeyRing
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.databases import migrated_database
from chargebus_testkit.http import http_client
from chargebus_testkit.producer import KeepingProducer

MIGRATIONS = Path(__file__).parent.parent / "migrations"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Topic(KeepingProducer):
    """Takes the place of `access.keys`: what is published is read by all views at once."""

    readers: list[KeyLog | KeyRing] = field(default_factory=list)

    def keep(self, record: Record) -> None:
        super().keep(record)
        value = Received(record.topic, 0, len(self.records), record.key, record.value, dict(record.headers))
        for reader in self.readers:
            reader.view.take(value)


@dataclass
class Access:
    """The parts of the service on one database."""

    database: Database
    topic: Topic
    time: Time
    key_log: KeyLog
    ring: KeyRing
    keeper: KeyKeeper
    metrics: Metrics

    async def settled(self) -> None:
        """Wait until everything committed is published."""
        await self.database.outbox.settle()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def access_database(postgres) -> AsyncIterator[DatabaseOptions]:
    """Migrate one database for the tests of this folder."""
    async with migrated_database(postgres.url, "access", MIGRATIONS) as options:
        yield options


@pytest.fixture
async def access(access_database) -> AsyncIterator[Access]:
    """Return the service's parts on an empty database."""
    time, metrics, key_log = Time(), Metrics(), KeyLog()
    ring = KeyRing(time)
    ring.view.ready.set()
    topic = Topic(readers=[key_log, ring])
    database = Database(access_database, topic, time, Tracing(enabled=False))
    await database.start()
    yield Access(database, topic, time, key_log, ring, KeyKeeper(database, topic, key_log, metrics), metrics)
    await database.outbox.settle()
    await database.pool.execute("TRUNCATE api_key, outbox")
    await database.stop()


@pytest.fixture
async def api(access) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the service's HTTP API, without a key."""
    routes = router(KeyOperations(access.database, access.metrics))
    async with http_client({"/v1": routes}, access.ring, "/v1") as client:
        yield client

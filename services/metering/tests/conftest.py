"""A migrated database of metering's own, and records as the edge and `session` send them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest
from chargebus_events.frames import Frame
from chargebus_events.public import SESSION_STARTED, Session, event
from chargebus_events.record import Received, Record
from chargebus_events.topics import frames_topic
from chargebus_metering.main import consumed
from chargebus_metering.metrics import Metrics
from chargebus_runtime.batch import Batch
from chargebus_runtime.migrations import database_url
from chargebus_runtime.telemetry import Trace

NOW = datetime(2024, 5, 1, 12, 0, 5, tzinfo=UTC)
MIGRATIONS = Path(__file__).parent.parent / "migrations"


@pytest.fixture
async def url(make_migrated, postgres) -> str:
    return database_url(postgres.url, await make_migrated("metering", MIGRATIONS))


@pytest.fixture
async def pool(url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(url, min_size=1, max_size=3) as pool:
        yield pool


@dataclass
class Log:
    """Makes records as a consumer gets them, each with an offset and a frame number of its own."""

    written: int = 0

    def received(self, record: Record) -> Received:
        self.written += 1
        return Received(record.topic, 0, self.written, record.key, record.value, dict(record.headers))

    def frame(self, version: str, action: str, payload: object, station_id: str = "cs-1") -> Record:
        raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        topic = frames_topic("metering" if action == "MeterValues" else "session")
        return Frame(station_id, version, action, f"m{self.written}", 0, 7, self.written, raw, NOW).record(topic)

    def session(self, session_id: str = "s-1", kind: str = SESSION_STARTED, **members: object) -> Record:
        body = {
            "station_id": "cs-1",
            "transaction_id": "77",
            "version": "1.6",
            "state": "active",
            "updated_at": NOW,
            "evse_id": 2,
            "connector_id": 1,
            "started_at": datetime(2024, 5, 1, 12, tzinfo=UTC),
            "meter_start_wh": 1000.0,
            **members,
        }
        session = Session(session_id=session_id, **body)
        return event(kind, f"{session_id}/{self.written}", "/session", NOW, session)


@dataclass
class Metering:
    """The service's handler on a real database: apply batches, look at rows and at what goes out."""

    pool: asyncpg.Pool
    log: Log = field(default_factory=Log)

    async def apply(self, *records: Record) -> list[Record]:
        """Apply records as one batch; return what is sent after its commit."""
        handle = consumed(Metrics(), lambda: NOW).handle
        async with self.pool.acquire() as connection, connection.transaction():
            batch = Batch([self.log.received(record) for record in records], connection, NOW, Trace())
            await handle(batch)
        return [record for group in batch.outgoing.values() for record in group]

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self.pool.fetch(query)]


@pytest.fixture
def metering(pool: asyncpg.Pool) -> Metering:
    return Metering(pool)

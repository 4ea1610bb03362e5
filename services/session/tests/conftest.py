"""A session service without its process: a real database, and what it would have sent."""

import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from chargebus_calls import Call
from chargebus_commanding import Commanding
from chargebus_events.commands import CommandOutcome
from chargebus_events.frames import Frame
from chargebus_events.public import Session
from chargebus_events.record import Received, Record
from chargebus_events.topics import DOWNLINK, SESSION_EVENTS, frames_topic
from chargebus_runtime.batch import Batch
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.telemetry import Trace, Tracing
from chargebus_session.main import consumed, intents
from chargebus_session.metrics import Metrics
from chargebus_session.reservations.operations import Reservations
from chargebus_session.settings import SessionSettings
from chargebus_session.tokens.block import Authorizations, TokenState
from chargebus_session.tokens.domain import Token
from chargebus_session.transactions.block import settle
from chargebus_session.transactions.domain.state import Issue, Known, TransactionState
from chargebus_session.transactions.operations import Endings
from chargebus_testkit.databases import migrated_database
from chargebus_testkit.producer import KeepingProducer
from msgspec.json import decode

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
FRAMES = frames_topic("session")
EMPTY = """
TRUNCATE token, charging_session, session_event, session_alias, session_decision, session_doubt,
    connector_state, power_limit, contract_verdict, reservation, reserving_station,
    remote_start, asked_command, outbox;
ALTER SEQUENCE transaction_id RESTART; ALTER SEQUENCE remote_start_id RESTART
"""
ADD_TOKEN = "INSERT INTO token VALUES ($1, $2, '', $3, $4, $5, $6, '', now(), now())"


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def issue() -> Issue:
    sessions, transactions = itertools.count(1), itertools.count(1001)
    return Issue(lambda: f"session-{next(sessions)}", lambda: str(next(transactions)))


@pytest.fixture
def tokens() -> dict[str, Token]:
    """A few registered tokens."""
    return {
        "good": Token("GOOD", group_id="FAMILY"),
        "card": Token("CARD", type="ISO14443"),
        "single": Token("SINGLE", concurrent=False),
        "blocked": Token("BLOCKED", blocked=True),
        "expired": Token("EXPIRED", expires_at=datetime(2025, 5, 31, tzinfo=UTC)),
    }


@pytest.fixture
def state(issue: Issue, tokens: dict[str, Token]) -> TransactionState:
    return TransactionState(Known(tokens=tokens), issue)


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """Make a frame as an edge would: `frame("1.6", "Authorize", b"{…}")`."""
    numbers = itertools.count(1)

    def make(version: str, action: str, payload: bytes, station_id: str = "CS1", at: datetime = NOON) -> Frame:
        number = next(numbers)
        return Frame(station_id, version, action, f"m{number}", 3, 7, number, payload, at)

    return make


@pytest.fixture
def answer(frame) -> Callable[..., bytes]:
    """Decide a request as its row's block would, and return the answer: `answer(state, row, request)`."""

    def decide(state: TransactionState, row, request) -> bytes:
        call = Call(None, frame("2.0.1", "Authorize", b"{}"), request, row)
        if row.block is not Authorizations:
            return settle(state, call)[0].payload
        found = state.token(request.token)
        tokens = {} if found is None else {request.token.key: found}
        return Authorizations(Metrics()).decide(TokenState(tokens, state.judged), call).payload

    return decide


@dataclass
class Applied:
    """What a batch sent."""

    records: list[Record]

    @property
    def answers(self) -> list[object]:
        """The answers to stations, in order."""
        return [json.loads(record.value or b"") for record in self.records if record.topic == DOWNLINK]

    @property
    def events(self) -> list[tuple[str, Session]]:
        """The last word of each public event's type, and the event."""
        return [
            (dict(record.headers)["ce_type"].decode().split(".")[2], decode(record.value or b"", type=Session))
            for record in self.records
            if record.topic == SESSION_EVENTS
        ]

    def ids(self, topic: str) -> list[str]:
        return [dict(record.headers)["ce_id"].decode() for record in self.records if record.topic == topic]


@dataclass
class Service:
    """The parts of the service on one database."""

    database: Database
    sent: KeepingProducer
    commanding: Commanding
    consumed: ConsumerSpec
    endings: Endings
    reservations: Reservations
    now: datetime = NOON
    offset: int = 0
    statements: list[str] = field(default_factory=list)

    async def apply(self, *records: Received) -> Applied:
        """Apply one batch and return what it sends."""
        self.statements.clear()
        async with self.database.pool.acquire() as connection, connection.transaction():
            batch = Batch(records, connection, self.now, Trace())
            with connection.query_logger(lambda logged: self.statements.append(logged.query)):
                await self.consumed.handle(batch)
        return Applied([record for group in batch.outgoing.values() for record in group])

    def frame(self, action: str, request: object, version: str = "1.6", station_id: str = "CS1", **more) -> Received:
        """Return a frame that arrived just now."""
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        number = self.offset + 1
        at = more.get("at", self.now)
        made = Frame(station_id, version, action, f"m{number}", 3, 7, number, payload, at, more.get("expects", True))
        return self.received(made.record(FRAMES))

    def outcome(self, command_id: str, **more) -> Received:
        values = {"station_id": "CS1", "requester": "session", "outcome": "answered"}
        times = {"requested_at": self.now, "ended_at": self.now}
        return self.received(CommandOutcome(command_id=command_id, **(values | times | more)).record())

    def received(self, record: Record) -> Received:
        self.offset += 1
        return Received(record.topic, 0, self.offset, record.key, record.value, dict(record.headers))

    async def rows(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self.database.pool.fetch(query, *arguments)]

    async def settled(self) -> list[Record]:
        """Wait until everything committed over HTTP is sent; return all that was."""
        await self.database.outbox.settle()
        return self.sent.records


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(postgres) -> AsyncIterator[DatabaseOptions]:
    """Migrate one database for the tests of this folder; it is emptied before each."""
    async with migrated_database(postgres.url, "session", MIGRATIONS) as options:
        yield options


@pytest.fixture
async def database(migrated) -> AsyncIterator[tuple[Database, KeepingProducer]]:
    sent = KeepingProducer()
    database = Database(migrated, sent, lambda: NOON, Tracing(enabled=False))
    await database.start()
    await database.pool.execute(EMPTY)
    yield database, sent
    await database.stop()


@pytest.fixture
async def service(database, tokens) -> Service:
    """The service with a few tokens."""
    opened, sent = database
    commanding = Commanding("session", opened, intents(Metrics()), KafkaClock(lambda: NOON, time.monotonic))
    for key, token in tokens.items():
        fields = (key, token.id_token, token.group_id, token.blocked, token.expires_at, token.concurrent)
        await opened.pool.execute(ADD_TOKEN, *fields)
    return Service(
        opened,
        sent,
        commanding,
        consumed(commanding, Metrics(), lambda: NOON, SessionSettings(end_grace_s=0)),
        Endings(opened, commanding, timedelta(0)),
        Reservations(opened, commanding, Metrics()),
    )

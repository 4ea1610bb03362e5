"""A service's own PostgreSQL database: its pool, its migrations, and transactions that send records."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
from chargebus_events.record import Record

from chargebus_runtime import outbox
from chargebus_runtime.asyncpg_private import look_at_elements_cheaply
from chargebus_runtime.away import MAYBE_AWAY, is_away
from chargebus_runtime.clock import Clock
from chargebus_runtime.migrations import BehindError, check_revision, database_url, migrate
from chargebus_runtime.outbox import Outbox, OutboxOptions
from chargebus_runtime.producer import Producer
from chargebus_runtime.retry import until_done
from chargebus_runtime.telemetry import Tracing

look_at_elements_cheaply()  # here, as no service reaches its database but through this module

_ANSWER_WITHIN_S: Final = 2.0
_SETS_AT_ONCE: Final = 2
_BY_INDEX: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Each row of a set finds its rows by an index, though the plan may be from when the tables were still empty."""
PUBLISHED_WITHIN_S: Final = 5.0
"""How long a call waits until Kafka has what it sent, before it answers all the same."""


@dataclass
class Transaction:
    """One open transaction of an HTTP call or a timer; `now` is its one time."""

    connection: asyncpg.Connection
    now: datetime
    tracing: Tracing
    outgoing: list[Record] = field(default_factory=list)
    committed: "Sequence[asyncio.Future[None]] | None" = None  # since the commit: what is done when the records are out

    def send(self, record: Record) -> None:
        """Send a record after the commit.

        Raises:
            RecordTooLargeError: it can never go out.
        """
        self.outgoing.append(self.tracing.carry_current(outbox.check_size(record)))

    async def published(self, within_s: float = PUBLISHED_WITHIN_S) -> bool:
        """Wait, after the commit, until Kafka has all that was sent; whoever is told then may rely on it.

        Returns:
            Whether it has within the time. If not, nothing is lost: what is committed goes out when it can.
        """
        if self.committed is None:
            raise RuntimeError("the transaction is not committed")
        pending: set[asyncio.Future[None]] = set()
        if self.committed:
            _, pending = await asyncio.wait(self.committed, timeout=within_s)
        return not pending


@dataclass(frozen=True)
class DatabaseOptions:
    """What a database is made of; `migrations` is the folder of its Alembic history.

    A transaction whose process is silent for `silent_s` is ended by the server: a copy that stands still must not keep
    the rows locked that whoever takes over its partitions needs.
    """

    name: str
    server_url: str
    migrations: Path
    pool_size: int = 6
    silent_s: float = 10.0


class Database:
    """The database `chargebus_<service>`; use it between `start` and `stop`."""

    def __init__(self, options: DatabaseOptions, producer: Producer, clock: Clock, tracing: Tracing) -> None:
        self._options = options
        self._producer = producer
        self._clock = clock
        self._tracing = tracing
        self._pool: asyncpg.Pool | None = None
        self._sets: asyncpg.Pool | None = None
        self._outbox: Outbox | None = None

    @property
    def options(self) -> DatabaseOptions:
        """What the database is made of."""
        return self._options

    @property
    def name(self) -> str:
        """The database's name on its server."""
        return self._options.name

    @property
    def url(self) -> str:
        """The database's URL, for a connection outside the pool."""
        return database_url(self._options.server_url, self._options.name)

    @property
    def started(self) -> bool:
        """Whether the pool is open."""
        return self._pool is not None

    @property
    def pool(self) -> asyncpg.Pool:
        """The connections; for reading, and for writing where nothing is sent."""
        if self._pool is None:
            raise RuntimeError(f"the database {self.name} is not started")
        return self._pool

    @property
    def outbox(self) -> Outbox:
        """What this database's transactions leave to send."""
        if self._outbox is None:
            raise RuntimeError(f"the database {self.name} is not started")
        return self._outbox

    @property
    def may_hold_s(self) -> float:
        """How long a transaction may wait for something else before it goes on, and surely still has its locks."""
        return self._options.silent_s / 2

    async def migrate(self) -> None:
        """Create the database if it is missing and bring it to its newest revision; waits for the server."""
        await until_done(
            f"migrating {self.name}",
            lambda: migrate(self._options.server_url, self._options.name, self._options.migrations),
            is_away,
        )

    async def start(self) -> None:
        """Open the pool; waits for the server, and for the revision that this code needs, as long as it takes."""
        await until_done(
            f"starting on {self.name}", lambda: check_revision(self.url, self._options.migrations), BehindError, is_away
        )
        self._pool = await until_done(f"connecting to {self.name}", self._connect, is_away)
        self._sets = await self._connect_for_sets()
        options = OutboxOptions(self.name.removeprefix("chargebus_"), self.may_hold_s)
        self._outbox = Outbox(self._pool, self._producer, options)

    async def stop(self) -> None:
        """Close the pool; statements under way may end first."""
        pools = [pool for pool in (self._pool, self._sets) if pool is not None]
        if not pools:
            return
        self.outbox.stop()
        for pool in pools:
            try:
                await asyncio.wait_for(pool.close(), timeout=5)
            except TimeoutError:
                pool.terminate()
        self._pool = self._sets = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """Open a transaction."""
        async with _writing(self.pool) as connection:
            yield connection

    @asynccontextmanager
    async def writing_sets(self) -> AsyncIterator[asyncpg.Connection]:
        """Open a transaction whose statements take sets of rows and find each by an index: they are planned once.

        Else PostgreSQL plans a statement anew each time as long as the set is small, for a plan that is the same; that
        takes it longer than to execute it. Not for statements whose plan depends on what they are given.
        """
        if self._sets is None:
            raise RuntimeError(f"the database {self.name} is not started")
        async with _writing(self._sets) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; its records are committed with it and go out right after."""
        now = self._clock()
        async with self.writing() as connection:
            transaction = Transaction(connection, now, self._tracing)
            yield transaction
            records = {self.outbox.from_http: transaction.outgoing} if transaction.outgoing else {}
            ids = await outbox.insert(connection, outbox.Outgoing(records), now)
        transaction.committed = [self.outbox.watch(row) for row in ids]
        if ids:
            self.outbox.send_soon(ids, [transaction.outgoing])

    async def answers(self) -> bool:
        """Tell whether the database answers, at once; it does not before `start`."""
        if self._pool is None:
            return False
        try:
            await asyncio.wait_for(self._pool.fetchval("SELECT 1"), _ANSWER_WITHIN_S)
        except MAYBE_AWAY:
            return False
        return True

    async def tend_outbox(self) -> None:
        """Delete what was sent and send what waits; call it every second."""
        await self.outbox.tend(self._clock())

    async def _connect(self) -> asyncpg.Pool:
        return await self._new_pool(min_size=1, max_size=self._options.pool_size)

    async def _connect_for_sets(self) -> asyncpg.Pool:
        return await self._new_pool(min_size=0, max_size=_SETS_AT_ONCE, **_BY_INDEX)

    async def _new_pool(self, min_size: int, max_size: int, **settings: str) -> asyncpg.Pool:
        # Nothing sets session state, so a returned connection needs no reset: that saves a round trip each time.
        silent_ms = int(1000 * self._options.silent_s)
        return await asyncpg.create_pool(
            self.url,
            min_size=min_size,
            max_size=max_size,
            reset=_keep,
            command_timeout=60,
            server_settings={"idle_in_transaction_session_timeout": str(silent_ms), **settings},
        )


@asynccontextmanager
async def _writing(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction on a connection of a pool.

    Where the server only reads (a failover: it is another's replica now), the pool lets go of all its connections, so
    that the next try asks anew where the server is that is written to.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except asyncpg.ReadOnlySQLTransactionError:
        await pool.expire_connections()
        raise


async def _keep(_connection: asyncpg.Connection) -> None:
    """Leave a connection as it is."""

"""Waiting for something that any copy of the service may do: PostgreSQL's LISTEN and NOTIFY."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from chargebus_runtime.away import is_away
from chargebus_runtime.database import Database
from chargebus_runtime.retry import until_done


class Waiter:
    """One caller's wait for one key."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End the wait."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a notification; return whether one came in time. The caller looks into the database either way."""
        try:
            async with asyncio.timeout(timeout_s):  # wait_for would make a task of it
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Waiters:
    """The callers of this process that wait on one channel; `run` is a task of the service."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._waiting: dict[str, set[Waiter]] = defaultdict(set)

    async def run(self) -> None:
        """Listen until cancelled; after a lost connection every waiter is woken, as it may have missed its call."""
        while True:
            lost = asyncio.Event()
            connection = await until_done(f"listening to {self._channel}", partial(self._listen, lost), is_away)
            try:
                self._wake_all()
                await lost.wait()
            finally:
                connection.terminate()

    @asynccontextmanager
    async def waiting(self, key: str) -> AsyncIterator[Waiter]:
        """Register before looking into the database, so that no notification falls in between."""
        waiter = Waiter()
        self._waiting[key].add(waiter)
        try:
            yield waiter
        finally:
            self._waiting[key].discard(waiter)
            if not self._waiting[key]:
                del self._waiting[key]

    async def notify(self, connection: asyncpg.Connection, key: str) -> None:
        """Wake those who wait for `key`, in every copy, once the caller's transaction commits."""
        await connection.execute("SELECT pg_notify($1, $2)", self._channel, key)

    async def _listen(self, lost: asyncio.Event) -> asyncpg.Connection:
        connection = await asyncpg.connect(self._database.url)
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            await connection.add_listener(self._channel, self._on_notify)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for waiter in self._waiting.get(str(payload), ()):
            waiter.wake()

    def _wake_all(self) -> None:
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.wake()

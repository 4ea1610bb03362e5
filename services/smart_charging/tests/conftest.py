"""Messages of stations, as the edge puts them on Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from chargebus_events.topics import DOWNLINK
from chargebus_runtime.kafka import received
from chargebus_runtime.migrations import database_url

MIGRATIONS = Path(__file__).parent.parent / "migrations"


@pytest_asyncio.fixture
async def connect(make_migrated, postgres) -> AsyncIterator[Callable[[], Awaitable[asyncpg.Connection]]]:
    """Return what opens connections to a database of this test's own."""
    url = database_url(postgres.url, await make_migrated("smart_charging", MIGRATIONS))
    opened: list[asyncpg.Connection] = []

    async def connect() -> asyncpg.Connection:
        opened.append(await asyncpg.connect(url))
        return opened[-1]

    yield connect
    for connection in opened:
        await connection.close()


@pytest_asyncio.fixture
async def connection(connect) -> asyncpg.Connection:
    """Return a connection to a database of this test's own."""
    return await connect()


Answers = Callable[[], AbstractAsyncContextManager[Callable[[str], Awaitable[Any]]]]


@pytest.fixture
def answers(kafka) -> Answers:
    """Return what reads the answers to stations: `async with answers() as answer: await answer(station_id)`."""

    @asynccontextmanager
    async def reading() -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
        client = AIOKafkaConsumer(
            DOWNLINK, bootstrap_servers=kafka.bootstrap_servers, group_id=uuid4().hex, auto_offset_reset="earliest"
        )
        heard: dict[str, Any] = {}

        async def answer(station_id: str) -> Any:
            while station_id not in heard:
                record = received(await asyncio.wait_for(client.getone(), 180))
                heard[record.key] = json.loads(record.value or b"null")
            return heard[station_id]

        await client.start()
        yield answer
        await client.stop()

    return reading

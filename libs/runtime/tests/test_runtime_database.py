"""A process that stands still in the middle of a transaction keeps its locks no longer than its partitions."""

import asyncio

import asyncpg
import pytest
from chargebus_runtime.clock import utc_now
from chargebus_runtime.database import AWAY, Database, DatabaseOptions
from chargebus_runtime.telemetry import Tracing


@pytest.fixture
async def database(make_database, postgres, producer, tmp_path):
    url = await make_database("silent")
    name = url.split("?")[0].rsplit("/", 1)[1]
    options = DatabaseOptions(name, postgres.url, tmp_path, silent_s=0.5)
    database = Database(options, producer, utc_now, Tracing(enabled=False))
    await database.start()
    yield database
    await database.stop()


async def test_what_a_silent_transaction_locked_is_free_again_and_its_own_end_is_waited_for(database):
    await database.pool.execute("CREATE TABLE held (id int PRIMARY KEY, by text)")
    await database.pool.execute("INSERT INTO held VALUES (1, 'nobody')")

    with pytest.raises(AWAY):
        async with database.pool.acquire() as silent, silent.transaction():
            await silent.execute("UPDATE held SET by = 'the silent one'")
            other = await asyncpg.connect(database.url)
            try:
                async with asyncio.timeout(5):
                    await other.execute("UPDATE held SET by = by || ' but the other'")
            finally:
                await other.close()
            await silent.execute("UPDATE held SET by = 'the silent one, late'")

    assert await database.pool.fetchval("SELECT by FROM held") == "nobody but the other"

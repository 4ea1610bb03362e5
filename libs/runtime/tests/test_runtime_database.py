"""When a service may use its database, and for how long a process that stands still keeps its locks."""

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from chargebus_runtime.away import MAYBE_AWAY, is_away
from chargebus_runtime.clock import utc_now
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.telemetry import Tracing

MIGRATIONS = Path(__file__).parent / "counter_migrations"


@pytest.fixture
def silent_s():
    """Return how long a transaction may be silent: longer than a machine stands still."""
    return 60.0


@pytest.fixture
async def database(make_database, postgres, producer, tmp_path, silent_s):
    url = await make_database("silent")
    name = url.split("?")[0].rsplit("/", 1)[1]
    options = DatabaseOptions(name, postgres.url, tmp_path, silent_s=silent_s)
    database = Database(options, producer, utc_now, Tracing(enabled=False))
    await database.start()
    yield database
    await database.stop()


async def test_a_database_that_is_behind_the_code_is_waited_for(make_database, postgres, producer):
    url = await make_database("behind")
    options = DatabaseOptions(url.split("?")[0].rsplit("/", 1)[1], postgres.url, MIGRATIONS)
    database = Database(options, producer, utc_now, Tracing(enabled=False))
    starting = asyncio.create_task(database.start())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(starting), 0.5)

    await database.migrate()
    await asyncio.wait_for(starting, 180)
    assert await database.pool.fetchval("SELECT count(*) FROM applied") == 0
    await database.stop()


async def test_a_database_of_a_newer_release_is_used_as_it_is(postgres, producer):
    options = DatabaseOptions(f"chargebus_newer_{uuid4().hex[:8]}", postgres.url, MIGRATIONS)
    database = Database(options, producer, utc_now, Tracing(enabled=False))
    await database.migrate()
    connection = await asyncpg.connect(database.url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()

    await asyncio.wait_for(database.start(), 180)
    await database.stop()


@pytest.mark.parametrize("silent_s", [0.5])
async def test_what_a_silent_transaction_locked_is_free_again_and_its_own_end_is_waited_for(database):
    await database.pool.execute("CREATE TABLE held (id int PRIMARY KEY, by text)")
    await database.pool.execute("INSERT INTO held VALUES (1, 'nobody')")

    with pytest.raises(MAYBE_AWAY) as raised:
        async with database.pool.acquire() as silent, silent.transaction():
            await silent.execute("UPDATE held SET by = 'the silent one'")
            other = await asyncpg.connect(database.url)
            try:
                async with asyncio.timeout(180):
                    await other.execute("UPDATE held SET by = by || ' but the other'")
            finally:
                await other.close()
            await silent.execute("UPDATE held SET by = 'the silent one, late'")

    assert is_away(raised.value)
    assert await database.pool.fetchval("SELECT by FROM held") == "nobody but the other"


async def test_after_a_failover_the_next_try_goes_to_a_new_connection(database):
    await database.pool.execute("CREATE TABLE kept (id int)")
    async with database.pool.acquire() as one, database.pool.acquire() as another:
        for connection in (one, another):  # as if they led to the server of before, which only reads now
            await connection.execute("SET default_transaction_read_only = on")

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.transaction() as tx:
            await tx.connection.execute("INSERT INTO kept VALUES (1)")
    for number in (2, 3):
        async with database.transaction() as tx:
            await tx.connection.execute("INSERT INTO kept VALUES ($1)", number)

    assert await database.pool.fetchval("SELECT array_agg(id) FROM kept") == [2, 3]


async def test_a_consumers_batch_follows_a_failover_as_well(database):
    async with database.writing_sets() as connection:
        await connection.execute("SET default_transaction_read_only = on")

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.writing_sets() as connection:
            await connection.execute("CREATE TABLE kept (id int)")
    async with database.writing_sets() as connection:
        await connection.execute("CREATE TABLE kept (id int)")


async def test_a_statement_on_sets_is_planned_once_and_goes_by_an_index_whatever_the_size_of_table_and_set(database):
    await database.pool.execute("CREATE TABLE counted (id int PRIMARY KEY, value int)")
    count = """UPDATE counted AS c SET value = value + 1 FROM unnest($1::int[]) AS n (id) WHERE c.id = n.id"""
    async with database.writing_sets() as connection:
        assert await connection.execute(count, [1]) == "UPDATE 0"
    await database.pool.execute("INSERT INTO counted SELECT i, 0 FROM generate_series(0, 899) AS i")
    for size in (2, 500, 3):
        async with database.writing_sets() as connection:
            assert await connection.execute(count, list(range(size))) == f"UPDATE {size}"
    async with database.writing_sets() as connection:
        plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1"
        assert tuple(await connection.fetchrow(plans, count)) == (4, 0)
        await connection.execute("PREPARE shown (int[]) AS " + count)
        plan = [line for (line,) in await connection.fetch("EXPLAIN EXECUTE shown ('{1}')")]
    assert any("Index Scan using counted_pkey" in line for line in plan)


async def test_a_batch_that_stands_still_lets_go_of_what_it_locked(database):
    async with database.pool.acquire() as own:
        ordinary = await own.fetchval("SHOW idle_in_transaction_session_timeout")
    async with database.writing_sets() as connection:
        assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == ordinary == "1min"

"""The migrations make the tables that the code declares, and the database itself holds the key rule."""

import asyncio

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from chargebus_command.tables import Tables
from chargebus_runtime.schema import RUNTIME_TABLES
from sqlalchemy.ext.asyncio import create_async_engine


def differences(connection: sa.Connection) -> list[object]:
    def ours(name, kind, parents):
        return not (kind == "table" and name in (*RUNTIME_TABLES, "alembic_version"))

    options = {"compare_type": True, "include_name": ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Tables.metadata)


async def test_tables_and_migrations_agree(service):
    engine = create_async_engine(service.database.url.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()
        await asyncio.sleep(0)


async def test_the_database_lets_a_station_have_one_command_in_flight_only(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"), service.request("CS-1", "b"))

    with pytest.raises(asyncpg.UniqueViolationError, match="command_one_in_flight"):
        await service.database.pool.execute("UPDATE command SET state = 'sent' WHERE command_id = 'b'")

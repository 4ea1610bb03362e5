"""The migrations make the tables that the code declares."""

import asyncio

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from chargebus_access.tables import Tables
from chargebus_runtime.schema import RUNTIME_TABLES
from sqlalchemy.ext.asyncio import create_async_engine


def differences(connection: sa.Connection) -> list[object]:
    def ours(name, kind, parents):
        return not (kind == "table" and name in (*RUNTIME_TABLES, "alembic_version"))

    options = {"compare_type": True, "include_name": ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Tables.metadata)


async def test_tables_and_migrations_agree(access):
    engine = create_async_engine(access.database.url.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()
        await asyncio.sleep(0)

"""The tables as they are declared are the tables that the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from chargebus_metering.tables import Tables
from chargebus_runtime.schema import RUNTIME_TABLES
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def differences(connection) -> list[object]:
    def ours(_object, name, kind, _reflected, _compare_to) -> bool:
        return not (kind == "table" and name in (*RUNTIME_TABLES, "alembic_version"))

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
    return compare_metadata(context, Tables.metadata)


async def test_the_migrations_make_the_tables_that_are_declared(url: str) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []

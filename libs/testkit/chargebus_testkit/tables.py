"""Whether a migrated database has the tables that the code declares."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from chargebus_calls.waiting.schema import WAITING_TABLES
from chargebus_commanding.schema import COMMANDING_TABLES
from chargebus_runtime.schema import RUNTIME_TABLES
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_NOT_DECLARED = (*RUNTIME_TABLES, *COMMANDING_TABLES, *WAITING_TABLES, "alembic_version")


async def table_differences(url: str, declared: sa.MetaData) -> list[object]:
    """Return what a database, by its `postgresql://` URL, and the declared tables do not agree on."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_compare, declared)
    finally:
        await engine.dispose()


def _compare(connection: sa.Connection, declared: sa.MetaData) -> list[object]:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return not (kind == "table" and name in _NOT_DECLARED)

    options = {"compare_type": True, "include_name": ours}
    differences: list[object] = compare_metadata(MigrationContext.configure(connection, opts=options), declared)
    return differences

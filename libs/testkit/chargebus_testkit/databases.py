"""Databases for tests: empty ones, and migrated ones copied from a template that is made once on a server."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
from chargebus_runtime.database import DatabaseOptions
from chargebus_runtime.migrations import migrate

from chargebus_testkit.servers import execute


async def create_migrated(server_url: str, name: str, migrations: Path) -> None:
    """Create a database at the newest revision of `migrations`, by copying: Alembic runs at the first call only."""
    template = f"migrated_{_digest(migrations)}"
    server = await asyncpg.connect(server_url)
    try:
        await server.execute("SELECT pg_advisory_lock(hashtext($1))", template)
        if not await _exists(server, template):
            making = f"{template}_making"
            await server.execute(f'DROP DATABASE IF EXISTS "{making}"')
            await migrate(server_url, making, migrations)
            await server.execute(f'ALTER DATABASE "{making}" RENAME TO "{template}"')
        await server.execute("SELECT pg_advisory_unlock(hashtext($1))", template)
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await server.close()


@asynccontextmanager
async def migrated_database(server_url: str, service: str, migrations: Path) -> AsyncIterator[DatabaseOptions]:
    """Have a migrated database for as long as the context lasts."""
    options = DatabaseOptions(f"{service}_{uuid4().hex[:12]}", server_url, migrations, pool_size=6)
    await create_migrated(server_url, options.name, migrations)
    try:
        yield options
    finally:
        await drop(server_url, options.name)


async def drop(server_url: str, name: str) -> None:
    """Drop a database, whoever is connected to it."""
    await execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _exists(server: asyncpg.Connection, name: str) -> bool:
    return await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name) is not None


def _digest(migrations: Path) -> str:
    """Return what tells one state of the migrations from another."""
    found = hashlib.sha256()
    for file in sorted(migrations.rglob("*.py")):
        found.update(str(file.relative_to(migrations)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]

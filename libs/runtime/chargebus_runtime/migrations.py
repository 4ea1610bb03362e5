"""Alembic for every service: its database is created where it is missing and brought to its newest revision."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, pool
from sqlalchemy.ext.asyncio import create_async_engine

from chargebus_runtime.schema import RUNTIME_TABLES


def database_url(server_url: str, name: str) -> str:
    """Return the URL of database `name` on the server that `server_url` points to."""
    parts = urlsplit(server_url)
    return urlunsplit(parts._replace(path=f"/{name}"))


async def migrate(server_url: str, name: str, migrations: Path, revision: str = "head") -> None:
    """Create the database `name` if it is missing and upgrade it to the head of `migrations`, or to one before.

    Several processes may do so at once: an advisory lock lets one go first.

    Raises:
        OSError, asyncpg.PostgresError: the server cannot be reached or refuses.
    """
    await _create_database(server_url, name)
    url = database_url(server_url, name)
    lock = await asyncpg.connect(url)
    try:
        await lock.execute("SELECT pg_advisory_lock(hashtext('chargebus migrations'))")
        await asyncio.to_thread(command.upgrade, _config(url, migrations), revision)
    finally:
        await lock.close()


class BehindError(RuntimeError):
    """A database lacks revisions that this code needs; the message says what to do."""


async def check_revision(url: str, migrations: Path) -> None:
    """Return if a database has the newest revision of `migrations`, or one they do not know: that of a newer release.

    Raises:
        BehindError: it has to be migrated first. OSError, asyncpg.PostgresError: it cannot be reached.
    """
    scripts = ScriptDirectory.from_config(_config(url, migrations))
    newest, known = scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
    found = await _revision(url)
    if found != newest and (found is None or found in known):
        raise BehindError(f"the database has revision {found}, and needs {newest}: run `chargebus migrate`")


async def _revision(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return found


def run_env(metadata: MetaData) -> None:
    """Be a service's `migrations/env.py`: run its revisions, comparing with `metadata` on autogenerate."""
    url = context.config.attributes["url"]
    asyncio.run(_run(url, metadata))


async def _run(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run_revisions, metadata)
            await connection.commit()
    finally:
        await engine.dispose()


def _run_revisions(connection: Connection, metadata: MetaData) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _create_database(server_url: str, name: str) -> None:
    try:
        probe = await asyncpg.connect(database_url(server_url, name))
    except asyncpg.InvalidCatalogNameError:
        pass
    else:
        await probe.close()
        return
    server = await asyncpg.connect(server_url)
    try:
        await server.execute(f'CREATE DATABASE "{name}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass  # another process was first
    finally:
        await server.close()


def _config(url: str, migrations: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


__all__ = ["RUNTIME_TABLES", "BehindError", "check_revision", "database_url", "migrate", "run_env"]

"""The databases of services, for commands that look into them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from chargebus_runtime.database import Database
from chargebus_runtime.process import Build, Process
from chargebus_runtime.settings import RuntimeSettings

from chargebus_cli.errors import CommandError


def databases(settings: RuntimeSettings, builds: list[Build]) -> list[Database]:
    """Return the databases of the services that have one."""
    process = Process(settings)
    return [service.database for service in (build(process) for build in builds) if service.database is not None]


@asynccontextmanager
async def pool_of(database: Database) -> AsyncIterator[asyncpg.Pool]:
    """Connect to a database.

    Raises:
        CommandError: it is away, or is not what it should be.
    """
    try:
        async with asyncpg.create_pool(database.url, min_size=1, max_size=1) as pool:
            yield pool
    except (asyncpg.PostgresError, OSError) as error:
        message = f"the database {database.name} cannot be used: {error}"
        raise CommandError(message) from error

"""`chargebus holes`: records that a service can never read, listed, and acknowledged once an operator has looked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from chargebus_runtime import offsets
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.process import Build, Process
from chargebus_runtime.settings import RuntimeSettings

from chargebus_cli.errors import CommandError
from chargebus_cli.say import say


async def list_all(settings: RuntimeSettings, builds: list[Build]) -> None:
    """Print one line for each hole that nobody acknowledged."""
    row = "{:<20} {:<26} {:>9} {:>12} {:>12}  {:<25} {}"
    say(row.format("DATABASE", "TOPIC", "PARTITION", "FROM", "TO", "FOUND", "REASON"))
    for database in _databases(settings, builds):
        async with _pool(database) as pool:
            for hole in await offsets.open_holes(pool):
                found_at = f"{hole['found_at']:%Y-%m-%d %H:%M:%S %Z}"
                place = (hole["topic"], hole["partition"], hole["from_offset"], hole["to_offset"])
                say(row.format(database.name, *place, found_at, hole["reason"]))


async def acknowledge(settings: RuntimeSettings, builds: list[Build], clock: Clock) -> None:
    """Take the holes of the services out of their health."""
    for database in _databases(settings, builds):
        async with _pool(database) as pool:
            count = await offsets.acknowledge_holes(pool, clock())
        if count:
            say(f"{database.name}: {count} acknowledged")


def _databases(settings: RuntimeSettings, builds: list[Build]) -> list[Database]:
    process = Process(settings)
    return [service.database for service in (build(process) for build in builds) if service.database is not None]


@asynccontextmanager
async def _pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    try:
        pool = await asyncpg.create_pool(database.url, min_size=1, max_size=1)
    except (asyncpg.PostgresError, OSError) as error:
        message = f"the database {database.name} cannot be used: {error}"
        raise CommandError(message) from error
    async with pool:
        yield pool

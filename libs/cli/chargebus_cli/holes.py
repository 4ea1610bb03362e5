"""`chargebus holes`: records that a service can never read, listed, and acknowledged once an operator has looked."""

from chargebus_runtime import offsets
from chargebus_runtime.clock import Clock
from chargebus_runtime.process import Build
from chargebus_runtime.settings import RuntimeSettings

from chargebus_cli.databases import databases, pool_of
from chargebus_cli.say import say


async def list_all(settings: RuntimeSettings, builds: list[Build]) -> None:
    """Print one line for each hole that nobody acknowledged."""
    row = "{:<20} {:<26} {:>9} {:>12} {:>12}  {:<25} {}"
    say(row.format("DATABASE", "TOPIC", "PARTITION", "FROM", "TO", "FOUND", "REASON"))
    for database in databases(settings, builds):
        async with pool_of(database) as pool:
            for hole in await offsets.open_holes(pool):
                found_at = f"{hole['found_at']:%Y-%m-%d %H:%M:%S %Z}"
                place = (hole["topic"], hole["partition"], hole["from_offset"], hole["to_offset"])
                say(row.format(database.name, *place, found_at, hole["reason"]))


async def acknowledge(settings: RuntimeSettings, builds: list[Build], clock: Clock) -> None:
    """Take the holes of the services out of their health."""
    for database in databases(settings, builds):
        async with pool_of(database) as pool:
            count = await offsets.acknowledge_holes(pool, clock())
        if count:
            say(f"{database.name}: {count} acknowledged")

"""`chargebus migrate`: each service's database, created where it is missing and brought to its newest revision."""

from chargebus_runtime.process import Build, Process
from chargebus_runtime.settings import RuntimeSettings

from chargebus_cli.say import say


async def databases(process: Process, builds: list[Build]) -> list[str]:
    """Migrate the databases of the services and return their names; waits for the server.

    One after the other: Alembic keeps what it works on in the process, not in the call.
    """
    found = [service.database for service in (build(process) for build in builds) if service.database is not None]
    for database in found:
        await database.migrate()
    return [database.name for database in found]


async def run(settings: RuntimeSettings, builds: list[Build]) -> None:
    """Migrate and tell which databases are up to date."""
    for name in await databases(Process(settings), builds):
        say(f"{name} is at its newest revision")

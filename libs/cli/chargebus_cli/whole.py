"""`chargebus run`: the whole system in one process, with servers of its own, demo data and a fleet."""

import asyncio
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from chargebus_embedded import EmbeddedError, require_free
from chargebus_runtime.process import Build, PortTakenError, Process
from pydantic import ValidationError

from chargebus_cli import migrate, simulate, topics
from chargebus_cli.backends import Backends, backends
from chargebus_cli.environment import runtime_settings, wrong_setting
from chargebus_cli.errors import CommandError
from chargebus_cli.folder import DataFolder, open_folder
from chargebus_cli.logs import log_to_file
from chargebus_cli.say import say
from chargebus_cli.serve import serve
from chargebus_cli.services import builds
from chargebus_cli.stopping import Stopped, stop_on_signal, unless

_HOST = "127.0.0.1"

_WELCOME = """
  Stations connect to   {ocpp}/{{station_id}}
  HTTP API              {http}/v1
  its OpenAPI page      {http}/docs
  admin API key         {key}
  try                   curl -H 'X-API-Key: {key}' {http}/v1/stations
  logs and data         {folder}

Ctrl-C stops everything; the next start goes on from here.
"""


@dataclass(frozen=True)
class Wanted:
    """What the user asks for: `fleet` simulated stations, two ports, and where everything is kept."""

    fleet: int
    ocpp_port: int
    http_port: int
    data: Path

    @property
    def ocpp_url(self) -> str:
        """Where stations connect; a station appends its identity."""
        return f"ws://{_HOST}:{self.ocpp_port}/ocpp"

    @property
    def http_url(self) -> str:
        """Where the HTTP API is."""
        return f"http://{_HOST}:{self.http_port}"


async def run(wanted: Wanted, environment: MutableMapping[str, str]) -> None:
    """Run the system until a signal or a failure.

    Args:
        wanted: from the command line.
        environment: of this process; what services read from it, such as the OCPP port, is set in it.

    Raises:
        CommandError: a port or the data folder cannot be used, a server does not start, a setting is wrong.
    """
    stop = stop_on_signal()
    try:
        with open_folder(wanted.data.resolve()) as folder:
            require_free(wanted.ocpp_port, "stations (OCPP_PORT=... takes another)", _HOST)
            require_free(wanted.http_port, "the HTTP API (HTTP_PORT=... takes another)", _HOST)
            say(f"Chargebus is starting; its data is in {folder.path}")
            await _run_in(folder, wanted, environment, stop)
    except Stopped:
        say(f"Stopped; everything is kept in {wanted.data}.")
    except (EmbeddedError, PortTakenError) as error:
        raise CommandError(str(error)) from error
    except ValidationError as error:
        raise wrong_setting(error) from error


async def _run_in(
    folder: DataFolder, wanted: Wanted, environment: MutableMapping[str, str], stop: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        servers = await unless(stop, stack.enter_async_context(backends(folder, environment)))
        environment.update(_service_settings(wanted, folder))
        settings = runtime_settings(
            kafka_bootstrap_servers=servers.kafka,
            database_url=servers.database,
            http_host=_HOST,
            http_port=wanted.http_port,
        )
        log_to_file(settings.log_level, folder.log)
        services = builds([])
        process = Process(settings)
        await unless(stop, _prepare(process, services, servers))
        await serve(process, services, stop, lambda: _once_up(wanted, folder))


def _service_settings(wanted: Wanted, folder: DataFolder) -> dict[str, str]:
    """Return the services' own settings for one system on one machine, as the environment spells them."""
    return {
        "ACCESS_ADMIN_KEY_FILE": str(folder.admin_key),
        "EDGE_ALLOW_PLAIN_WS": "true",  # it listens on the loopback interface only
        "EDGE_HOST": _HOST,
        "EDGE_PORT": str(wanted.ocpp_port),
    }


async def _prepare(process: Process, services: list[Build], servers: Backends) -> None:
    """Create topics and databases where they are missing; the mock makes its topics itself."""
    await asyncio.gather(
        migrate.databases(process, services), *(() if servers.mock else (topics.create(process.settings),))
    )


async def _once_up(wanted: Wanted, folder: DataFolder) -> None:
    """Load the demo data, say where everything is, and let the fleet charge."""
    key = folder.admin_key.read_text(encoding="utf-8").strip()
    say(_WELCOME.format(ocpp=wanted.ocpp_url, http=wanted.http_url, key=key, folder=folder.path))
    target = simulate.Target(wanted.fleet, wanted.ocpp_url, wanted.http_url, key, folder.demo)
    await simulate.run(target)

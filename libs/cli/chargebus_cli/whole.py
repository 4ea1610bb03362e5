"""`chargebus run`: the whole system in one process, with servers of its own, demo data and a fleet."""

import asyncio
import importlib
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from types import ModuleType

from chargebus_embedded import EmbeddedError, require_free

from chargebus_cli.backends import backends
from chargebus_cli.errors import CommandError
from chargebus_cli.folder import DataFolder, open_folder
from chargebus_cli.say import say
from chargebus_cli.stopping import Stopped, stop_on_signal, unless
from chargebus_cli.wanted import HOST, Wanted


async def run(wanted: Wanted, environment: MutableMapping[str, str]) -> None:
    """Run the system until a signal or a failure.

    Args:
        wanted: from the command line.
        environment: of this process; what services read from it, such as the OCPP port, is set in it.

    Raises:
        CommandError: a port or the data folder cannot be used, a server does not start or ends, a setting is wrong.
    """
    stop = stop_on_signal()
    try:
        with open_folder(wanted.data.resolve()) as folder:
            require_free(wanted.ocpp_port, "stations (OCPP_PORT=... takes another)", HOST)
            require_free(wanted.http_port, "the HTTP API (HTTP_PORT=... takes another)", HOST)
            say(f"Chargebus is starting; its data is in {folder.path}")
            await _run_in(folder, wanted, environment, stop)
    except Stopped:
        say(f"Stopped; everything is kept in {wanted.data}.")
    except EmbeddedError as error:
        raise CommandError(str(error)) from error


async def _run_in(
    folder: DataFolder, wanted: Wanted, environment: MutableMapping[str, str], stop: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        # The services and what they import take a second or two to load: meanwhile the servers come up.
        loading = asyncio.create_task(asyncio.to_thread(importlib.import_module, "chargebus_cli.system"))
        stack.push_async_callback(asyncio.wait, [loading])
        servers = await unless(stop, stack.enter_async_context(backends(folder, environment)))
        system = await unless(stop, _loaded(loading))
        await servers.unless_lost(system.System(wanted, folder, servers).run(environment, stop))


async def _loaded(loading: "asyncio.Task[ModuleType]") -> ModuleType:
    return await asyncio.shield(loading)

"""Runs services in this process from start to a clean stop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from chargebus_runtime.process import Build, Process

from chargebus_cli.errors import CommandError
from chargebus_cli.stopping import Stopped, unless

OnceUp = Callable[[], Coroutine[Any, Any, None]]


async def nothing() -> None:
    """Do nothing once the services are up."""


async def serve(process: Process, builds: list[Build], stop: asyncio.Event, once_up: OnceUp = nothing) -> None:
    """Run services until `stop` is set or one of their parts dies.

    Args:
        process: not started yet.
        builds: of the services to run.
        stop: from `stop_on_signal`.
        once_up: runs when all services work, and is cancelled when they stop.

    Raises:
        Stopped: `stop` was set; everything is stopped.
        CommandError: a part of the process died; the rest is stopped.
    """
    await unless(stop, process.start(builds))
    try:
        await unless(stop, _until_failure(process, once_up))
    finally:
        await process.stop()


async def _until_failure(process: Process, once_up: OnceUp) -> None:
    try:
        await unless(process.failed, once_up())
        await process.failed.wait()
    except Stopped:
        pass
    message = "a part of this process died; its log says which"
    raise CommandError(message)

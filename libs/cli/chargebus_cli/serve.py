"""Runs services in this process from start to a clean stop."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

from chargebus_runtime.process import Build, Process

from chargebus_cli.errors import CommandError
from chargebus_cli.stopping import Stopped, unless

# A micro-batch makes tens of thousands of objects that all live until its end: with Python's default of 700, looking
# for garbage among them took a third of a service's time.
_GARBAGE = (50_000, 20, 100)

_DIED = "a part of this process died; its log says which"

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
    gc.set_threshold(*_GARBAGE)
    await unless(stop, _start(process, builds))
    gc.collect()
    gc.freeze()
    try:
        await unless(stop, _until_failure(process, once_up))
    finally:
        await process.stop()


async def _start(process: Process, builds: list[Build]) -> None:
    try:
        await unless(process.failed, process.start(builds))
    except Stopped:
        raise CommandError(_DIED) from None


async def _until_failure(process: Process, once_up: OnceUp) -> None:
    try:
        await unless(process.failed, once_up())
        await process.failed.wait()
    except Stopped:
        pass
    raise CommandError(_DIED)

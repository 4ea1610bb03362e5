"""How a signal ends what is going on: an event, and work that is given up once it is set."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_KILLED = 130


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Work was given up because a signal asked for the end."""


def stop_on_signal() -> asyncio.Event:
    """Return an event that SIGINT (Ctrl-C) or SIGTERM sets; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            os._exit(_KILLED)  # child processes have guards that end them
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    return stop


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` and return its result; cancel it when `stop` is set first.

    Raises:
        Stopped: `stop` was set.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return await working
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)

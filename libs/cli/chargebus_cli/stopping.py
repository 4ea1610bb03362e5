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
    return await race(work, _stopped(stop))


async def race(work: Coroutine[Any, Any, T], *against: Coroutine[Any, Any, Exception]) -> T:
    """Do `work` and return its result; when one of `against` ends first, cancel it and raise what that returned."""
    working = asyncio.create_task(work)
    others = [asyncio.create_task(each) for each in against]
    try:
        done, _ = await asyncio.wait((working, *others), return_when=asyncio.FIRST_COMPLETED)
        if working not in done:
            raise next(other.result() for other in others if other in done)
        return await working
    finally:
        for task in (working, *others):
            task.cancel()
        await asyncio.gather(working, *others, return_exceptions=True)


async def _stopped(stop: asyncio.Event) -> Stopped:
    await stop.wait()
    return Stopped()

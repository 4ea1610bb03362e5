"""Waiting for something to become true, never longer than it may take."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

_LOOK_EVERY_S: Final = 0.05


class NeverError(AssertionError):
    """Something that a test waits for did not happen in time."""


async def until(what: str, condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until a condition holds.

    Raises:
        NeverError: it did not within `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NeverError(f"not within {within_s:.0f} s: {what}")
        await asyncio.sleep(_LOOK_EVERY_S)


async def eventually(
    what: str, look: Callable[[], Awaitable[T]], enough: Callable[[T], bool] = bool, within_s: float = 30.0
) -> T:
    """Look again until what is seen is enough (by default: anything that is true), and return it.

    Raises:
        NeverError: it was not within `within_s` seconds; the message shows what was seen last.
    """
    deadline = time.monotonic() + within_s
    while not enough(seen := await look()):
        if time.monotonic() > deadline:
            raise NeverError(f"not within {within_s:.0f} s: {what}; seen last: {seen!r}")
        await asyncio.sleep(_LOOK_EVERY_S)
    return seen

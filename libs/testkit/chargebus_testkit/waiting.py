"""Waiting for something to become true, never longer than it may take."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

LONG_S: Final = 180.0
"""How long a condition may take on a machine that is busy several times over, or stands still for a while."""

_LOOK_EVERY_S: Final = 0.02
_ASK_EVERY_S: Final = 0.05


class NeverError(AssertionError):
    """Something that a test waits for did not happen in time."""


async def until(condition: Callable[[], object], within_s: float = LONG_S, *, what: str = "") -> None:
    """Wait until a condition holds.

    Raises:
        NeverError: it did not within `within_s` seconds; the message says `what`, or shows the condition.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        _check(deadline, within_s, what or _shown(condition))
        await asyncio.sleep(_LOOK_EVERY_S)


async def eventually(
    look: Callable[[], Awaitable[T]],
    enough: Callable[[T], object] = bool,
    within_s: float = LONG_S,
    *,
    what: str = "",
) -> T:
    """Look again until what is seen is enough (by default: anything that is true), and return it.

    Raises:
        NeverError: it was not within `within_s` seconds; the message says what was seen last.
    """
    deadline = time.monotonic() + within_s
    while not enough(seen := await look()):
        _check(deadline, within_s, f"{what or _shown(look)}; seen last: {seen!r}")
        await asyncio.sleep(_ASK_EVERY_S)
    return seen


def sleep_until(condition: Callable[[], object], within_s: float = LONG_S, *, what: str = "") -> None:
    """Wait until a condition holds, where nothing else has to go on meanwhile.

    Raises:
        NeverError: it did not within `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        _check(deadline, within_s, what or _shown(condition))
        time.sleep(_LOOK_EVERY_S)


def _check(deadline: float, within_s: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise NeverError(f"not within {within_s:.0f} s: {what}")


def _shown(condition: Callable[..., object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)

"""The one retry policy: wait longer each time, never in step with others, until it works or the caller is cancelled."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

Passing = type[BaseException] | Callable[[BaseException], bool]
"""What passes if one waits: a class of errors, or a function that tells whether an error is such."""


@dataclass(frozen=True)
class Backoff:
    """Delays that double from `first_s` to `longest_s`, each shortened at random by up to half."""

    first_s: float = 0.1
    longest_s: float = 5.0

    def delay_s(self, attempt: int) -> float:
        """Return the pause after the failed attempt number `attempt`, counted from 0."""
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(attempt, 16))
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


BACKOFF = Backoff()


async def until_done(what: str, action: Callable[[], Awaitable[T]], *passing: Passing) -> T:
    """Call `action` until it raises nothing that is `passing`; what else it raises comes through."""
    attempt = 0
    while True:
        try:
            return await action()
        except Exception as error:
            if not any(_is(error, each) for each in passing):
                raise
            if attempt == 0:
                log.warning("%s failed, trying again: %r", what, error)
            await asyncio.sleep(BACKOFF.delay_s(attempt))
            attempt += 1


def _is(error: BaseException, passing: Passing) -> bool:
    return isinstance(error, passing) if isinstance(passing, type) else passing(error)

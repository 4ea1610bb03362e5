"""The station's simulated time; its network (time-outs, back-off) lives in real time and does not ask here."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

HEAD_START = timedelta(days=7)


class Clock(Protocol):
    """What a station reads and waits by."""

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a real one."""
        ...

    def now(self) -> datetime:
        """Return the simulated time, aware and in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many simulated seconds."""
        ...


class ScaledClock:
    """Simulated time that runs `speed` times as fast as the wall clock, and never ahead of it.

    A station must not send timestamps from the future, so simulated time begins in the past (`begin`, a week ago if
    it is to run faster than real time) and goes on at normal speed once it has caught up.
    """

    def __init__(self, speed: float = 1.0, begin: datetime | None = None) -> None:
        if speed <= 0:
            message = f"time must pass: speed is {speed}"
            raise ValueError(message)
        self._speed = speed
        self._wall_start = datetime.now(UTC)
        self._monotonic_start = time.monotonic()
        self._begin = begin or (self._wall_start - HEAD_START if speed > 1 else self._wall_start)

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a real one, until simulated time has caught up."""
        return self._speed

    def now(self) -> datetime:
        """Return the simulated time."""
        elapsed = timedelta(seconds=time.monotonic() - self._monotonic_start)
        return min(self._begin + elapsed * self._speed, self._wall_start + elapsed)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many simulated seconds."""
        until = self.now() + timedelta(seconds=seconds)
        # A sleep may end early in simulated time: when it catches up with the wall clock, it slows down.
        while (remaining_s := (until - self.now()).total_seconds()) > 0:  # noqa: ASYNC110  nothing but time to wait for
            await asyncio.sleep(remaining_s / self._speed)


async def happened(event: asyncio.Event, patience: Coroutine[Any, Any, None]) -> bool:
    """Wait until the event is set or the patience (a clock's sleep) is over; say whether the event is set."""
    waiting = asyncio.ensure_future(event.wait())
    timer = asyncio.ensure_future(patience)
    try:
        await asyncio.wait((waiting, timer), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        timer.cancel()
    return event.is_set()


class Changes:
    """Wakes whoever waits for something to become true; every change of a station beats it."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Let everybody look again."""
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            await waiter

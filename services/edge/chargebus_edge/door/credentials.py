"""Passwords of stations: checked at once where that is cheap, one by one in a bounded queue where it is not.

A generated password has 160 random bits, so its stored form is one salted SHA-256 and a mass reconnect costs a
microsecond a station. One that an operator chose may be weak, so it is kept with scrypt, which takes tens of
milliseconds. Those checks run one at a time in a thread of their own, few may wait, and their results are remembered
under a key that only this process knows: a reconnect is cheap, and whoever guesses gets the one slow queue to guess
in, which no station that has been here before needs.

Whoever was wrong is not checked again before a pause is over, and waits for it in the handshake: the answer is about
the password that was presented.
"""

import asyncio
import hmac
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from chargebus_runtime.secrets import is_slow, verify


class Verdict(Enum):
    """What is to be done with a station that presented a password."""

    RIGHT = "right"
    WRONG = "wrong"
    LATER = "later"  # it could not be checked now


@dataclass(frozen=True)
class Checked:
    """What came of a check; `stored` is the stored form that the password matched."""

    verdict: Verdict
    stored: str = ""


_WRONG: Final = Checked(Verdict.WRONG)
_LATER: Final = Checked(Verdict.LATER)


@dataclass(frozen=True)
class SlowCheckLimits:
    """`waiting`: checks that may wait for the thread; `remembered`: results kept; `pause_s`: after a wrong password.

    The pause doubles with each further one, up to `longest_pause_s`; it counts for passwords that are not remembered.
    `pausing`: how many may wait for a pause to end. One more than the one that is checked may wait for a station, and
    nobody longer than `patience_s`: a handshake has its time.
    """

    waiting: int = 64
    remembered: int = 100_000
    pause_s: float = 1.0
    longest_pause_s: float = 8.0
    pausing: int = 256
    patience_s: float = 10.0


@dataclass
class _Failures:
    count: int
    until: float


@dataclass
class _Turns:
    """Who is checked, or waits to be, for one station; one at a time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    count: int = 0


@dataclass
class Credentials:
    """Checks passwords; `monotonic` tells the time in seconds, `sleep` lets some pass."""

    monotonic: Callable[[], float]
    limits: SlowCheckLimits = field(default_factory=SlowCheckLimits)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, Verdict] = OrderedDict()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._turns: dict[str, _Turns] = {}
        self._waiting = 0  # for the thread
        self._pausing = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def check_now(self, station_id: str, secret: bytes, passwords: Sequence[str]) -> Checked | None:
        """Return what can be said without a slow check, else None; `passwords` are the stored forms that may match."""
        unknown = False
        for stored in passwords:
            verdict = self._recall(station_id, secret, stored)
            if verdict is Verdict.RIGHT:
                return Checked(verdict, stored)
            unknown = unknown or verdict is None
        return None if unknown else _WRONG

    async def check_slowly(self, station_id: str, secret: bytes, passwords: Sequence[str]) -> Checked:
        """Check in the thread, after those that wait for it; to be called when `check_now` returned None."""
        turns = self._turns.setdefault(station_id, _Turns())
        if turns.count > 1:
            return _LATER
        turns.count += 1
        try:
            async with asyncio.timeout(self.limits.patience_s), turns.lock:
                known = self.check_now(station_id, secret, passwords)  # it may have been checked meanwhile
                return known or await self._check_in_turn(station_id, secret, passwords)
        except TimeoutError:
            return _LATER
        finally:
            turns.count -= 1
            if not turns.count:
                del self._turns[station_id]

    async def _check_in_turn(self, station_id: str, secret: bytes, passwords: Sequence[str]) -> Checked:
        if not await self._pause_over(station_id) or self._waiting >= self.limits.waiting:
            return _LATER
        self._waiting += 1
        try:
            checked = await self._check(station_id, secret, passwords)
        finally:
            self._waiting -= 1
        if checked.verdict is Verdict.RIGHT:
            self._failures.pop(station_id, None)
        else:
            self._penalise(station_id)
        return checked

    async def _check(self, station_id: str, secret: bytes, passwords: Sequence[str]) -> Checked:
        for stored in passwords:
            if self._recall(station_id, secret, stored) is not None:
                continue
            right = await asyncio.get_running_loop().run_in_executor(self._thread, verify, secret, stored)
            verdict = Verdict.RIGHT if right else Verdict.WRONG
            self._remember(self._fingerprint(station_id, secret, stored), verdict)
            if right:
                return Checked(verdict, stored)
        return _WRONG

    async def _pause_over(self, station_id: str) -> bool:
        """Wait for the end of a station's pause; return False if too many do."""
        failures = self._failures.get(station_id)
        left_s = 0.0 if failures is None else failures.until - self.monotonic()
        if left_s <= 0:
            return True
        if self._pausing >= self.limits.pausing:
            return False
        self._pausing += 1
        try:
            await self.sleep(left_s)
        finally:
            self._pausing -= 1
        return True

    def _recall(self, station_id: str, secret: bytes, stored: str) -> Verdict | None:
        """Return what costs nothing to say about a stored form, else None."""
        if not is_slow(stored):
            return Verdict.RIGHT if verify(secret, stored) else Verdict.WRONG
        fingerprint = self._fingerprint(station_id, secret, stored)
        known = self._known.get(fingerprint)
        if known is not None:
            self._known.move_to_end(fingerprint)
        return known

    def _fingerprint(self, station_id: str, secret: bytes, stored: str) -> bytes:
        # The stored form is part of it: a changed password forgets the old one. Neither holds a NUL but the secret.
        message = b"\0".join((station_id.encode(), stored.encode(), secret))
        return hmac.digest(self._key, message, "sha256")[:16]

    def _remember(self, fingerprint: bytes, verdict: Verdict) -> None:
        self._known[fingerprint] = verdict
        if len(self._known) > self.limits.remembered:
            self._known.popitem(last=False)

    def _penalise(self, station_id: str) -> None:
        before = self._failures.pop(station_id, None)
        count = 1 if before is None else before.count + 1
        pause_s = min(self.limits.longest_pause_s, self.limits.pause_s * 2.0 ** min(count - 1, 16))
        self._failures[station_id] = _Failures(count, self.monotonic() + pause_s)
        if len(self._failures) > self.limits.remembered:
            self._failures.popitem(last=False)

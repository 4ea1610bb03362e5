"""Passwords of stations: checked at once where that is cheap, one by one in a bounded queue where it is not.

A generated password has 160 random bits, so its stored form is one salted SHA-256 and a mass reconnect costs a
microsecond a station. One that an operator chose may be weak, so it is kept with scrypt, which takes tens of
milliseconds. Those checks run one at a time in a thread of their own, few may wait, and their results are remembered
under a key that only this process knows: a reconnect is cheap, and whoever guesses gets the one slow queue to guess
in, which no station that has been here before needs.
"""

import asyncio
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

from chargebus_runtime.secrets import is_slow, verify


class Verdict(Enum):
    """What is to be done with a station that presented a password."""

    RIGHT = "right"
    WRONG = "wrong"
    LATER = "later"  # it could not be checked now


@dataclass(frozen=True)
class SlowCheckLimits:
    """`waiting`: checks that may wait; `remembered`: results kept; `pause_s`: the first pause after a wrong password.

    The pause doubles with each further one, up to `longest_pause_s`; it counts for passwords that are not remembered.
    """

    waiting: int = 64
    remembered: int = 100_000
    pause_s: float = 1.0
    longest_pause_s: float = 60.0


@dataclass
class _Failures:
    count: int
    until: float


@dataclass
class Credentials:
    """Checks passwords; `monotonic` tells the time in seconds."""

    monotonic: Callable[[], float]
    limits: SlowCheckLimits = field(default_factory=SlowCheckLimits)

    def __post_init__(self) -> None:
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, Verdict] = OrderedDict()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._checking: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def check_now(self, station_id: str, secret: bytes, stored: str) -> Verdict | None:
        """Return the verdict if it can be had without a slow check, else None."""
        if not is_slow(stored):
            return Verdict.RIGHT if verify(secret, stored) else Verdict.WRONG
        fingerprint = self._fingerprint(station_id, secret, stored)
        known = self._known.get(fingerprint)
        if known is not None:
            self._known.move_to_end(fingerprint)
            return known
        failures = self._failures.get(station_id)
        pausing = failures is not None and self.monotonic() < failures.until
        if pausing or station_id in self._checking or len(self._checking) >= self.limits.waiting:
            return Verdict.LATER
        return None

    async def check_slowly(self, station_id: str, secret: bytes, stored: str) -> Verdict:
        """Check in the thread, after those that wait for it; to be called when `check_now` returned None."""
        self._checking.add(station_id)
        try:
            right = await asyncio.get_running_loop().run_in_executor(self._thread, verify, secret, stored)
        finally:
            self._checking.discard(station_id)
        verdict = Verdict.RIGHT if right else Verdict.WRONG
        self._remember(self._fingerprint(station_id, secret, stored), verdict)
        if right:
            self._failures.pop(station_id, None)
        else:
            self._penalise(station_id)
        return verdict

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

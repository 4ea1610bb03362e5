"""Whether a consumer gets on: how often it failed since it last did, and for how long it has not."""

import time
from collections.abc import Callable
from typing import Final

from chargebus_runtime.retry import BACKOFF

STALLED_AFTER_S: Final = 30.0


class Progress:
    """Told of each success and failure; a success is a batch that was committed, or nothing left to do."""

    def __init__(
        self, stalled_after_s: float = STALLED_AFTER_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stalled_after_s = stalled_after_s
        self._monotonic = monotonic
        self._made_at = monotonic()
        self._failures = 0
        self._last_failure = ""

    def made(self) -> None:
        """Note a success."""
        self._made_at = self._monotonic()
        self._failures = 0
        self._last_failure = ""

    def failed(self, error: BaseException) -> float:
        """Note a failure; return how long to wait before the next try, in seconds."""
        self._failures += 1
        self._last_failure = str(error) or repr(error)
        return BACKOFF.delay_s(self._failures - 1)

    def stalled(self, waiting: int) -> str | None:
        """Return that nothing got on for too long, while `waiting` records are there or every try fails; else None."""
        idle_s = self._monotonic() - self._made_at
        if idle_s < self._stalled_after_s or not (waiting or self._failures):
            return None
        why = f"; the last of {self._failures} tries: {self._last_failure}" if self._failures else ""
        return f"it has applied nothing for {idle_s:.0f} s, with {waiting} records to read{why}"

"""How long a station waits before it connects again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Real seconds between attempts: the wait doubles `doublings` times, and a random share is added to each.

    Spec: OCPP 2.0.1 and 2.1 Part 4, 5.3 (RetryBackOffWaitMinimum, RetryBackOffRandomRange, RetryBackOffRepeatTimes);
    1.6 leaves it open.
    """

    minimum_s: float = 1.0
    jitter_s: float = 1.0
    doublings: int = 5

    def wait_s(self, failures: int, rng: random.Random, retry_after_s: float = 0.0) -> float:
        """Return the wait after so many failures in a row, never shorter than what the server asked for."""
        doubled_s = self.minimum_s * 2.0 ** min(max(failures - 1, 0), self.doublings)
        return max(doubled_s, retry_after_s) + rng.uniform(0, self.jitter_s)

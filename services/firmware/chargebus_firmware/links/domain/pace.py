"""How fast bytes may go."""

from dataclasses import dataclass

_BURST_S = 1.0


@dataclass
class Allowance:
    """So many bytes a second, and as many at once as in a second; whoever takes more waits longer.

    Attributes:
        bytes_per_s: the rate.
        at: the time, in seconds, for which `left` holds.
    """

    bytes_per_s: float
    at: float
    left: float = 0.0

    def take(self, count: int, now: float) -> float:
        """Take `count` bytes; return for how many seconds to wait before the next."""
        self.left = min(self.bytes_per_s * _BURST_S, self.left + (now - self.at) * self.bytes_per_s) - count
        self.at = now
        return max(0.0, -self.left / self.bytes_per_s)

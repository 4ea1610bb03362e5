"""Lines that come in masses: a few of each kind in a while, and then how many were left out."""

from collections import Counter
from collections.abc import Callable

WINDOW_S = 10.0


class Sparse:
    """Admits at most so many of a kind in a window, and counts the rest."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._since = monotonic()
        self._seen: Counter[str] = Counter()

    def left_out(self) -> dict[str, int]:
        """Return how many of each kind were left out in the window that is over; none while it goes on."""
        now = self._monotonic()
        if now - self._since < WINDOW_S:
            return {}
        self._since = now
        seen, self._seen = self._seen, Counter()
        return {kind: count - self._most for kind, count in seen.items() if count > self._most}

    def admits(self, kind: str) -> bool:
        """Count one of a kind; False if there were enough of them."""
        self._seen[kind] += 1
        return self._seen[kind] <= self._most

"""What an edge counts: plain numbers, raised on the hot path and read by the metrics; and a log that cannot flood."""

import logging
from collections import Counter
from collections.abc import Callable

from chargebus_runtime.sparse import Sparse

log = logging.getLogger(__name__)

LINES_PER_WINDOW = 20


class Counts:
    """Counts since the start of the process; each is documented where it is exported, in `metrics`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.frames: Counter[tuple[str, str, str]] = Counter()
        self.deviations: Counter[tuple[str, str, str, str]] = Counter()
        self.events: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.compressed: Counter[tuple[str, str]] = Counter()
        self.handshakes_refused: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.tls_reloads: Counter[str] = Counter()
        self.dark_s = 0.0
        self._log = SparseLog(monotonic)

    def note(self, event: str, station_id: str, about: str) -> None:
        """Count an event of a connection and tell of it."""
        self.events[event] += 1
        self._log.say(event, "%s: %s: %s", station_id, event.replace("_", " "), about)

    def refuse_handshake(self, reason: str, who: str) -> None:
        """Count a refused handshake and tell of it."""
        self.handshakes_refused[reason] += 1
        self._log.say(reason, "refused a handshake: %s: %s", reason, who)

    def drop(self, reason: str, station_id: str) -> None:
        """Count a connection that was given up and tell of it."""
        self.drops[reason] += 1
        self._log.say(reason, "%s: dropped, it is %s", station_id, reason)


class SparseLog:
    """Logs at most so many lines of a kind in a window, and then how many it left out."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._sparse = Sparse(LINES_PER_WINDOW, monotonic)

    def say(self, kind: str, message: str, *values: object) -> None:
        """Log a line of `kind`, or count it."""
        for left_out_kind, count in self._sparse.left_out().items():
            log.warning("left out %d more lines about: %s", count, left_out_kind)
        if self._sparse.admits(kind):
            log.warning(message, *(_printable(value) for value in values))


def _printable(value: object) -> object:
    # Stations write what they like; a log line stays one line.
    return value.encode("unicode_escape").decode()[:300] if isinstance(value, str) else value

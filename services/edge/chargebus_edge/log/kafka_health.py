"""Whether Kafka takes what the edge reads: it does (light), is slow (stalled), or is away (dark). Pure."""

from dataclasses import dataclass
from math import inf
from typing import Literal

KafkaState = Literal["light", "stalled", "dark"]


@dataclass(frozen=True)
class HealthLimits:
    """How long, in seconds.

    `stall_s`: an acknowledgement that takes longer stops the reading. `dark_s`: one that takes that long ends it.
    `steady_s`: a light that was shorter was none: the dark after it lasts at least a pause, from `first_pause_s` on
    twice as long each time, up to `longest_pause_s`.
    """

    stall_s: float
    dark_s: float
    steady_s: float = 60.0
    first_pause_s: float = 5.0
    longest_pause_s: float = 60.0


class KafkaHealth:
    """Follows the age of the oldest record without an acknowledgement.

    Out of the dark leads only a heartbeat that Kafka acknowledged: by then there is nothing else to go by. It says
    nothing of the partitions that frames go to, so while those stay away each light is short, and each dark longer.
    """

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._lit_at = -inf
        self._pause_s = 0.0
        self._dark_until = -inf
        self._acknowledged = False
        self.state: KafkaState = "light"

    def look(self, now: float, oldest_at: float | None) -> KafkaState:
        """Return the state at `now`, when the oldest unacknowledged record was sent at `oldest_at`."""
        if self.state == "dark":
            self._look_for_light(now)
            return self.state
        age = 0.0 if oldest_at is None else now - oldest_at
        if age > self._limits.dark_s:
            self._go_dark(now)
        else:
            self.state = "stalled" if age > self._limits.stall_s else "light"
        return self.state

    def acknowledged(self) -> None:
        """Note that Kafka acknowledged a heartbeat."""
        self._acknowledged = True

    def _look_for_light(self, now: float) -> None:
        acknowledged, self._acknowledged = self._acknowledged, False
        if acknowledged and now >= self._dark_until:
            self.state = "light"
            self._lit_at = now

    def _go_dark(self, now: float) -> None:
        limits = self._limits
        was_steady = now - self._lit_at >= limits.steady_s
        longer_s = min(max(limits.first_pause_s, 2 * self._pause_s), limits.longest_pause_s)
        self._pause_s = 0.0 if was_steady else longer_s
        self._dark_until = now + self._pause_s
        self._acknowledged = False
        self.state = "dark"

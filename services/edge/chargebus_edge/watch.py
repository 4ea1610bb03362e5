"""Whether Kafka takes what the edge reads: light, stalled or dark. Pure."""

from dataclasses import dataclass
from typing import Literal

Light = Literal["light", "stalled", "dark"]


@dataclass(frozen=True)
class WatchLimits:
    """`stall_s`: an acknowledgement that takes longer stops the reading; `dark_s`: one that takes that long ends it."""

    stall_s: float
    dark_s: float


class KafkaWatch:
    """Follows the age of the oldest record without an acknowledgement.

    Out of the dark leads only a heartbeat that Kafka acknowledged: by then there is nothing else to go by.
    """

    def __init__(self, limits: WatchLimits) -> None:
        self._limits = limits
        self.light: Light = "light"

    def look(self, now: float, oldest_at: float | None) -> Light:
        """Return the state at `now`, when the oldest unacknowledged record was sent at `oldest_at`."""
        if self.light == "dark":
            return self.light
        age = 0.0 if oldest_at is None else now - oldest_at
        if age > self._limits.dark_s:
            self.light = "dark"
        else:
            self.light = "stalled" if age > self._limits.stall_s else "light"
        return self.light

    def acknowledged(self) -> None:
        """Note that Kafka acknowledged a heartbeat."""
        if self.light == "dark":
            self.light = "light"

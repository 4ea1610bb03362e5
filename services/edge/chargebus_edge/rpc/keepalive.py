"""Whether a station is still there: any sign of life counts, and pings ask for one."""

from typing import Final, Literal

from chargebus_edge.rpc.limits import ConnectionLimits

Step = Literal["wait", "ping", "half-open", "silent"]
PING: Final = "ping"


class KeepAlive:
    """The silence of one station.

    Some stations never answer a ping. So only one that has done so once is taken for gone when it fails to; any
    other is judged by its traffic.
    """

    __slots__ = ("_answers_pings", "_limits", "_pinged_at", "_silent_since", "due_at")

    def __init__(self, limits: ConnectionLimits, now: float) -> None:
        self._limits = limits
        self._answers_pings = False
        self.message(now)

    def message(self, now: float) -> None:
        """Note a message; before `due_at` there is no step to take."""
        self._silent_since = now
        self._pinged_at: float | None = None
        self.due_at = now + self._limits.ping_after_s

    def pong(self, now: float) -> None:
        """Note a pong; it answers a ping, if there was one."""
        self._answers_pings = self._answers_pings or self._pinged_at is not None
        self.message(now)

    def silence_s(self, now: float) -> float:
        """Return for how long nothing was heard."""
        return now - self._silent_since

    def step(self, now: float) -> Step:
        """Return what is to be done; "ping" counts as done."""
        limits, silence = self._limits, now - self._silent_since
        if now < self.due_at:
            return "wait"
        if self._pinged_at is None:
            self._pinged_at = now
            return "ping"
        if self._answers_pings and now - self._pinged_at >= limits.pong_within_s:
            return "half-open"
        return "silent" if silence >= limits.silent_for_s else "wait"

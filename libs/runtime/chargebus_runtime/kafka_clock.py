"""Owns the one clock that all processes can read: Kafka's, as the leader of `ocpp.edges` stamps each heartbeat.

Hosts' clocks may differ; whether a command is still fresh must not hang on that. So the moments that two processes
compare are written and read in Kafka's time:

- whoever asks for a command writes `requested_at` as `to_kafka(now)`;
- `command` writes `sent_at` as `now()` and `expires_at` as `to_kafka(expires_at)` on the downlink (it keeps that very
  `sent_at` with the command: the edge's report names it again), while the deadlines in its own database stay on its
  own clock;
- the edge compares with `now()`, and from there on measures durations on its monotonic clock.

How: `ocpp.edges` has `message.timestamp.type=LogAppendTime`. A heartbeat that is read as it comes was stamped a moment
ago, so the stamp and our monotonic clock differ by what is between the two clocks plus the way of the record; the
least difference of the last few is taken, which leaves the error of the fastest fetch, some milliseconds. A step of
our wall clock changes nothing. Where the leader changes to a broker with another clock, all readers follow it.

Until the first heartbeat is read as it comes (an edge sends one each 3 s, and its first before it lets stations in),
and where the topic is not stamped by Kafka, our own clock is taken; the latter stands in the process's health.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Final

from chargebus_events.record import Received

from chargebus_runtime.clock import Clock

HEARTBEATS: Final = 30
"""How many of the last heartbeats are compared."""


class KafkaClock:
    """Tells the time by Kafka's clock; `clock` and `monotonic` are the process's own."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._differences: deque[float] = deque(maxlen=HEARTBEATS)
        self._difference_s: float | None = None  # our monotonic clock less Kafka's
        self._newest_stamp_s = -inf
        self.stamped: bool | None = None  # whether Kafka stamps the topic; None until a record was read

    @property
    def measured(self) -> bool:
        """Whether Kafka's clock was compared with ours."""
        return self._difference_s is not None

    def now(self) -> datetime:
        """Return the time by Kafka's clock."""
        if self._difference_s is not None:
            return datetime.fromtimestamp(self._monotonic() - self._difference_s, UTC)
        now = self._clock()
        if self._newest_stamp_s <= now.timestamp():
            return now
        return datetime.fromtimestamp(self._newest_stamp_s, UTC)  # it is at least as late as it was then

    def skew_s(self) -> float:
        """Return how far our clock is ahead of Kafka's; negative: behind."""
        return (self._clock() - self.now()).total_seconds()

    def to_kafka(self, at: datetime) -> datetime:
        """Return a moment of our clock as Kafka's clock has it."""
        return at - timedelta(seconds=self.skew_s())

    def hear(self, record: Received, *, live: bool) -> None:
        """Take a record of `ocpp.edges`; `live`: it came just now."""
        self.stamped = record.stamped_by_kafka
        if not self.stamped:
            self._differences.clear()
            self._difference_s = None
            self._newest_stamp_s = -inf
            return
        stamp_s = record.timestamp_ms / 1000
        self._newest_stamp_s = max(self._newest_stamp_s, stamp_s)
        if live:
            self._differences.append(self._monotonic() - stamp_s)
            self._difference_s = min(self._differences)

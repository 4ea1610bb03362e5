"""Records that were taken and may wait a moment for others, so that their batch is worth its transaction.

They wait in memory only: their offsets are not stored, so what a crash takes from here is read again.
"""

from collections.abc import Callable, Mapping, Sequence

from aiokafka import TopicPartition
from chargebus_events.record import Received

Records = dict[TopicPartition, list[Received]]
Urgent = Callable[[Received], bool]


class Gathering:
    """What waits; it is due when a record is urgent, when the oldest waited `longest_s`, or when there are `most`."""

    def __init__(self, urgent: Urgent | None, longest_s: float, most: int) -> None:
        self._urgent = urgent
        self._longest_s = longest_s
        self._most = most
        self._records: Records = {}
        self._count = 0
        self._since: float | None = None
        self._pressing = False

    def add(self, taken: Mapping[TopicPartition, Sequence[Received]], now: float) -> None:
        """Take what a poll returned."""
        for tp, records in taken.items():
            self._records.setdefault(tp, []).extend(records)
            self._count += len(records)
            self._since = now if self._since is None else self._since
            self._pressing = self._pressing or self._urgent is None or any(map(self._urgent, records))

    def wait_s(self, now: float) -> float | None:
        """Return how long it may still wait, 0 if it is due; None if there is nothing."""
        if self._since is None:
            return None
        if self._pressing or self._count >= self._most:
            return 0.0
        return max(0.0, self._since + self._longest_s - now)

    def take(self) -> Records:
        """Return what waited; nothing waits any more."""
        records = self._records
        self.forget()
        return records

    def forget(self) -> None:
        """Drop what waits: it will be read again."""
        self._records = {}
        self._count = 0
        self._since = None
        self._pressing = False

"""Records that were taken and may wait a moment for others, so that their batch is worth its transaction.

They wait in memory only: their offsets are not stored, so what a crash takes from here is read again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from aiokafka import TopicPartition
from chargebus_events.record import Received

from chargebus_runtime.telemetry import metrics

log = logging.getLogger(__name__)

Records = dict[TopicPartition, list[Received]]
Patience = Callable[[Received], float]
"""How many seconds a record may wait for others; 0 for one that somebody waits for."""


def no_patience(_record: Received) -> float:
    """Let no record wait."""
    return 0.0


class Gathering:
    """What waits; it is due, all of it, when the first of its records has no time left, or when there are `most`."""

    def __init__(self, patience: Patience, most: int, service: str = "") -> None:
        self._patience = patience
        self._most = most
        self._service = service
        self._records: Records = {}
        self._count = 0
        self._due_at: float | None = None

    def add(self, taken: Mapping[TopicPartition, Sequence[Received]], now: float) -> None:
        """Take what a poll returned."""
        for tp, records in taken.items():
            self._records.setdefault(tp, []).extend(records)
            self._count += len(records)
            due_at = now + self._least_patience(records)
            self._due_at = due_at if self._due_at is None else min(self._due_at, due_at)

    def _least_patience(self, records: Sequence[Received]) -> float:
        if self._patience is no_patience:
            return 0.0
        try:
            return min(map(self._patience, records))
        except Exception:
            log.exception("%s cannot tell how long a record may wait", self._service)
            metrics().faults.add(1, {"service": self._service, "where": "patience"})
            return 0.0

    def wait_s(self, now: float) -> float | None:
        """Return how long it may still wait, 0 if it is due; None if there is nothing."""
        if self._due_at is None:
            return None
        return 0.0 if self._count >= self._most else max(0.0, self._due_at - now)

    def take(self) -> Records:
        """Return what waited; nothing waits any more."""
        records = self._records
        self.forget()
        return records

    def forget(self) -> None:
        """Drop what waits: it will be read again."""
        self._records = {}
        self._count = 0
        self._due_at = None

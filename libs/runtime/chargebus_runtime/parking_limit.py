"""How much may be parked: where everything fails it is not the records that are bad, but what was deployed."""

from collections import deque
from typing import Final

from aiokafka import TopicPartition
from chargebus_events.record import Received

IN_A_ROW: Final = 5
RECENT: Final = 100


class ParkingLimit:
    """What one consumer parked lately: `IN_A_ROW` records without one applied between, half of a partition's `RECENT`.

    It remembers nothing over a restart, so each process may park as many before it stops.
    """

    def __init__(self) -> None:
        self._in_a_row = 0
        self._parked: dict[TopicPartition, deque[int]] = {}

    def reached(self, record: Received) -> str | None:
        """Return why a record must not be parked; None if it may."""
        if self._in_a_row >= IN_A_ROW:
            return f"the last {self._in_a_row} records had to be parked, and none between them could be applied"
        parked = self._parked.get(TopicPartition(record.topic, record.partition), ())
        recent = sum(record.offset - RECENT < offset < record.offset for offset in set(parked))
        if 2 * recent >= RECENT:
            return f"{recent} of the last {RECENT} records of its partition had to be parked"
        return None

    def parked(self, record: Received) -> None:
        """Count a record that was parked."""
        self._in_a_row += 1
        tp = TopicPartition(record.topic, record.partition)
        self._parked.setdefault(tp, deque(maxlen=RECENT)).append(record.offset)

    def applied(self) -> None:
        """Note that records were applied."""
        self._in_a_row = 0

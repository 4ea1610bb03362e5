"""Which records to try together where all of them together failed: halves, until the guilty stands alone."""

from collections.abc import Sequence

from aiokafka import TopicPartition
from chargebus_events.record import Received


class Pieces:
    """What is left of a batch that failed, in its order; `next` says what to try, the others what came of it.

    A guilty record is found in log n steps. After it the pieces are twice as long as the good stretch before it, so
    that what stands between two guilty ones costs log n steps, too, however many they are.
    """

    def __init__(self, records: Sequence[Received]) -> None:
        self._left = list(records)
        self._suspects = len(self._left)  # the first guilty one is among so many; 0: none is known of
        self._stretch = 0  # good ones since the last guilty one
        self._reach = 0

    def next(self) -> list[Received]:
        """Return the records to try together; none if none are left."""
        size = max(1, self._suspects // 2) if self._suspects else max(self._reach, 2 * self._stretch + 2)
        return self._left[:size]

    def applied(self, piece: Sequence[Received]) -> None:
        """Note that a piece is applied."""
        del self._left[: len(piece)]
        self._suspects = max(0, self._suspects - len(piece))
        self._stretch += len(piece)

    def failed(self, piece: Sequence[Received]) -> bool:
        """Note that a piece failed; return whether its one record is guilty: it failed twice, the last time alone."""
        guilty = len(piece) == self._suspects == 1
        self._suspects = len(piece)
        return guilty

    def pass_over(self) -> None:
        """Go on after a guilty record."""
        del self._left[0]
        self._go_on()

    def leave(self, tp: TopicPartition) -> None:
        """Go on without a guilty record and all that come after it in its partition."""
        self._left = [record for record in self._left if (record.topic, record.partition) != tp]
        self._go_on()

    def _go_on(self) -> None:
        self._suspects = 0
        self._reach = 2 * self._stretch + 2
        self._stretch = 0

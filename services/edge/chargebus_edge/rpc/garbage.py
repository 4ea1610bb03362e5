"""Keeps the garbage collector away from what lives as long as a connection.

A full collection looks at every object of every connection, which with tens of thousands of them stops the edge for
most of a second. Connections hold no cycles (a test watches that), so nothing is lost when it does not look.
"""

import gc
from typing import Final

FIRST_AT: Final = 500
GROWTH: Final = 1.25


class FrozenHeap:
    """Freezes the heap when the number of connections has grown by a quarter."""

    def __init__(self) -> None:
        self._next_at = FIRST_AT

    def settle(self, connections: int) -> None:
        """Freeze if it is time; `connections` is how many there are."""
        if connections < self._next_at:
            return
        gc.collect()
        gc.freeze()
        self._next_at = int(connections * GROWTH)

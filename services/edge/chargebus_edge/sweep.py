"""The one timer of all connections: each is looked at once a second, a slice at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chargebus_edge.connection import Connection
from chargebus_edge.connections import Connections
from chargebus_edge.memory import Heap
from chargebus_edge.presence import Remnants
from chargebus_edge.watch import KafkaWatch

ROUND_S: Final = 1.0
SLICES: Final = 20
REMNANT_RETRY_S: Final = 10.0


@dataclass(frozen=True)
class Sweep:
    """Sweeps connections for deadlines and silence, and the log for connections that nobody holds."""

    connections: Connections
    remnants: Remnants
    watch: KafkaWatch
    heap: Heap
    monotonic: Callable[[], float]

    async def run(self) -> None:
        """Sweep until cancelled. Stalled time counts for nobody: what a station said then was not read."""
        while True:
            for slice_ in self._slices():
                await asyncio.sleep(ROUND_S / SLICES)
                if self.watch.light == "light":
                    now = self.monotonic()
                    for connection in slice_:
                        if not connection.ended:
                            connection.sweep(now)
            if self.watch.light == "light":
                self.end_remnants(self.monotonic())
            self.heap.settle(len(self.connections))

    def end_remnants(self, now: float) -> int:
        """Publish the end of connections that the log has open and nobody holds; return how many."""
        due = self.remnants.take_due(now)
        for station_id, epoch in due:
            self.connections.end_in_log(station_id, epoch)
        return len(due)

    def _slices(self) -> list[list[Connection]]:
        every = list(self.connections)
        return [every[start::SLICES] for start in range(SLICES)]

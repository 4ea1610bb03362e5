"""The one timer of all connections: each is looked at once a second, a slice at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chargebus_edge.log.connections import Connections
from chargebus_edge.log.kafka_health import KafkaHealth
from chargebus_edge.rpc.connection import OcppConnection
from chargebus_edge.rpc.garbage import FrozenHeap

ROUND_S: Final = 1.0
SLICES: Final = 20


@dataclass(frozen=True)
class ConnectionTimer:
    """Looks after connections for deadlines and silence, and after those in the log that nobody holds."""

    connections: Connections[OcppConnection]
    health: KafkaHealth
    heap: FrozenHeap
    monotonic: Callable[[], float]

    async def run(self) -> None:
        """Run until cancelled. Stalled time counts for nobody: what a station said then was not read."""
        while True:
            for slice_ in self._slices():
                await asyncio.sleep(ROUND_S / SLICES)
                if self.health.state == "light":
                    now = self.monotonic()
                    for connection in slice_:
                        if not connection.ended:
                            connection.tick(now)
            if self.health.state == "light":
                self.connections.end_remnants(self.monotonic())
            self.heap.settle(len(self.connections))

    def _slices(self) -> list[list[OcppConnection]]:
        every = list(self.connections)
        return [every[start::SLICES] for start in range(SLICES)]

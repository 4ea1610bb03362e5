"""The orderly end of an edge: let nobody in, finish what is under way, close in a spread, say so in the log."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chargebus_edge.log.connections import AnyConnections
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.slot import Slot
from chargebus_edge.log.stations import Ending
from chargebus_edge.log.uplink import Uplink

log = logging.getLogger(__name__)

STEP_S: Final = 0.05
PER_SECOND: Final = 200  # so many reconnects at once harm nobody: a small edge need not take its time
PATIENCE_S: Final = 5.0
SETTLE_S: Final = 5.0


@dataclass(frozen=True)
class Drain:
    """Empties an edge. `longest_s`: over how long a full one closes its connections."""

    connections: AnyConnections
    uplink: Uplink
    slot: Slot
    obstacles: Obstacles
    monotonic: Callable[[], float]
    longest_s: float

    async def run(self) -> None:
        """Drain; returns when all that can be said is said."""
        self.obstacles.add("draining")
        log.info("draining %d connections", len(self.connections))
        await self._close()
        try:
            await asyncio.wait_for(self.uplink.settled(), SETTLE_S)
        except TimeoutError:
            log.warning("Kafka is away: it never got %d records", len(self.uplink))
        else:
            await self.slot.leave()

    async def _close(self) -> None:
        """Close so many each step, those without a call under way first; in the end all."""
        total, started, closed = len(self.connections), self.monotonic(), 0
        spread_s = min(self.longest_s, total / PER_SECOND)
        while len(self.connections):
            elapsed = self.monotonic() - started
            quota = total if elapsed >= spread_s else int(total * elapsed / spread_s)
            impatient = elapsed >= spread_s + PATIENCE_S
            if elapsed >= spread_s + PATIENCE_S + SETTLE_S:
                return  # what is left was closed, but Kafka never acknowledged that it had begun
            for connection in self.connections:
                if closed >= quota and not impatient:
                    break
                if impatient or not connection.busy:
                    connection.close(Ending.EDGE_STOPS)
                    closed += 1
            await asyncio.sleep(STEP_S)

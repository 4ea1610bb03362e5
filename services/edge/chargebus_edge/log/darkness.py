"""What an edge does when Kafka does not take what it reads: it stops reading, then lets its stations go.

A station that is not answered keeps its messages and sends them again. So nothing is lost in the dark, while an edge
that went on reading could only drop.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from chargebus_edge.counts import Counts
from chargebus_edge.log.connections import AnyConnections
from chargebus_edge.log.kafka_health import KafkaHealth, KafkaState
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.slot import Slot
from chargebus_edge.log.stations import Ending, HeldConnection
from chargebus_edge.log.uplink import Uplink, Waiting

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25


@dataclass
class Darkness:
    """Acts on Kafka's health. `spread_s`: how long it takes to close all connections."""

    health: KafkaHealth
    connections: AnyConnections
    uplink: Uplink
    slot: Slot
    obstacles: Obstacles
    counts: Counts
    monotonic: Callable[[], float]
    spread_s: float
    _state: KafkaState = "light"
    _leaving: deque[HeldConnection] = field(default_factory=deque)
    _share: int = 0

    async def run(self) -> None:
        """Look at Kafka until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Look once."""
        if self._state == "dark":
            self.uplink.give_up()  # what was read before the sockets were closed
        oldest = self._oldest()
        state = self.health.look(self.monotonic(), None if oldest is None else oldest.since)
        if state != self._state:
            self._state = state
            _CHANGES[state](self)
        if state != "light":
            self.counts.dark_s += LOOK_EVERY_S
        for _ in range(min(self._share, len(self._leaving))):
            self._leaving.popleft().close(Ending.KAFKA_AWAY)

    def _oldest(self) -> Waiting | None:
        waiting = (self.uplink.oldest(), self._heartbeat())
        return min((each for each in waiting if each is not None), default=None)

    def _heartbeat(self) -> Waiting | None:
        since = self.slot.waiting_since
        return None if since is None else Waiting(since, f"the heartbeat of slot {self.slot.number}")

    def _stall(self) -> None:
        log.warning("Kafka is slow to acknowledge: reading from %d stations stops", len(self.connections))
        self.obstacles.add("dark")
        self.connections.hold("kafka")

    def _go_dark(self) -> None:
        oldest = self._oldest()
        what = "an acknowledgement" if oldest is None else oldest.what
        log.error("Kafka is away: closing %d connections, refusing new ones; missed: %s", len(self.connections), what)
        self.obstacles.add("dark")
        self.connections.hold("kafka")
        self.connections.quiet = True
        self.uplink.give_up()
        self._leaving = deque(self.connections)
        self._share = ceil(len(self._leaving) * LOOK_EVERY_S / self.spread_s)

    def _light_up(self) -> None:
        log.warning("Kafka is back: %d connections are still open", len(self.connections))
        self._leaving.clear()
        self.connections.quiet = False
        self.connections.release("kafka")
        self.obstacles.remove("dark")


_CHANGES: Final[dict[KafkaState, Callable[[Darkness], None]]] = {
    "light": Darkness._light_up,
    "stalled": Darkness._stall,
    "dark": Darkness._go_dark,
}

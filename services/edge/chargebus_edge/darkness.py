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

from chargebus_edge.connection import Connection
from chargebus_edge.connections import TRY_AGAIN_LATER, Connections
from chargebus_edge.gate import Gate
from chargebus_edge.slot import Slot
from chargebus_edge.tally import Tally
from chargebus_edge.uplink import Uplink, Waiting
from chargebus_edge.watch import KafkaWatch, Light

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25


@dataclass
class Darkness:
    """Acts on what the watch sees. `spread_s`: how long it takes to close all sockets."""

    watch: KafkaWatch
    connections: Connections
    uplink: Uplink
    slot: Slot
    gate: Gate
    tally: Tally
    monotonic: Callable[[], float]
    spread_s: float
    _light: Light = "light"
    _leaving: deque[Connection] = field(default_factory=deque)
    _share: int = 0

    async def run(self) -> None:
        """Look at Kafka until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Look once."""
        if self._light == "dark":
            self.uplink.give_up()  # what was read before the sockets were closed
        oldest = self._oldest()
        light = self.watch.look(self.monotonic(), None if oldest is None else oldest.since)
        if light != self._light:
            self._light = light
            _CHANGES[light](self)
        if light != "light":
            self.tally.dark_s += LOOK_EVERY_S
        for _ in range(min(self._share, len(self._leaving))):
            self._leaving.popleft().close(TRY_AGAIN_LATER, "Kafka is away")

    def _oldest(self) -> Waiting | None:
        waiting = (self.uplink.oldest(), self._heartbeat())
        return min((each for each in waiting if each is not None), default=None)

    def _heartbeat(self) -> Waiting | None:
        since = self.slot.waiting_since
        return None if since is None else Waiting(since, f"the heartbeat of slot {self.slot.number}")

    def _stall(self) -> None:
        log.warning("Kafka is slow to acknowledge: reading from %d stations stops", len(self.connections))
        self.gate.shut("dark")
        for connection in self.connections:
            connection.hold()

    def _go_dark(self) -> None:
        oldest = self._oldest()
        what = "an acknowledgement" if oldest is None else oldest.what
        log.error("Kafka is away: closing %d connections, refusing new ones; missed: %s", len(self.connections), what)
        self.gate.shut("dark")
        self.connections.quiet = True
        self.uplink.give_up()
        self._leaving = deque(self.connections)
        self._share = ceil(len(self._leaving) * LOOK_EVERY_S / self.spread_s)

    def _light_up(self) -> None:
        log.warning("Kafka is back: %d connections are still open", len(self.connections))
        self._leaving.clear()
        self.connections.quiet = False
        for connection in self.connections:
            connection.release()
        self.gate.clear("dark")


_CHANGES: Final[dict[Light, Callable[[Darkness], None]]] = {
    "light": Darkness._light_up,
    "stalled": Darkness._stall,
    "dark": Darkness._go_dark,
}

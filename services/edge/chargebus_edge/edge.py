"""An edge as a whole: how it begins, what runs while it lives, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chargebus_edge.door.credentials import Credentials
from chargebus_edge.log.connections import Connections
from chargebus_edge.log.drain import Drain
from chargebus_edge.log.kafka_health import KafkaHealth
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.presence import REMNANT_RETRY_S
from chargebus_edge.log.refusals import Refusals
from chargebus_edge.log.slot import Slot, Status
from chargebus_edge.log.stations import Ending
from chargebus_edge.rpc.connection import OcppConnection
from chargebus_edge.rpc.server import StationServer
from chargebus_edge.rpc.timer import ConnectionTimer

_WORDS: Final = {
    "starting": "the slot is not claimed yet",
    "draining": "the edge is draining",
    "dark": "Kafka does not take records",
    "slot lost": "a newer edge has the slot",
}


@dataclass(frozen=True)
class Edge:
    """The parts of an edge that have a beginning and an end."""

    slot: Slot
    connections: Connections[OcppConnection]
    server: StationServer
    timer: ConnectionTimer
    health: KafkaHealth
    obstacles: Obstacles
    drainer: Drain
    credentials: Credentials
    refusals: Refusals
    monotonic: Callable[[], float]

    async def start(self) -> None:
        """Claim the slot, end what a predecessor on it left open, let stations in."""
        self.connections.edge_epoch = await self.slot.claim()
        self.connections.end_remnants(self.monotonic() + REMNANT_RETRY_S)
        await self.server.start()
        self.obstacles.remove("starting")

    async def keep_slot(self) -> None:
        """Send heartbeats.

        Raises:
            SlotLostError: a newer edge has the slot; the process ends.
        """
        await self.slot.beat(self._status, self.health.acknowledged)

    async def leave_slot(self) -> None:
        """Fence this edge as soon as a newer one has its slot: it may speak for no station any more."""
        await self.slot.lost.wait()
        self.obstacles.add("slot lost")
        self.connections.quiet = True  # the newer edge ends these connections in the log
        self.connections.close_all(Ending.TAKEN_OVER)

    async def drain(self) -> None:
        """End in order."""
        self.refusals.tell()
        await self.drainer.run()
        await self.server.stop()
        self.credentials.close()

    def check(self) -> str | None:
        """Return why stations are not let in, or None."""
        obstacle = self.obstacles.first
        return None if obstacle is None else _WORDS[obstacle]

    def _status(self) -> Status:
        return Status(len(self.connections), draining="draining" in self.obstacles)

"""The edge's claim on its slot: the downlink partition and the name under which its stations are found."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import uuid4

from aiokafka.errors import KafkaError
from chargebus_events.presence import EdgeHeartbeat
from chargebus_events.record import Record
from chargebus_runtime.clock import Clock
from chargebus_runtime.edge_liveness import HeardEdge
from chargebus_runtime.producer import Sent

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 3.0
ANSWER_WITHIN_S: Final = 10.0


class SlotLostError(RuntimeError):
    """A newer edge claimed the slot: this one has to go."""


class Sending(Protocol):
    """What a slot needs of the process's producer."""

    async def send(self, record: Record) -> Sent:
        """Send a record and wait for its acknowledgement."""
        ...


@dataclass(frozen=True)
class Status:
    """What a heartbeat tells of the edge."""

    connections: int
    draining: bool


@dataclass
class Slot:
    """A slot, claimed by heartbeats on `ocpp.edges`; the offset of the first one is the edge's epoch.

    `issuers` tells under whom the edge's certificates stand. `lost` is set when the log shows a newer edge on the slot.
    `waiting_since` tells since when Kafka acknowledged no heartbeat though one was sent.
    """

    number: int
    producer: Sending
    clock: Clock
    monotonic: Callable[[], float]
    issuers: Callable[[], tuple[str, ...]] = tuple
    epoch: int | None = None
    waiting_since: float | None = None
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    instance: str = field(default_factory=lambda: uuid4().hex)
    _newest: int = -1
    _left: bool = False

    async def claim(self) -> int:
        """Announce the edge, however long Kafka takes; return its epoch."""
        while self.epoch is None:
            sent = await self._send(self._heartbeat(Status(0, draining=False)))
            if sent is not None and sent.offset >= 0:
                self.epoch = sent.offset
                self._compare()
        return self.epoch

    async def beat(self, status: Callable[[], Status], acknowledged: Callable[[], None]) -> None:
        """Send heartbeats until the slot is lost, or left.

        Raises:
            SlotLostError: a newer edge has it.
        """
        while not self._left:
            if self.lost.is_set():
                raise SlotLostError(f"a newer edge has claimed slot {self.number}; this one stops")
            if await self._send(self._heartbeat(status())) is not None:
                acknowledged()
            await self._pause(HEARTBEAT_S)

    async def leave(self) -> None:
        """Say that the edge is gone, as its last heartbeat: nobody need wait to find that out."""
        self._left = True
        if self.epoch is not None and not self.lost.is_set():
            await self._send(self._heartbeat(Status(0, draining=True), stopped=True))

    def hear(self, edge: HeardEdge) -> None:
        """Take what `ocpp.edges` tells of an edge on any slot."""
        if edge.slot == self.number:
            self._newest = max(self._newest, edge.epoch)
            self._compare()

    def _compare(self) -> None:
        if self.epoch is not None and self._newest > self.epoch and not self.lost.is_set():
            log.critical("a newer edge has claimed slot %d", self.number)
            self.lost.set()

    def _heartbeat(self, status: Status, *, stopped: bool = False) -> Record:
        return EdgeHeartbeat(
            slot=self.number,
            instance=self.instance,
            at=self.clock(),
            epoch=self.epoch,
            connections=status.connections,
            draining=status.draining,
            stopped=stopped,
            issuers=self.issuers(),
        ).record()

    async def _send(self, record: Record) -> Sent | None:
        if self.waiting_since is None:
            self.waiting_since = self.monotonic()
        # A client that was replaced may never answer for what it had: after a while the next heartbeat goes out.
        try:
            sent = await asyncio.wait_for(self.producer.send(record), ANSWER_WITHIN_S)
        except (KafkaError, TimeoutError) as error:
            log.warning("Kafka did not take the heartbeat of slot %d: %r", self.number, error)
            return None
        self.waiting_since = None
        return sent

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.lost.wait(), seconds)
        except TimeoutError:
            return

"""Owns who holds the sockets: edges heard of on `ocpp.edges`, and the end of connections whose edge is dead.

Every copy of the service listens by itself, not as a member of the consumer group: while a group settles after the
death of a copy nobody reads, and silence there must not look like the death of an edge. What any copy hears counts.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from chargebus_events.presence import EdgeHeartbeat
from chargebus_events.public import STATION_CONNECTION, event
from chargebus_events.record import Received
from chargebus_events.topics import EDGES
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import AWAY, CONFLICT, Database, Transaction
from chargebus_runtime.retry import until_done
from chargebus_runtime.tasks import DueWork, every
from chargebus_runtime.view import View

from chargebus_device.domain.connection import Connection, connection_event
from chargebus_device.source import SOURCE, connection_event_id
from chargebus_device.store import connections, edges
from chargebus_device.store.edges import Sighting

log = logging.getLogger(__name__)

_AT_ONCE = 2000

_decode = msgspec.json.Decoder(EdgeHeartbeat).decode


class EdgesHeard:
    """The newest edge on each slot, from the topic.

    What was said before we listened counts from when it was said, what we hear live from when we hear it: so the
    clock of an edge need not agree with ours.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sightings: dict[int, Sighting] = {}
        self._offset = -1
        self.view = View(EDGES, self.apply)

    @property
    def sightings(self) -> list[Sighting]:
        """What was heard, one for each slot."""
        return list(self._sightings.values())

    def apply(self, record: Received) -> None:
        """Take the next record of the topic."""
        if record.offset <= self._offset:
            log.warning("%s starts anew: forgetting the edges of the old log", record.topic)
            self._sightings.clear()
        self._offset = record.offset
        if record.value is None:
            return
        try:
            heartbeat = _decode(record.value)
        except msgspec.DecodeError as error:
            log.warning("no heartbeat at %s@%d: %s", record.topic, record.offset, error)
            return
        self._see(heartbeat, heartbeat.epoch_at(record.offset))

    def _see(self, heartbeat: EdgeHeartbeat, epoch: int) -> None:
        known = self._sightings.get(heartbeat.slot)
        if known is not None and epoch < known.epoch:
            return
        now = self._clock()
        seen_at = now if self.view.ready.is_set() else min(heartbeat.at, now)
        self._sightings[heartbeat.slot] = Sighting(heartbeat.slot, epoch, heartbeat.stopped, seen_at)


@dataclass(frozen=True)
class LifeRules:
    """How long an edge may be silent, and how often that is looked at."""

    dead_after: timedelta
    every_s: float


class EdgeLife:
    """Ends the connections of dead edges, and opens them again if an edge had only been silent."""

    def __init__(self, database: Database, heard: EdgesHeard, rules: LifeRules) -> None:
        self._database = database
        self._heard = heard
        self._rules = rules
        self._due = DueWork(database, _AT_ONCE, self._change, self._tell)

    async def note(self) -> None:
        """Write down what was heard: before presence is read, it must be known which edges live."""
        await until_done("noting edges", self._note, *AWAY, *CONFLICT)

    async def run(self) -> None:
        """Note and sweep until cancelled; nobody is declared dead before there was time to hear of him."""
        from_then_on = asyncio.get_running_loop().time() + self._rules.dead_after.total_seconds()

        async def look() -> None:
            await self._note()
            if asyncio.get_running_loop().time() > from_then_on:
                await self.sweep()

        await every(self._rules.every_s, "looking after edges", look)()

    async def sweep(self) -> None:
        """Bring every connection in line with the life of its edge."""
        await self._due.sweep()

    async def _note(self) -> None:
        async with self._database.pool.acquire() as connection:
            await edges.heard(connection, self._heard.sightings)

    async def _change(self, tx: Transaction, limit: int) -> Sequence[Connection]:
        known = await edges.load(tx.connection, tx.now - self._rules.dead_after)
        return [
            *await connections.end(tx.connection, known, tx.now, limit),
            *await connections.revive(tx.connection, known, tx.now, limit),
        ]

    async def _tell(self, tx: Transaction, changed: Sequence[Connection]) -> int:
        for connection in changed:
            body = connection_event(connection, tx.now, connected=connection.connected)
            tx.send(event(STATION_CONNECTION, connection_event_id(body), SOURCE, tx.now, body))
        return len(changed)

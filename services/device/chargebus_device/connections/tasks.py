"""Owns who holds the sockets: edges heard of on `ocpp.edges`, and the end of connections whose edge is dead.

What any copy of the service hears of an edge counts for all: it is kept in the database.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from chargebus_events.public import STATION_CONNECTION, event
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.edge_liveness import EdgeLiveness, HeardEdge
from chargebus_runtime.tasks import DueWork, every

from chargebus_device.connections.domain import Connection, Edge, connection_event
from chargebus_device.connections.store import connections, edges
from chargebus_device.connections.store.edges import Sighting
from chargebus_device.names import SOURCE, connection_event_id

log = logging.getLogger(__name__)

_AT_ONCE = 2000


@dataclass(frozen=True)
class LifeRules:
    """How long an edge may be silent, and how often that is looked at."""

    dead_after: timedelta
    every_s: float


class EdgeLife:
    """Ends the connections of dead edges, and opens them again if an edge had only been silent."""

    def __init__(self, database: Database, heard: EdgeLiveness, rules: LifeRules, clock: Clock) -> None:
        self._database = database
        self._heard = heard
        self._rules = rules
        self._clock = clock
        self._due = DueWork(database, _AT_ONCE, self._change, self._tell)

    async def run(self) -> None:
        """Note and sweep until cancelled; nobody is declared dead before there was time to hear of him."""
        from_then_on = asyncio.get_running_loop().time() + self._rules.dead_after.total_seconds()

        async def look() -> None:
            await self.note()
            if asyncio.get_running_loop().time() > from_then_on:
                await self.sweep()

        await every(self._rules.every_s, "looking after edges", look)()

    async def sweep(self) -> None:
        """Bring every connection in line with the life of its edge."""
        await self._due.sweep()

    async def known(self, connection: asyncpg.Connection) -> dict[int, Edge]:
        """Return the newest edge of each slot: alive if we, or any copy, heard it lately, and it did not stop."""
        found = [self._sighting(edge) for edge in self._heard.newest()]
        return newest([*await edges.load(connection), *found], self._clock() - self._rules.dead_after)

    async def forget(self, connection: asyncpg.Connection) -> None:
        """Drop all edges: their epochs counted in the log of a Kafka cluster that is no more."""
        await edges.forget(connection)
        self._heard.forget()

    async def note(self) -> None:
        """Write down what was heard since we read along."""
        # An edge that was only found in the topic may be dead for long: a row of it says better when it was heard.
        heard = [self._sighting(edge) for edge in self._heard.newest() if edge.live]
        async with self._database.pool.acquire() as connection:
            await edges.heard(connection, heard)

    def _sighting(self, edge: HeardEdge) -> Sighting:
        seen_at = self._clock() - timedelta(seconds=self._heard.silence_s(edge))
        return Sighting(edge.slot, edge.epoch, edge.stopped, seen_at)

    async def _change(self, tx: Transaction, limit: int) -> Sequence[Connection]:
        known = await self.known(tx.connection)
        return [
            *await connections.end(tx.connection, known, tx.now, limit),
            *await connections.revive(tx.connection, known, tx.now, limit),
        ]

    async def _tell(self, tx: Transaction, changed: Sequence[Connection]) -> int:
        for connection in changed:
            body = connection_event(connection, tx.now, connected=connection.connected)
            tx.send(event(STATION_CONNECTION, connection_event_id(body), SOURCE, tx.now, body))
        return len(changed)


def newest(sightings: Iterable[Sighting], silent_since: datetime) -> dict[int, Edge]:
    """Return the newest edge of each slot; one that stopped, or that nobody heard since `silent_since`, is dead."""
    found: dict[int, tuple[int, bool, datetime]] = {}
    for sighting in sightings:
        known = found.get(sighting.slot)
        if known is None or sighting.epoch > known[0]:
            found[sighting.slot] = sighting.epoch, sighting.stopped, sighting.seen_at
        elif sighting.epoch == known[0]:
            found[sighting.slot] = known[0], known[1] or sighting.stopped, max(known[2], sighting.seen_at)
    return {
        slot: Edge(epoch, not stopped and seen_at >= silent_since) for slot, (epoch, stopped, seen_at) in found.items()
    }

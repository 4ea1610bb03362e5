"""Kafka in: presence, which tells who connected and who left, and all frames, which tell who was heard."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import asyncpg
import msgspec
from chargebus_events.presence import Presence
from chargebus_events.public import STATION_CONNECTION, event
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.connections.domain import Connection, Edge, follow
from chargebus_device.connections.store import connections
from chargebus_device.names import SOURCE, connection_event_id


class Edges(Protocol):
    """The edges that may hold sockets."""

    async def known(self, connection: asyncpg.Connection) -> Mapping[int, Edge]:
        """Return the newest edge of each slot."""
        ...

    async def forget(self, connection: asyncpg.Connection) -> None:
        """Drop what was known of edges."""
        ...


_decode = msgspec.json.Decoder(Presence).decode


class PresenceLog:
    """Follows the presence of every station; `edges` tells which edges may hold sockets."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    async def handle(self, batch: Batch, records: Sequence[Received]) -> None:
        """Apply the presence records of a batch, in order."""
        presences = [(record, _decode(record.value)) for record in records if record.value is not None]
        if not presences:
            return
        ids = {presence.station_id for _, presence in presences}
        known = await connections.lock(batch.connection, ids)
        living = await self._edges.known(batch.connection)
        changed: dict[str, Presence] = {}
        still_there: dict[str, datetime] = {}
        for record, presence in presences:
            before = known.get(presence.station_id, Connection(presence.station_id))
            epoch = presence.epoch_at(record.offset)
            after, events = follow(before, presence, epoch, living)
            if after == before:
                if presence.connected and epoch == after.epoch:
                    still_there[presence.station_id] = presence.at
                continue
            known[presence.station_id] = after
            changed[presence.station_id] = presence
            for body in events:
                told = event(STATION_CONNECTION, connection_event_id(body), SOURCE, batch.now, body)
                batch.send(told, because=record)
        if changed:
            seen_at = {station_id: presence.at for station_id, presence in changed.items()}
            await connections.keep(batch.connection, [known[station_id] for station_id in changed], seen_at)
        await connections.seen(batch.connection, still_there)

    async def forget(self, connection: asyncpg.Connection) -> None:
        """Drop what was known of connections and edges: on a new Kafka cluster epochs count from 0 again."""
        await connections.forget(connection)
        await self._edges.forget(connection)


async def hear(batch: Batch, frames: Sequence[Received]) -> None:
    """Note when stations were last heard: by any frame, whatever it says."""
    seen_ms: dict[str, int] = {}
    for record in frames:
        seen_ms[record.key] = max(record.timestamp_ms, seen_ms.get(record.key, 0))
    seen_at = {station_id: datetime.fromtimestamp(at_ms / 1000, UTC) for station_id, at_ms in seen_ms.items()}
    await connections.seen(batch.connection, seen_at)

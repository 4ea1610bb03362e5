"""Owns handling presence: who connected and who left, in log order."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec
from chargebus_events.presence import Presence
from chargebus_events.public import STATION_CONNECTION, event
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.domain.connection import Connection, Edge, follow
from chargebus_device.source import SOURCE, connection_event_id
from chargebus_device.store import connections

Edges = Callable[[asyncpg.Connection], Awaitable[Mapping[int, Edge]]]

_decode = msgspec.json.Decoder(Presence).decode


class PresenceLog:
    """Follows the presence of every station; `edges` tells which edges may hold sockets."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    async def handle(self, batch: Batch, records: Sequence[Received]) -> dict[str, datetime]:
        """Apply the presence records of a batch, in order.

        Returns:
            When stations were heard whose connection is said to be there again, and nothing else.
        """
        presences = [(record, _decode(record.value)) for record in records if record.value is not None]
        if not presences:
            return {}
        ids = {presence.station_id for _, presence in presences}
        known = await connections.lock(batch.connection, ids)
        living = await self._edges(batch.connection)
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
        return still_there

"""Events, each kept once; listed from the newest on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

import asyncpg
from chargebus_events.public import SecurityEvent, StationEvent
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_notification.events.store.tables import SecurityEventRow, StationEventRow
from chargebus_notification.tables import Tables

E = TypeVar("E", StationEvent, SecurityEvent)

Place = tuple[datetime, UUID]
"""Where a page ended: an event's time and name."""


class EventStore(Generic[E]):
    """The events of one kind."""

    def __init__(self, kind: type[E], table: type[Tables]) -> None:
        rows = Rows(table)
        self._kind: type[E] = kind
        self._rows = rows
        self._insert = f"{rows.insert_new()} RETURNING event_id"
        self._select = f"SELECT {rows.select()} FROM {rows.table}"  # noqa: S608 - names of columns
        self._old = f"SELECT event_id FROM {rows.table} WHERE received_at < $1 ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED"  # noqa: S608, E501
        self._delete = f"DELETE FROM {rows.table} WHERE event_id = ANY($1)"  # noqa: S608

    async def add(self, connection: asyncpg.Connection, events: Sequence[E]) -> set[str]:
        """Keep events, each of another name; return the names of those that were not known."""
        if not events:
            return set()
        return {row["event_id"] for row in await connection.fetch(self._insert, *self._rows.arguments(events))}

    async def page(self, connection: asyncpg.Connection, where: Conditions, after: Place | None, limit: int) -> list[E]:
        """Return up to `limit` events for which all conditions hold, from the newest on."""
        if after is not None:
            where.arguments.extend((after[0], str(after[1])))
            last = len(where.arguments)
            where.add_fixed(f"(at, event_id) < (${last - 1}, ${last})")
        sql = f"{self._select} {where.sql} ORDER BY at DESC, event_id DESC LIMIT {limit:d}"
        return [self._kind(**dict(row)) for row in await connection.fetch(sql, *where.arguments)]

    async def take_old(self, connection: asyncpg.Connection, before: datetime, limit: int) -> list[str]:
        """Return up to `limit` events that came before then, locked; those that others hold are passed over."""
        return [row["event_id"] for row in await connection.fetch(self._old, before, limit)]

    async def delete(self, connection: asyncpg.Connection, event_ids: Sequence[str]) -> None:
        """Drop events."""
        await connection.execute(self._delete, list(event_ids))


STATION_EVENTS: Final = EventStore(StationEvent, StationEventRow)
SECURITY_EVENTS: Final = EventStore(SecurityEvent, SecurityEventRow)

"""Queries about sessions that operators ask."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_session.tables import EventRow, SessionRow

_ROWS: Final = Rows(SessionRow, without=("fold", "name", "start", "token_key"))
_EVENT_ROWS: Final = Rows(EventRow, without=("answer", "content"))
_GET: Final = f"SELECT {_ROWS.select()} FROM charging_session WHERE session_id = $1"  # noqa: S608 (names of columns)
_EVENTS: Final = f"""
SELECT {_EVENT_ROWS.select()} FROM session_event WHERE session_id = $1 ORDER BY number, received_at
"""  # noqa: S608 (names of columns)

# Written out: a plan made for any value could not use the index of the active ones.
_STATES: Final[Mapping[str, str]] = {"active": "state = 'active'", "ended": "state = 'ended'"}


class SessionFilter(msgspec.Struct, frozen=True):
    """Which sessions to list, None for any; `begun_from` and before `begun_to` by the station's clock."""

    station_id: str | None = None
    state: str | None = None
    token_keys: Sequence[str] | None = None
    begun_from: datetime | None = None
    begun_to: datetime | None = None
    billable: bool | None = None
    remote_start_id: int | None = None


async def listed(pool: asyncpg.Pool, wanted: SessionFilter, before: str | None, limit: int) -> list[SessionRow]:
    """Return up to `limit` sessions, the newest first, from the one made before the session `before`."""
    where = Conditions()
    where.add("session_id < {}", before)
    where.add("station_id = {}", wanted.station_id)
    where.add_fixed(None if wanted.state is None else _STATES[wanted.state])
    if wanted.token_keys is not None and len(wanted.token_keys) == 1:  # in the index's order, unlike those of several
        where.add("token_key <> '' AND token_key = {}", wanted.token_keys[0])
    else:
        where.add("token_key <> '' AND token_key = ANY({}::text[])", wanted.token_keys)
    where.add("begun_at >= {}", wanted.begun_from)
    where.add("begun_at < {}", wanted.begun_to)
    where.add("billable = {}", wanted.billable)
    where.add("remote_start_id = {}", wanted.remote_start_id)
    query = f"SELECT {_ROWS.select()} FROM charging_session {where.sql} ORDER BY session_id DESC LIMIT {limit:d}"  # noqa: S608
    return [_ROWS.read(row) for row in await pool.fetch(query, *where.arguments)]


async def get(pool: asyncpg.Pool, session_id: str) -> SessionRow | None:
    """Return a session, None where there is none of this id."""
    row = await pool.fetchrow(_GET, session_id)
    return None if row is None else _ROWS.read(row)


async def events(pool: asyncpg.Pool, session_id: str) -> list[EventRow]:
    """Return what the station reported of a session, in the station's order."""
    return [_EVENT_ROWS.read(row) for row in await pool.fetch(_EVENTS, session_id)]

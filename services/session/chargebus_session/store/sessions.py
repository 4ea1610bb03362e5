"""Owns the queries about sessions that operators ask."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.conditions import Conditions

_FIELDS = """session_id::text, station_id, version, transaction_id, state, begun_at, started_at, ended_at, evse_id,
    connector_id, id_token, id_token_type, token_status, billable, meter_start_wh, meter_stop_wh, energy_wh,
    stop_reason, charging_state, remote_start_id, gaps, missing, flags, created_at, updated_at"""
_GET = f"SELECT {_FIELDS} FROM charging_session WHERE session_id = $1"  # noqa: S608
_EVENTS = """
SELECT number, kind, occurred_at, received_at, trigger, offline, charging_state, reason, id_token, token_status
FROM session_event WHERE session_id = $1 ORDER BY number, received_at
"""

# Written out: a plan made for any value could not use the index of the active ones.
_STATES: Final[Mapping[str, str]] = {"active": "state = 'active'", "ended": "state = 'ended'"}

_decode_gaps = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode


class StoredSession(msgspec.Struct, frozen=True):
    """A session as it is shown."""

    session_id: str
    station_id: str
    version: str
    transaction_id: str
    state: str
    begun_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    evse_id: int
    connector_id: int
    id_token: str
    id_token_type: str
    token_status: str
    billable: bool
    meter_start_wh: float | None
    meter_stop_wh: float | None
    energy_wh: float | None
    stop_reason: str
    charging_state: str
    remote_start_id: int | None
    gaps: tuple[tuple[int, int], ...]
    missing: list[str]
    flags: list[str]
    created_at: datetime
    updated_at: datetime


class StoredEvent(msgspec.Struct, frozen=True):
    """An event of a session as it first came."""

    number: int
    kind: str
    occurred_at: datetime
    received_at: datetime
    trigger: str
    offline: bool
    charging_state: str
    reason: str
    id_token: str
    token_status: str


class SessionFilter(msgspec.Struct, frozen=True):
    """Which sessions to list, None for any; `begun_from` and before `begun_to` by the station's clock."""

    station_id: str | None = None
    state: str | None = None
    token_key: str | None = None
    begun_from: datetime | None = None
    begun_to: datetime | None = None
    billable: bool | None = None
    remote_start_id: int | None = None


async def listed(pool: asyncpg.Pool, wanted: SessionFilter, before: str | None, limit: int) -> list[StoredSession]:
    """Return up to `limit` sessions, the newest first, from the one made before the session `before`."""
    where = Conditions()
    where.add("session_id < {}", before)
    where.add("station_id = {}", wanted.station_id)
    where.add_fixed(None if wanted.state is None else _STATES[wanted.state])
    where.add("token_key <> '' AND token_key = {}", wanted.token_key)
    where.add("begun_at >= {}", wanted.begun_from)
    where.add("begun_at < {}", wanted.begun_to)
    where.add("billable = {}", wanted.billable)
    where.add("remote_start_id = {}", wanted.remote_start_id)
    query = f"SELECT {_FIELDS} FROM charging_session {where.sql} ORDER BY session_id DESC LIMIT {limit:d}"  # noqa: S608
    return [_session(row) for row in await pool.fetch(query, *where.arguments)]


async def get(pool: asyncpg.Pool, session_id: str) -> StoredSession | None:
    """Return a session, None where there is none of this id."""
    row = await pool.fetchrow(_GET, session_id)
    return None if row is None else _session(row)


async def events(pool: asyncpg.Pool, session_id: str) -> list[StoredEvent]:
    """Return what the station reported of a session, in the station's order."""
    return [StoredEvent(*row.values()) for row in await pool.fetch(_EVENTS, session_id)]


def _session(row: asyncpg.Record) -> StoredSession:
    return StoredSession(**{**row, "gaps": _decode_gaps(row["gaps"])})

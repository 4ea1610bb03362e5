"""Owns the queries about remote starts and stops."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec
from chargebus_runtime.columns import columns

_NEXT = "SELECT nextval('remote_start_id')"
_ADD = """
INSERT INTO intent (command_id, kind, station_id, evse_id, token_key, remote_start_id, session_id, requested_at,
    outcome, status, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '', '')
"""
_END = """
UPDATE intent AS i SET outcome = e.outcome, status = e.status, reason = e.reason, ended_at = e.ended_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
AS e (command_id, outcome, status, reason, ended_at)
WHERE i.command_id = e.command_id AND i.outcome = ''
RETURNING i.command_id
"""
_GET = """
SELECT command_id, outcome, status, reason, ended_at FROM intent WHERE command_id = $1 AND outcome <> ''
"""


class Intent(msgspec.Struct, frozen=True):
    """A remote start or stop on its way; a start has a `remote_start_id`, a stop a `session_id`."""

    command_id: str
    kind: str
    station_id: str
    requested_at: datetime
    evse_id: int = 0
    token_key: str = ""
    remote_start_id: int | None = None
    session_id: str | None = None


class Result(msgspec.Struct, frozen=True):
    """How an intent ended: the command's outcome, the station's status where it gave one, and why else."""

    command_id: str
    outcome: str
    status: str
    reason: str
    ended_at: datetime


async def next_remote_start_id(connection: asyncpg.Connection) -> int:
    """Return a remote start id that nobody has."""
    found: int = await connection.fetchval(_NEXT)
    return found


async def add(connection: asyncpg.Connection, intent: Intent) -> None:
    """Note an intent whose command goes out."""
    await connection.execute(
        _ADD,
        intent.command_id,
        intent.kind,
        intent.station_id,
        intent.evse_id,
        intent.token_key,
        intent.remote_start_id,
        intent.session_id,
        intent.requested_at,
    )


async def end(connection: asyncpg.Connection, results: Sequence[Result]) -> list[str]:
    """Note results; return the commands that ended with them."""
    rows = await connection.fetch(
        _END, *columns((r.command_id, r.outcome, r.status, r.reason, r.ended_at) for r in results)
    )
    return [row["command_id"] for row in rows]


async def result(pool: asyncpg.Pool, command_id: str) -> Result | None:
    """Return how an intent ended, None while it has not."""
    row = await pool.fetchrow(_GET, command_id)
    return None if row is None else Result(*row.values())

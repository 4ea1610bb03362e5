"""What callers read of the ledger: one command, and pages of them, the newest first."""

from dataclasses import dataclass

import asyncpg

_COLUMNS = """
SELECT command_id, number, station_id, action, payload, requester, requested_by, requested_at, timeout_s, ttl_s,
    state, sent_at, outcome, ended_at, reason, reply, error_code, error_description, error_details
FROM command WHERE
"""
_ONE = _COLUMNS + "command_id = $1"
_FILTERS = """
($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR action = $3) AND ($4::text IS NULL OR outcome = $4)
AND number < $5 ORDER BY number DESC LIMIT $6
"""
# One statement for each index that can serve it: a plan for "this station or any" would serve neither.
_PAGES = {
    (False, False): _COLUMNS + "$1::text IS NULL AND " + _FILTERS,
    (False, True): _COLUMNS + "$1::text IS NULL AND state <> 'ended' AND " + _FILTERS,
    (True, False): _COLUMNS + "station_id = $1 AND " + _FILTERS,
    (True, True): _COLUMNS + "station_id = $1 AND state <> 'ended' AND " + _FILTERS,
}
_STATION = "SELECT FROM station WHERE station_id = $1"

_NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CommandFilter:
    """Which commands: None is any. `below` is the number that the page goes on from."""

    station_id: str | None = None
    state: str | None = None
    action: str | None = None
    outcome: str | None = None
    below: int | None = None


async def get(pool: asyncpg.Pool, command_id: str) -> asyncpg.Record | None:
    """Return one command."""
    return await pool.fetchrow(_ONE, command_id)


async def find(pool: asyncpg.Pool, wanted: CommandFilter, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` commands, the newest first."""
    query = _PAGES[wanted.station_id is not None, wanted.state in {"queued", "sent"}]
    below = _NEWEST if wanted.below is None else wanted.below
    rows: list[asyncpg.Record] = await pool.fetch(
        query, wanted.station_id, wanted.state, wanted.action, wanted.outcome, below, limit
    )
    return rows


async def is_station(pool: asyncpg.Pool, station_id: str) -> bool:
    """Tell whether anything was ever heard of the station."""
    return await pool.fetchrow(_STATION, station_id) is not None

"""What callers read of the ledger: one command, and pages of them, the newest first."""

from collections.abc import Collection
from dataclasses import dataclass

import asyncpg
from chargebus_runtime.conditions import Conditions

_COLUMNS = """
SELECT command_id, number, station_id, action, payload, version, requester, requested_by, requested_at, timeout_s,
    ttl_s, state, sent_at, outcome, ended_at, reason, reply, error_code, error_description, error_details
FROM command
"""
_SOME = _COLUMNS + "WHERE command_id = ANY($1::text[])"
_STATION = "SELECT FROM station WHERE station_id = $1 AND (registered OR epoch IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class CommandFilter:
    """Which commands: None is any. `below` is the number that the page goes on from."""

    station_id: str | None = None
    state: str | None = None
    action: str | None = None
    outcome: str | None = None
    below: int | None = None


async def get(pool: asyncpg.Pool, command_ids: Collection[str]) -> dict[str, asyncpg.Record]:
    """Return those of the commands that there are."""
    return {row["command_id"]: row for row in await pool.fetch(_SOME, list(command_ids))}


async def find(pool: asyncpg.Pool, wanted: CommandFilter, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` commands, the newest first."""
    where = Conditions()
    where.add("station_id = {}", wanted.station_id)
    where.add("state = {}", wanted.state)
    where.add_fixed("state <> 'ended'" if wanted.state in {"queued", "sent"} else None)  # what its index is made for
    where.add("action = {}", wanted.action)
    where.add("outcome = {}", wanted.outcome)
    where.add("number < {}", wanted.below)
    query = f"{_COLUMNS} {where.sql} ORDER BY number DESC LIMIT {limit:d}"
    rows: list[asyncpg.Record] = await pool.fetch(query, *where.arguments)
    return rows


async def is_station(pool: asyncpg.Pool, station_id: str) -> bool:
    """Tell whether anything was ever heard of the station."""
    return await pool.fetchrow(_STATION, station_id) is not None

"""The asked commands in the database: written once, ended once, read back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.columns import columns
from chargebus_runtime.rows import Rows

from chargebus_commanding.outcomes import Outcome
from chargebus_commanding.schema import AskedCommand

CHANNEL: Final = "asked_commands"

_ROWS: Final = Rows(AskedCommand)
_ADD = f"{_ROWS.insert()} ON CONFLICT DO NOTHING RETURNING command_id"
_BY_KEY = f"SELECT {_ROWS.select()} FROM asked_command WHERE station_id = $1 AND idempotency_key = $2"  # noqa: S608
# Locked in the order of their ids: two batches that tell of the same commands wait for each other in one direction.
_END = """
WITH held AS (
    SELECT command_id FROM asked_command WHERE command_id = ANY($1::text[]) AND outcome IS NULL
    ORDER BY command_id FOR UPDATE
), ended AS (
    UPDATE asked_command AS a SET outcome = n.outcome, ended_at = n.ended_at, told = n.told
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS n (command_id, outcome, ended_at, told)
        JOIN held USING (command_id)
    WHERE a.command_id = n.command_id AND a.outcome IS NULL
    RETURNING a.command_id
)
SELECT command_id, pg_notify($5, command_id) FROM ended
"""
_TOLD = "SELECT told FROM asked_command WHERE command_id = $1 AND outcome IS NOT NULL"
_OVERDUE = f"""
SELECT {_ROWS.select()} FROM asked_command WHERE outcome IS NULL AND given_up_at <= $1
ORDER BY given_up_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608
_PRUNE = """
DELETE FROM asked_command WHERE command_id IN (
    SELECT command_id FROM asked_command WHERE outcome IS NOT NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2)
"""
_PRUNE_AT_ONCE: Final = 1000

_decode = msgspec.json.Decoder(Outcome).decode


async def add(connection: asyncpg.Connection, asked: AskedCommand) -> bool:
    """Write a command; return False, and write nothing, if its key is taken: by a call at the same time, too."""
    return bool(await connection.fetch(_ADD, *_ROWS.arguments([asked])))


async def by_key(connection: asyncpg.Connection, station_id: str, idempotency_key: str) -> AskedCommand | None:
    """Return the command that was asked for under a key."""
    row = await connection.fetchrow(_BY_KEY, station_id, idempotency_key)
    return None if row is None else _ROWS.read(row)


async def end(connection: asyncpg.Connection, outcomes: Sequence[Outcome]) -> set[str]:
    """Note how commands ended; return those that ended by it: not those unknown, nor those that had ended already.

    Who waits for them is woken once the transaction commits.
    """
    ended = ((each.command_id, each.name, each.ended_at, msgspec.json.encode(each).decode()) for each in outcomes)
    return {row["command_id"] for row in await connection.fetch(_END, *columns(ended), CHANNEL)}


async def told(pool: asyncpg.Pool, command_id: str) -> Outcome | None:
    """Return how a command ended, None while it has not."""
    found = await pool.fetchval(_TOLD, command_id)
    return None if found is None else _decode(found)


async def overdue(connection: asyncpg.Connection, now: datetime, limit: int) -> list[AskedCommand]:
    """Return some of the commands that are to be given up, locked; those that another copy looks at are left out."""
    return [_ROWS.read(row) for row in await connection.fetch(_OVERDUE, now, limit)]


async def prune(connection: asyncpg.Connection, before: datetime) -> None:
    """Delete some of the commands that ended before a moment."""
    await connection.execute(_PRUNE, before, _PRUNE_AT_ONCE)

"""Queries about decisions that are not the stations' own, and the sessions that they are about."""

from collections.abc import Collection, Mapping
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_session.tables import DecisionRow
from chargebus_session.transactions.domain.sessions import Session
from chargebus_session.transactions.domain.settling import Decision
from chargebus_session.transactions.store import batch

_ROWS: Final = Rows(DecisionRow)
_OF_SESSION: Final = f"SELECT {_ROWS.select()} FROM session_decision WHERE session_id = $1 ORDER BY number"  # noqa: S608
_COUNT: Final = """
SELECT session_id::text, count(*) FROM session_decision WHERE session_id = ANY($1::uuid[]) GROUP BY session_id
"""
_ADD: Final = _ROWS.insert()


async def load(connection: asyncpg.Connection, session_ids: Collection[str]) -> Mapping[str, tuple[Session, int]]:
    """Return sessions to decide on, each with how much was decided on it before.

    The frames' offsets are to be locked before: who decides on a batch has read the same sessions.
    """
    sessions = await batch.of_ids(connection, session_ids)
    counts = {row["session_id"]: row["count"] for row in await connection.fetch(_COUNT, list(session_ids))}
    return {each.session_id: (each, counts.get(each.session_id, 0)) for each in sessions}


async def add(connection: asyncpg.Connection, decisions: Collection[Decision]) -> None:
    """Keep decisions."""
    await connection.execute(_ADD, *_ROWS.arguments(decisions))


async def of_session(pool: asyncpg.Pool, session_id: str) -> list[DecisionRow]:
    """Return what was decided about a session, in order."""
    return [_ROWS.read(row) for row in await pool.fetch(_OF_SESSION, session_id)]

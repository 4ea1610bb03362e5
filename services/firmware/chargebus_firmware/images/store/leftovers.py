"""Objects that nothing names: each is noted before it is written, and no more once something names it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

_NOTE: Final = """
INSERT INTO leftover (name, due_at) SELECT name, $2 FROM unnest($1::text[]) AS n (name) ORDER BY name
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at
"""
_DROP: Final = "DELETE FROM leftover WHERE name = ANY($1)"
_DUE: Final = "SELECT name FROM leftover WHERE due_at <= $1 ORDER BY due_at LIMIT $2"


async def note(connection: asyncpg.Connection, names: Sequence[str], due_at: datetime) -> None:
    """Note what is to be taken away then."""
    await connection.execute(_NOTE, list(names), due_at)


async def drop(connection: asyncpg.Connection, names: Sequence[str]) -> None:
    """Forget what is taken away, or is named now."""
    await connection.execute(_DROP, list(names))


async def due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[str]:
    """Return up to `limit` of what is due."""
    return [row["name"] for row in await connection.fetch(_DUE, now, limit)]

"""Owns the queries about tokens that operators ask."""

from collections.abc import Collection
from datetime import datetime

import asyncpg
import msgspec
from chargebus_runtime.columns import columns
from chargebus_runtime.conditions import Conditions

_FIELDS = "token_key, id_token, type, group_id, blocked, expires_at, concurrent, note, created_at, updated_at"
_GET = f"SELECT {_FIELDS} FROM token WHERE token_key = $1"  # noqa: S608
_LOCK = _GET + " FOR UPDATE"
_ADD = f"""
INSERT INTO token ({_FIELDS})
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::timestamptz[], $7::bool[],
    $8::text[], $9::timestamptz[], $10::timestamptz[])
ON CONFLICT (token_key) DO NOTHING RETURNING token_key
"""  # noqa: S608
_CHANGE = """
UPDATE token SET type = $2, group_id = $3, blocked = $4, expires_at = $5, concurrent = $6, note = $7, updated_at = $8
WHERE token_key = $1
"""
_DELETE = "DELETE FROM token WHERE token_key = $1 RETURNING token_key"


class StoredToken(msgspec.Struct, frozen=True):
    """A token as it is stored."""

    token_key: str
    id_token: str
    type: str
    group_id: str
    blocked: bool
    expires_at: datetime | None
    concurrent: bool
    note: str
    created_at: datetime
    updated_at: datetime


class TokenFilter(msgspec.Struct, frozen=True):
    """Which tokens to list, None for any; `prefix` are the first characters of the key."""

    group_id: str | None = None
    blocked: bool | None = None
    type: str | None = None
    expired: bool | None = None
    prefix: str | None = None


async def listed(pool: asyncpg.Pool, wanted: TokenFilter, after: str, limit: int) -> list[StoredToken]:
    """Return up to `limit` tokens in the order of their keys, from the first one after `after`."""
    where = Conditions()
    where.add("token_key > {}", after or None)
    where.add("group_id = {}", wanted.group_id)
    where.add("blocked = {}", wanted.blocked)
    where.add("type = {}", wanted.type)
    where.add("starts_with(token_key, {})", wanted.prefix)
    where.add("COALESCE(expires_at <= now(), false) = {}", wanted.expired)
    query = f"SELECT {_FIELDS} FROM token {where.sql} ORDER BY token_key LIMIT {limit:d}"  # noqa: S608
    return [StoredToken(*row.values()) for row in await pool.fetch(query, *where.arguments)]


async def get(pool: asyncpg.Pool, token_key: str) -> StoredToken | None:
    """Return a token, None for one that is not registered."""
    row = await pool.fetchrow(_GET, token_key)
    return None if row is None else StoredToken(*row.values())


async def lock(connection: asyncpg.Connection, token_key: str) -> StoredToken | None:
    """Return a token and keep others from changing it until the transaction ends."""
    row = await connection.fetchrow(_LOCK, token_key)
    return None if row is None else StoredToken(*row.values())


async def add(connection: asyncpg.Connection, tokens: Collection[StoredToken]) -> set[str]:
    """Add those of the tokens, at least one, that are not registered yet; return their keys."""
    rows = await connection.fetch(_ADD, *columns(msgspec.structs.astuple(token) for token in tokens))
    return {row["token_key"] for row in rows}


async def change(connection: asyncpg.Connection, token: StoredToken) -> None:
    """Write a token's changed fields."""
    await connection.execute(
        _CHANGE,
        token.token_key,
        token.type,
        token.group_id,
        token.blocked,
        token.expires_at,
        token.concurrent,
        token.note,
        token.updated_at,
    )


async def delete(connection: asyncpg.Connection, token_key: str) -> bool:
    """Delete a token; tell whether there was one."""
    return await connection.fetchval(_DELETE, token_key) is not None

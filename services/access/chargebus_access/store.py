"""API keys in the database."""

import asyncpg
from chargebus_events.access import ApiKey

from chargebus_access.domain import StoredKey

_COLUMNS = "SELECT key_id, name, role, secret_hash, created_at, created_by, expires_at, revoked_at FROM api_key "
_ALL = _COLUMNS + "ORDER BY key_id"
_LOCK_ALL = _COLUMNS + "ORDER BY key_id FOR UPDATE"
_PAGES = {
    "active": _COLUMNS + "WHERE key_id > $1 AND revoked_at IS NULL ORDER BY key_id LIMIT $2",
    "revoked": _COLUMNS + "WHERE key_id > $1 AND revoked_at IS NOT NULL ORDER BY key_id LIMIT $2",
    "all": _COLUMNS + "WHERE key_id > $1 ORDER BY key_id LIMIT $2",
}
_INSERT = """
INSERT INTO api_key (key_id, name, role, secret_hash, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key_id) DO NOTHING RETURNING key_id
"""
_REVOKE = "UPDATE api_key SET revoked_at = $2 WHERE key_id = $1"


async def insert(connection: asyncpg.Connection, key: ApiKey, created_by: str) -> bool:
    """Write a new key; tell whether its id was free."""
    values = (key.key_id, key.name, key.role, key.secret_hash, key.created_at, created_by, key.expires_at)
    return await connection.fetchrow(_INSERT, *values) is not None


async def revoke(connection: asyncpg.Connection, stored: StoredKey) -> None:
    """Write when a key was revoked."""
    await connection.execute(_REVOKE, stored.key.key_id, stored.revoked_at)


async def load(connection: asyncpg.Connection) -> dict[str, StoredKey]:
    """Return all keys."""
    return {row["key_id"]: _stored(row) for row in await connection.fetch(_ALL)}


async def lock(connection: asyncpg.Connection) -> dict[str, StoredKey]:
    """Return all keys, locked until the transaction ends; there are few."""
    return {row["key_id"]: _stored(row) for row in await connection.fetch(_LOCK_ALL)}


async def page(connection: asyncpg.Connection, state: str, after: str, limit: int) -> list[StoredKey]:
    """Return up to `limit` keys in the order of their ids; `state` is active, revoked or all."""
    return [_stored(row) for row in await connection.fetch(_PAGES[state], after, limit)]


def _stored(row: asyncpg.Record) -> StoredKey:
    key = ApiKey(row["key_id"], row["name"], row["role"], row["secret_hash"], row["created_at"], row["expires_at"])
    return StoredKey(key, row["created_by"], row["revoked_at"])

"""API keys in the database."""

from typing import Final

import asyncpg
from chargebus_events.access import ApiKey
from chargebus_runtime.rows import Rows

from chargebus_access.domain.keys import StoredKey
from chargebus_access.store.tables import ApiKeyRow

_ROWS: Final = Rows(ApiKeyRow, sources={"key": ApiKey})
_SELECT: Final = f"SELECT {_ROWS.select()} FROM api_key "  # noqa: S608 - names of columns, not what anybody says
_ALL: Final = _SELECT + "ORDER BY key_id"
_LOCK_ALL: Final = _SELECT + "ORDER BY key_id FOR UPDATE"
_PAGES: Final = {
    "active": _SELECT + "WHERE key_id > $1 AND revoked_at IS NULL ORDER BY key_id LIMIT $2",
    "revoked": _SELECT + "WHERE key_id > $1 AND revoked_at IS NOT NULL ORDER BY key_id LIMIT $2",
    "all": _SELECT + "WHERE key_id > $1 ORDER BY key_id LIMIT $2",
}
_INSERT: Final = _ROWS.insert_new() + " RETURNING key_id"
_REVOKE: Final = "UPDATE api_key SET revoked_at = $2 WHERE key_id = $1"


async def insert(connection: asyncpg.Connection, stored: StoredKey) -> bool:
    """Write a new key; tell whether its id was free."""
    return await connection.fetchrow(_INSERT, *_ROWS.arguments([stored])) is not None


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
    key = ApiKey(**{name: row[name] for name in ApiKey.__struct_fields__})
    return StoredKey(key, row["created_by"], row["revoked_at"])

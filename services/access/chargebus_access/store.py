"""Owns the table of API keys, and the SQL on it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import sqlalchemy as sa
from chargebus_events.access import ApiKey
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

_TIME: Any = sa.DateTime(timezone=True)


class Tables(SQLModel, registry=registry()):
    """This service's tables."""


class ApiKeyRow(Tables, table=True):
    """An API key; its secret is hashed."""

    __tablename__ = "api_key"

    key_id: str = Field(primary_key=True)
    name: str
    role: str
    secret_hash: str
    created_at: datetime = Field(sa_type=_TIME)
    expires_at: datetime | None = Field(default=None, sa_type=_TIME)


_COLUMNS = "key_id, name, role, secret_hash, created_at, expires_at"
_INSERT = f"INSERT INTO api_key ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key_id) DO NOTHING"  # noqa: S608
_PAGE = f"SELECT {_COLUMNS} FROM api_key WHERE key_id > $1 ORDER BY key_id LIMIT $2"  # noqa: S608
_ALL = f"SELECT {_COLUMNS} FROM api_key"  # noqa: S608
_ADMINS = f"SELECT {_COLUMNS} FROM api_key WHERE role = 'admin' ORDER BY key_id FOR UPDATE"  # noqa: S608
_ONE = f"SELECT {_COLUMNS} FROM api_key WHERE key_id = $1 FOR UPDATE"  # noqa: S608
_DELETE = "DELETE FROM api_key WHERE key_id = $1"


async def add(connection: asyncpg.Connection, key: ApiKey) -> bool:
    """Add a key; return whether its id was new."""
    status: str = await connection.execute(
        _INSERT, key.key_id, key.name, key.role, key.secret_hash, key.created_at, key.expires_at
    )
    return status.endswith(" 1")


async def page(pool: asyncpg.Pool, after: str, limit: int) -> list[ApiKey]:
    """Return up to `limit` keys whose ids follow `after`."""
    return [_key(row) for row in await pool.fetch(_PAGE, after, limit)]


async def every(pool: asyncpg.Pool) -> dict[str, ApiKey]:
    """Return all keys by id; there are as many as people and programs."""
    return {row["key_id"]: _key(row) for row in await pool.fetch(_ALL)}


async def lock_admins(connection: asyncpg.Connection) -> list[ApiKey]:
    """Return all admin keys, locked, so that two calls cannot revoke the last two."""
    return [_key(row) for row in await connection.fetch(_ADMINS)]


async def lock(connection: asyncpg.Connection, key_id: str) -> ApiKey | None:
    """Return a key, locked, or None."""
    row = await connection.fetchrow(_ONE, key_id)
    return None if row is None else _key(row)


async def remove(connection: asyncpg.Connection, key_id: str) -> None:
    """Delete a key."""
    await connection.execute(_DELETE, key_id)


def _key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(**dict(row))

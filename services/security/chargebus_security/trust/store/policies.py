"""Policies: which roots which stations are to have."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_security.trust.domain.policy import Policy, Selector
from chargebus_security.trust.store.tables import PolicyRow

_ROWS: Final = Rows(PolicyRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM trust_policy "  # noqa: S608 - names of columns
_ALL: Final = _SELECT + "ORDER BY policy_id"
_PAGE: Final = _SELECT + "WHERE policy_id > $1 ORDER BY policy_id LIMIT $2"
_FIND: Final = _SELECT + "WHERE policy_id = $1"
_LOCK: Final = _FIND + " FOR NO KEY UPDATE"
_NAMING: Final = "SELECT name FROM trust_policy WHERE $1 = ANY(certificate_ids) ORDER BY policy_id LIMIT 1"
_KEEP: Final = _ROWS.upsert()
_DELETE: Final = "DELETE FROM trust_policy WHERE policy_id = $1"


async def every(connection: asyncpg.Connection) -> list[Policy]:
    """Return all policies."""
    return [_policy(row) for row in await connection.fetch(_ALL)]


async def page(connection: asyncpg.Connection, after: UUID, limit: int) -> list[Policy]:
    """Return up to `limit`, in the order of their ids."""
    return [_policy(row) for row in await connection.fetch(_PAGE, after, limit)]


async def find(connection: asyncpg.Connection, policy_id: UUID) -> Policy | None:
    """Return one."""
    row = await connection.fetchrow(_FIND, policy_id)
    return None if row is None else _policy(row)


async def lock(connection: asyncpg.Connection, policy_id: UUID) -> Policy | None:
    """Return one, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, policy_id)
    return None if row is None else _policy(row)


async def naming(connection: asyncpg.Connection, certificate_id: str) -> str | None:
    """Return the name of a policy that wants a certificate."""
    found: str | None = await connection.fetchval(_NAMING, certificate_id)
    return found


async def keep(connection: asyncpg.Connection, policies: Collection[Policy]) -> None:
    """Keep policies."""
    await connection.execute(_KEEP, *_ROWS.arguments(policies))


async def delete(connection: asyncpg.Connection, policy_id: UUID) -> None:
    """Drop one."""
    await connection.execute(_DELETE, policy_id)


def _policy(row: asyncpg.Record) -> Policy:
    read: Any = _ROWS.read(row)
    return Policy(
        policy_id=read.policy_id,
        name=read.name,
        certificate_type=read.certificate_type,
        certificate_ids=tuple(read.certificate_ids),
        stations=msgspec.convert(read.stations, Selector),
        priority=read.priority,
        others=read.others,
        created_at=read.created_at,
    )

"""Queries about tokens: those that stations present, and what operators ask and change."""

from collections.abc import Collection
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.columns import columns
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_session.tables import ContractRefusalRow, TokenRow
from chargebus_session.tokens.domain import ContractRefusal, Token

_ROWS: Final = Rows(TokenRow)
_CHANGED: Final = Rows(TokenRow, without=("id_token", "created_at"))
_REFUSALS: Final = Rows(ContractRefusalRow)
_TOKEN: Final = Token.__struct_fields__

_GET: Final = f"SELECT {_ROWS.select()} FROM token WHERE token_key = $1"  # noqa: S608 (names of columns)
_LOCK: Final = f"{_GET} FOR UPDATE"
_LOAD: Final = f"SELECT token_key, {', '.join(_TOKEN)} FROM token WHERE token_key = ANY($1::text[])"  # noqa: S608
_ADD: Final = f"{_ROWS.insert_new()} RETURNING token_key"
_CHANGE: Final = _CHANGED.update()
_DELETE: Final = f"DELETE FROM token WHERE token_key = $1 RETURNING {_ROWS.select()}"  # noqa: S608 (names of columns)
_HOLD_CONTRACTS: Final = "SELECT pg_advisory_xact_lock(hashtext('chargebus_session.token.contract'))"

_REFUSE: Final = _REFUSALS.upsert()
_ALLOW: Final = """
DELETE FROM contract_refusal AS r USING unnest($1::text[], $2::text[]) AS a (station_id, token_key)
WHERE r.station_id = a.station_id AND r.token_key = a.token_key
"""
_FORGET: Final = "DELETE FROM contract_refusal WHERE token_key = $1"


class TokenFilter(msgspec.Struct, frozen=True):
    """Which tokens to list, None for any; `prefix` are the first characters of the key."""

    group_id: str | None = None
    blocked: bool | None = None
    type: str | None = None
    expired: bool | None = None
    prefix: str | None = None


async def load(connection: asyncpg.Connection | asyncpg.Pool, token_keys: Collection[str]) -> dict[str, Token]:
    """Return the registered ones among tokens, by key."""
    rows = await connection.fetch(_LOAD, list(token_keys))
    return {row["token_key"]: Token(**{name: row[name] for name in _TOKEN}) for row in rows}


async def listed(pool: asyncpg.Pool, wanted: TokenFilter, after: str, limit: int) -> list[TokenRow]:
    """Return up to `limit` tokens in the order of their keys, from the first one after `after`."""
    where = Conditions()
    where.add("token_key > {}", after or None)
    where.add("group_id = {}", wanted.group_id)
    where.add("blocked = {}", wanted.blocked)
    where.add("type = {}", wanted.type)
    where.add("starts_with(token_key, {})", wanted.prefix)
    where.add("COALESCE(expires_at <= now(), false) = {}", wanted.expired)
    query = f"SELECT {_ROWS.select()} FROM token {where.sql} ORDER BY token_key LIMIT {limit:d}"  # noqa: S608
    return [_ROWS.read(row) for row in await pool.fetch(query, *where.arguments)]


async def get(pool: asyncpg.Pool, token_key: str) -> TokenRow | None:
    """Return a token, None for one that is not registered."""
    row = await pool.fetchrow(_GET, token_key)
    return None if row is None else _ROWS.read(row)


async def lock(connection: asyncpg.Connection, token_key: str) -> TokenRow | None:
    """Return a token and keep others from changing it until the transaction ends."""
    row = await connection.fetchrow(_LOCK, token_key)
    return None if row is None else _ROWS.read(row)


async def hold_contracts(connection: asyncpg.Connection) -> None:
    """Keep others from registering contracts until the transaction ends: two spellings have no key in common."""
    await connection.execute(_HOLD_CONTRACTS)


async def add(connection: asyncpg.Connection, tokens: Collection[TokenRow]) -> set[str]:
    """Add those of the tokens, at least one, that are not registered yet; return their keys."""
    rows = await connection.fetch(_ADD, *_ROWS.arguments(tokens))
    return {row["token_key"] for row in rows}


async def change(connection: asyncpg.Connection, token: TokenRow) -> None:
    """Write a token's changed fields."""
    await connection.execute(_CHANGE, *_CHANGED.arguments([token]))


async def delete(connection: asyncpg.Connection, token_key: str) -> TokenRow | None:
    """Delete a token; return what it was, None for one that is not registered."""
    row = await connection.fetchrow(_DELETE, token_key)
    return None if row is None else _ROWS.read(row)


async def refuse_contracts(connection: asyncpg.Connection, refusals: Collection[ContractRefusal]) -> None:
    """Have transactions refused that stations begin with contracts, each once, until something else is said of them."""
    if refusals:
        await connection.execute(_REFUSE, *_REFUSALS.arguments(refusals))


async def allow_contracts(connection: asyncpg.Connection, places: Collection[tuple[str, str]]) -> None:
    """Have contracts judged by their tokens again, by station and key."""
    if places:
        await connection.execute(_ALLOW, *columns(sorted(places)))


async def forget_refusals(connection: asyncpg.Connection, key: str) -> None:
    """Forget where a contract was refused."""
    await connection.execute(_FORGET, key)

"""Queries about tokens: those that stations present, and what operators ask and change."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_session.tables import ContractVerdictRow, TokenRow
from chargebus_session.tokens.domain import ContractVerdict, Token

_ROWS: Final = Rows(TokenRow)
_CHANGED: Final = Rows(TokenRow, without=("id_token", "created_at"))
_VERDICTS: Final = Rows(ContractVerdictRow)
_TOKEN: Final = Token.__struct_fields__

_GET: Final = f"SELECT {_ROWS.select()} FROM token WHERE token_key = $1"  # noqa: S608 (names of columns)
_LOCK: Final = f"{_GET} FOR UPDATE"
_LOAD: Final = f"SELECT token_key, {', '.join(_TOKEN)} FROM token WHERE token_key = ANY($1::text[])"  # noqa: S608
_ADD: Final = f"{_ROWS.insert_new()} RETURNING token_key"
_CHANGE: Final = _CHANGED.update()
_DELETE: Final = f"DELETE FROM token WHERE token_key = $1 RETURNING {_ROWS.select()}"  # noqa: S608 (names of columns)
_HOLD_CONTRACTS: Final = "SELECT pg_advisory_xact_lock(hashtext('chargebus_session.token.contract'))"

_KEEP_VERDICTS: Final = f"{_VERDICTS.upsert()} WHERE contract_verdict.shown_at <= excluded.shown_at"
_FORGET_VERDICTS: Final = "DELETE FROM contract_verdict WHERE token_key = $1"
_FORGET_ACCEPTED: Final = "DELETE FROM contract_verdict WHERE status = 'Accepted' AND shown_at < $1"


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


async def keep_verdicts(connection: asyncpg.Connection, verdicts: Collection[ContractVerdict]) -> None:
    """Have the transactions that stations begin with contracts judged by these, one for each place and contract.

    What is known of a certificate that was shown later stays.
    """
    if verdicts:
        ordered = sorted(verdicts, key=lambda each: (each.token_key, each.station_id))  # two batches lock in one order
        await connection.execute(_KEEP_VERDICTS, *_VERDICTS.arguments(ordered))


async def forget_verdicts(connection: asyncpg.Connection, key: str) -> None:
    """Forget what stations were told of a contract."""
    await connection.execute(_FORGET_VERDICTS, key)


async def forget_accepted(connection: asyncpg.Connection | asyncpg.Pool, before: datetime) -> None:
    """Forget contracts that were accepted before a time; what was refused stays refused."""
    await connection.execute(_FORGET_ACCEPTED, before)

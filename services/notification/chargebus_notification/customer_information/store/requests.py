"""Requests and the parts that came of them, read and written in sets."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_notification.customer_information.domain import Part, Request
from chargebus_notification.customer_information.store.tables import CustomerPartRow, CustomerRequestRow

_ROWS: Final = Rows(CustomerRequestRow)
_PARTS: Final = Rows(CustomerPartRow)
_NEXT: Final = "SELECT nextval('customer_request_id')"
_ADD: Final = _ROWS.insert()
_KEEP: Final = _ROWS.upsert()
_SELECT: Final = f"SELECT {_ROWS.select()} FROM customer_request "  # noqa: S608 - names of columns
_LOCK: Final = _SELECT + "WHERE request_id = ANY($1::bigint[]) ORDER BY request_id FOR NO KEY UPDATE"
_KEEP_PARTS: Final = _PARTS.upsert()
_LOAD_PARTS: Final = f"SELECT {_PARTS.select()} FROM customer_part WHERE request_id = ANY($1::bigint[])"  # noqa: S608
_STALE: Final = (
    _SELECT + "WHERE asked_at < $1 AND status <> 'deleted' ORDER BY asked_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
)
_OLD: Final = (
    "SELECT request_id FROM customer_request WHERE asked_at < $1 ORDER BY asked_at LIMIT $2 FOR UPDATE SKIP LOCKED"
)
_FORGET_PARTS: Final = "DELETE FROM customer_part WHERE request_id = ANY($1::bigint[])"
_FORGET: Final = "DELETE FROM customer_request WHERE request_id = ANY($1::bigint[])"


async def next_id(connection: asyncpg.Connection) -> int:
    """Return a number that no request has; it goes round before it is more than OCPP can say."""
    found: int = await connection.fetchval(_NEXT)
    return found


async def add(connection: asyncpg.Connection, request: Request) -> None:
    """Keep a new request."""
    await connection.execute(_ADD, *_ROWS.arguments([request]))


async def keep(connection: asyncpg.Connection, requests: Collection[Request]) -> None:
    """Keep requests as they are now."""
    if requests:
        await connection.execute(_KEEP, *_ROWS.arguments(requests))


async def lock(connection: asyncpg.Connection, request_ids: Collection[int]) -> dict[int, Request]:
    """Return requests, locked until the transaction ends."""
    return {row["request_id"]: Request(**row) for row in await connection.fetch(_LOCK, list(request_ids))}


async def page(connection: asyncpg.Connection, station_id: str | None, before: int | None, limit: int) -> list[Request]:
    """Return up to `limit` requests, the newest first."""
    where = Conditions()
    where.add("station_id = {}", station_id)
    where.add("request_id < {}", before)
    sql = f"{_SELECT} {where.sql} ORDER BY request_id DESC LIMIT {limit:d}"
    return [Request(**row) for row in await connection.fetch(sql, *where.arguments)]


async def find(connection: asyncpg.Connection, request_id: int) -> Request | None:
    """Return a request."""
    row = await connection.fetchrow(_SELECT + "WHERE request_id = $1", request_id)
    return None if row is None else Request(**row)


async def keep_parts(connection: asyncpg.Connection, parts: Collection[Part]) -> None:
    """Keep parts; one that comes again replaces what it said before."""
    if parts:
        await connection.execute(_KEEP_PARTS, *_PARTS.arguments(parts))


async def parts(connection: asyncpg.Connection, request_ids: Collection[int]) -> dict[int, dict[int, tuple[str, bool]]]:
    """Return the parts of requests by their numbers, each with whether it is the last."""
    found: dict[int, dict[int, tuple[str, bool]]] = {request_id: {} for request_id in request_ids}
    for row in await connection.fetch(_LOAD_PARTS, list(request_ids)):
        found[row["request_id"]][row["seq_no"]] = row["data"], row["is_last"]
    return found


async def take_stale(connection: asyncpg.Connection, before: datetime, limit: int) -> list[Request]:
    """Return up to `limit` requests whose text is to be deleted, locked; those that others hold are passed over."""
    return [Request(**row) for row in await connection.fetch(_STALE, before, limit)]


async def take_old(connection: asyncpg.Connection, before: datetime, limit: int) -> list[int]:
    """Return up to `limit` requests from before then, locked; those that others hold are passed over."""
    return [row["request_id"] for row in await connection.fetch(_OLD, before, limit)]


async def forget_parts(connection: asyncpg.Connection, request_ids: Sequence[int]) -> None:
    """Delete what stations told."""
    await connection.execute(_FORGET_PARTS, list(request_ids))


async def forget(connection: asyncpg.Connection, request_ids: Sequence[int]) -> None:
    """Drop requests."""
    await connection.execute(_FORGET, list(request_ids))

"""What stations are asked about their variables, and when; rows are locked in the order of their ids."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.variables.domain.request import Request
from chargebus_device.variables.store.tables import VariableRequestRow

CHANNEL: Final = "variable_requests"


class _Row(msgspec.Struct, frozen=True):
    request: Request
    known: bytes


_ROWS: Final = Rows(VariableRequestRow, sources={"request": Request})
_KEEP: Final = _ROWS.upsert()
_TELL: Final = "SELECT pg_notify($1, id) FROM unnest($2::text[]) AS n (id)"
_FIND: Final = "SELECT known FROM variable_request WHERE station_id = $1 AND request_id = $2"
_LOCK: Final = "SELECT known FROM variable_request WHERE request_id = ANY($1) ORDER BY request_id FOR UPDATE"
_REPORTS: Final = """
SELECT known FROM variable_request
JOIN unnest($1::text[], $2::int[]) AS n (of_station, of_report) ON (station_id, report_id) = (of_station, of_report)
WHERE report_id > 0 AND ended_at IS NULL ORDER BY request_id FOR UPDATE OF variable_request
"""
# What waits for a station that is away is not looked at before that is there, or its time is over.
_DUE: Final = """
SELECT r.known FROM variable_request AS r LEFT JOIN connection AS c USING (station_id)
WHERE r.due_at <= $1 AND (COALESCE(c.connected, false) OR r.expires_at <= $1) ORDER BY r.due_at LIMIT $2
FOR UPDATE OF r SKIP LOCKED
"""
_OPEN: Final = "SELECT count(*) FROM variable_request WHERE origin = $1 AND ended_at IS NULL"
_PAGE: Final = """
SELECT known FROM variable_request
WHERE station_id = $1 AND ($2::timestamptz IS NULL OR (created_at, request_id) < ($2, $3))
ORDER BY created_at DESC, request_id DESC LIMIT $4
"""
_PRUNE: Final = """
DELETE FROM variable_request WHERE request_id IN (
    SELECT request_id FROM variable_request WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)
"""
_REPORT_ID: Final = "SELECT nextval('variable_report_id')::int"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Request).decode


async def keep(connection: asyncpg.Connection, requests: Collection[Request]) -> None:
    """Keep requests, new ones and changed ones; who waits for one that has ended is woken."""
    if not requests:
        return
    await connection.execute(_KEEP, *_ROWS.arguments(_Row(each, _encode(each)) for each in requests))
    ended = [str(each.request_id) for each in requests if each.state == "ended"]
    if ended:
        await connection.execute(_TELL, CHANNEL, ended)


async def find(connection: asyncpg.Connection | asyncpg.Pool, station_id: str, request_id: UUID) -> Request | None:
    """Return a request of a station."""
    known = await connection.fetchval(_FIND, station_id, request_id)
    return None if known is None else _decode(known)


async def lock(connection: asyncpg.Connection, request_ids: Iterable[UUID]) -> dict[UUID, Request]:
    """Return requests, locked until the transaction ends; those that are kept no more are left out."""
    found = _read(await connection.fetch(_LOCK, list(request_ids)))
    return {each.request_id: each for each in found}


async def reports(
    connection: asyncpg.Connection, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Request]:
    """Return the open requests whose reports have these numbers, by station and number, locked."""
    stations, numbers = [each[0] for each in wanted], [each[1] for each in wanted]
    return {
        (each.station_id, each.report_id): each for each in _read(await connection.fetch(_REPORTS, stations, numbers))
    }


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Request]:
    """Return up to `limit` requests that are due, locked; those that others hold are passed over."""
    return _read(await connection.fetch(_DUE, now, limit))


async def count_open(connection: asyncpg.Connection, origin: str) -> int:
    """Return how many requests of an origin have not ended."""
    return int(await connection.fetchval(_OPEN, origin))


async def page(
    connection: asyncpg.Connection, station_id: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Request]:
    """Return up to `limit` requests of a station, the newest first."""
    made_at, request_id = after or (None, None)
    return _read(await connection.fetch(_PAGE, station_id, made_at, request_id, limit))


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Drop up to `limit` requests that ended before then; return how many."""
    return int((await connection.execute(_PRUNE, before, limit)).split()[-1])


async def report_id(connection: asyncpg.Connection) -> int:
    """Return a number that no report had before."""
    number: int = await connection.fetchval(_REPORT_ID)
    return number


def _read(rows: Sequence[asyncpg.Record]) -> list[Request]:
    return [_decode(row["known"]) for row in rows]

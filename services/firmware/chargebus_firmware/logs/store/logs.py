"""Logs that stations were asked for, read and written in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_commanding import Transaction
from chargebus_runtime.rows import Rows

from chargebus_firmware.logs.domain.log import Kind, Log, Patience, State, due_at
from chargebus_firmware.logs.domain.status import LogStatus
from chargebus_firmware.logs.payload import news
from chargebus_firmware.logs.store.tables import StationLogRow

_CANDIDATES: Final = 3

_ROWS: Final = Rows(StationLogRow)
_KEEP: Final = _ROWS.upsert()
_NEXT: Final = "SELECT nextval('station_log_id')"
_FIND: Final = "SELECT known FROM station_log WHERE log_id = $1"
_LOCK: Final = "SELECT known FROM station_log WHERE log_id = ANY($1::bigint[]) ORDER BY log_id FOR NO KEY UPDATE"
_PAGE: Final = """
SELECT known FROM station_log
WHERE log_id < $1 AND ($2::text IS NULL OR station_id = $2) AND ($3::text IS NULL OR kind = $3)
    AND ($4::text IS NULL OR state = $4)
ORDER BY log_id DESC LIMIT $5
"""
_NEWEST: Final = """
SELECT l.log_id FROM unnest($1::text[], $2::text[]) AS asked (station_id, kind)
CROSS JOIN LATERAL (
    SELECT log_id FROM station_log AS s WHERE s.station_id = asked.station_id AND s.kind = asked.kind
    ORDER BY log_id DESC LIMIT $3
) AS l
"""
_BEFORE: Final = """
SELECT log_id FROM station_log
WHERE station_id = ANY($1::text[]) AND state IN ('requested', 'accepted', 'uploading', 'partial')
"""
_DUE: Final = "SELECT known FROM station_log WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
_EXPIRING: Final = """
SELECT known FROM station_log WHERE expires_at <= $1 AND (expires_at, log_id) > ($2, $3)
ORDER BY expires_at, log_id LIMIT $4
"""
_FORGET: Final = "DELETE FROM station_log WHERE log_id = ANY($1::bigint[])"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Log).decode


class _Row(msgspec.Struct, frozen=True):
    """A log as it is kept."""

    log_id: int
    station_id: str
    kind: str
    state: str
    due_at: datetime
    expires_at: datetime | None
    known: bytes


class Filter(msgspec.Struct, frozen=True):
    """Which logs are wanted; None: all."""

    station_id: str | None = None
    kind: Kind | None = None
    state: State | None = None


async def next_id(connection: asyncpg.Connection) -> int:
    """Return a number that no log has."""
    found: int = await connection.fetchval(_NEXT)
    return found


async def find(connection: asyncpg.Connection, log_id: int) -> Log | None:
    """Return a log."""
    known = await connection.fetchval(_FIND, log_id)
    return None if known is None else _decode(known)


async def lock(connection: asyncpg.Connection, log_ids: Collection[int]) -> dict[int, Log]:
    """Return logs by their ids, locked until the transaction ends."""
    return {log.log_id: log for log in _logs(await connection.fetch(_LOCK, list(log_ids)))}


async def lock_meant(connection: asyncpg.Connection, statuses: Iterable[LogStatus]) -> dict[int, Log]:
    """Return the logs that statuses may be of, locked until the transaction ends."""
    named = {status.request_id for status in statuses if status.request_id is not None}
    places = sorted({(each.station_id, kind) for each in statuses if each.request_id is None for kind in each.kinds})
    if places:
        stations, kinds = (list(column) for column in zip(*places, strict=True))
        named |= {row["log_id"] for row in await connection.fetch(_NEWEST, stations, kinds, _CANDIDATES)}
    return await lock(connection, {log_id for log_id in named if 0 < log_id < 2**63}) if named else {}


async def lock_open(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[int, Log]:
    """Return the logs of stations that have not come, locked until the transaction ends."""
    found = [row["log_id"] for row in await connection.fetch(_BEFORE, list(station_ids))]
    return await lock(connection, found) if found else {}


async def keep(connection: asyncpg.Connection, logs: Iterable[Log], patience: Patience) -> None:
    """Keep logs; who calls it sends their news."""
    rows = [_row(log, patience) for log in logs]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def change(tx: Transaction, before: Mapping[int, Log], logs: Iterable[Log], patience: Patience) -> None:
    """Keep logs, and send what is news of them."""
    changed = list(logs)
    await keep(tx.connection, changed, patience)
    for log in changed:
        told = news(before.get(log.log_id), log, tx.now)
        if told is not None:
            tx.send(told)


async def page(connection: asyncpg.Connection, wanted: Filter, before: int, limit: int) -> Sequence[Log]:
    """Return up to `limit` logs with smaller numbers, the newest first."""
    return _logs(await connection.fetch(_PAGE, before, wanted.station_id, wanted.kind, wanted.state, limit))


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[Log]:
    """Return up to `limit` logs that time changes, locked; those that others hold are passed over."""
    return _logs(await connection.fetch(_DUE, now, limit))


async def expiring(
    connection: asyncpg.Connection, now: datetime, after: tuple[datetime, int], limit: int
) -> Sequence[Log]:
    """Return up to `limit` logs whose files are to be deleted, behind the one that expired then."""
    return _logs(await connection.fetch(_EXPIRING, now, *after, limit))


async def forget(connection: asyncpg.Connection, log_ids: Collection[int]) -> None:
    """Drop logs."""
    await connection.execute(_FORGET, list(log_ids))


def _row(log: Log, patience: Patience) -> _Row:
    due = due_at(log, patience)
    return _Row(log.log_id, log.station_id, log.wanted.kind, log.state, due, log.expires_at, _encode(log))


def _logs(rows: Iterable[asyncpg.Record]) -> list[Log]:
    return [_decode(row["known"]) for row in rows]

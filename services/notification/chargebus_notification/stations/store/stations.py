"""Stations, read and written in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.names import SERVICE
from chargebus_notification.stations.domain.station import Station
from chargebus_notification.stations.store.tables import KnownStationRow

_ROWS: Final = Rows(KnownStationRow)
_LOAD: Final = "SELECT known FROM known_station WHERE station_id = ANY($1)"
_LOCK: Final = f"{_LOAD} ORDER BY station_id FOR NO KEY UPDATE"
# What is not due by this news stays due when it was. When it was heard of is kept by the hour: what changes no column
# that has an index touches none.
_KEEP: Final = f"""
{_ROWS.insert()} ON CONFLICT (station_id) DO UPDATE SET
    labels = excluded.labels, removed = excluded.removed, online = excluded.online,
    offline_since = excluded.offline_since, last_session_at = excluded.last_session_at,
    heard_at = CASE WHEN excluded.heard_at > known_station.heard_at + interval '1 hour'
        THEN excluded.heard_at ELSE known_station.heard_at END,
    due_at = least(known_station.due_at, excluded.due_at), known = excluded.known
"""
_PAGE: Final = """
SELECT known FROM known_station WHERE station_id > $1 AND station_id NOT LIKE '/%' ORDER BY station_id LIMIT $2
"""
_MATCHING: Final = """
SELECT known FROM known_station
WHERE labels @> $1::jsonb AND NOT removed AND station_id NOT LIKE '/%' AND station_id > $2
ORDER BY station_id LIMIT $3
"""
_TAKE_DUE: Final = """
SELECT known FROM known_station WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""
_PUT_OFF: Final = """
UPDATE known_station AS s SET due_at = n.due_at FROM unnest($1::text[], $2::timestamptz[]) AS n (station_id, due_at)
WHERE s.station_id = n.station_id
"""
_ALL_DUE: Final = """
UPDATE known_station AS s SET due_at = least(s.due_at, $1)
FROM (SELECT station_id FROM known_station ORDER BY station_id FOR NO KEY UPDATE) AS l WHERE s.station_id = l.station_id
"""
# What an alert tells of stays as long as that is open: nobody else would say that it is over. Addresses are many.
_STALE: Final = """
SELECT station_id FROM known_station AS s
WHERE heard_at < $1 AND (removed OR station_id LIKE '/address/%' OR heard_at < $2)
AND NOT EXISTS (
    SELECT FROM alert AS a
    WHERE a.subject = s.station_id AND a.source = $4 AND a.group_by = '' AND a.state <> 'resolved'
)
ORDER BY heard_at LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_FORGET: Final = "DELETE FROM known_station WHERE station_id = ANY($1)"
_FORGET_MEMBERS: Final = "DELETE FROM alert_member WHERE station_id = ANY($1)"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Station).decode


class _Row(msgspec.Struct, frozen=True):
    station_id: str
    labels: Mapping[str, str]
    removed: bool
    online: bool
    offline_since: datetime | None
    last_session_at: datetime | None
    heard_at: datetime
    due_at: datetime
    known: bytes


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what is known of stations."""
    return _by_id(await connection.fetch(_LOAD, list(station_ids)))


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what is known of stations, locked until the transaction ends."""
    return _by_id(await connection.fetch(_LOCK, sorted(station_ids)))


async def keep(connection: asyncpg.Connection, told: Iterable[tuple[Station, datetime]], now: datetime) -> None:
    """Keep what is known of stations, each with when rules are to look at it at the latest."""
    rows = [
        _Row(
            each.station_id,
            each.labels,
            each.removed,
            each.online,
            each.offline_since,
            each.last_session_at,
            now,
            due_at,
            _encode(each),
        )
        for each, due_at in told
    ]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def page(connection: asyncpg.Connection, after: str, limit: int) -> list[Station]:
    """Return up to `limit` stations in the order of their ids."""
    return [_decode(row["known"]) for row in await connection.fetch(_PAGE, after, limit)]


async def matching(connection: asyncpg.Connection, labels: Mapping[str, str], after: str, limit: int) -> list[Station]:
    """Return up to `limit` stations that have all of these labels, in the order of their ids."""
    rows = await connection.fetch(_MATCHING, msgspec.json.encode(labels).decode(), after, limit)
    return [_decode(row["known"]) for row in rows]


async def find(connection: asyncpg.Connection, station_id: str) -> Station | None:
    """Return what is known of a station."""
    return (await load(connection, [station_id])).get(station_id)


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Station]:
    """Return up to `limit` stations that rules are to look at, locked; those that others hold are passed over."""
    return [_decode(row["known"]) for row in await connection.fetch(_TAKE_DUE, now, limit)]


async def put_off(connection: asyncpg.Connection, due: Mapping[str, datetime]) -> None:
    """Say when rules are to look at stations again, which the transaction holds."""
    await connection.execute(_PUT_OFF, list(due), list(due.values()))


async def make_all_due(connection: asyncpg.Connection, now: datetime) -> None:
    """Have rules look at all stations: the rules have changed."""
    await connection.execute(_ALL_DUE, now)


async def take_stale(
    connection: asyncpg.Connection, removed_before: datetime, before: datetime, limit: int
) -> Sequence[str]:
    """Return stations that were removed, or of which nothing was heard, since then, and no alert tells; locked."""
    return [row["station_id"] for row in await connection.fetch(_STALE, removed_before, before, limit, SERVICE)]


async def forget(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Drop stations; no group stands for them any more."""
    await connection.execute(_FORGET, list(station_ids))
    await connection.execute(_FORGET_MEMBERS, list(station_ids))


def _by_id(rows: Iterable[asyncpg.Record]) -> dict[str, Station]:
    return {station.station_id: station for station in (_decode(row["known"]) for row in rows)}

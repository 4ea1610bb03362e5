"""Stations as the certificates on them go, what they have and what was tried; locked in the order of their ids."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.trust.domain.station import Change, Installed, TrustStation
from chargebus_security.trust.store.tables import ChangeRow, InstalledRow, TrustStationRow

_ROWS: Final = Rows(TrustStationRow)
_INSTALLED: Final = Rows(InstalledRow)
_CHANGES: Final = Rows(ChangeRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM trust_station "  # noqa: S608 - names of columns
_FIND: Final = _SELECT + "WHERE station_id = $1"
_LOCK: Final = _SELECT + "WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE"
_DUE: Final = _SELECT + "WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
_KNOWN: Final = "SELECT station_id FROM trust_station WHERE station_id = ANY($1)"
_PAGE: Final = _SELECT + "WHERE station_id > $1 AND (NOT $2 OR drift > 0) ORDER BY station_id LIMIT $3"
_MAKE: Final = f"{_ROWS.insert()} ON CONFLICT (station_id) DO NOTHING"
_KEEP: Final = _ROWS.upsert()
_HAVE: Final = f"SELECT {_INSTALLED.select()} FROM installed_certificate WHERE station_id = ANY($1)"  # noqa: S608
_KEEP_INSTALLED: Final = _INSTALLED.upsert()
_REPLACE: Final = """
DELETE FROM installed_certificate WHERE station_id = $1 AND ($2::varchar[] IS NULL OR certificate_type = ANY($2))
"""
_WITH: Final = """
SELECT station_id, certificate_type, reported_at FROM installed_certificate
WHERE hash_key = ANY($1) AND station_id > $2 ORDER BY station_id, certificate_type LIMIT $3
"""
_TRIED: Final = f"SELECT {_CHANGES.select()} FROM trust_change WHERE station_id = ANY($1)"  # noqa: S608
_KEEP_CHANGES: Final = _CHANGES.upsert()
_DROP_CHANGES: Final = "DELETE FROM trust_change WHERE station_id = $1"
_ALL_DUE: Final = """
INSERT INTO trust_station (station_id, asking, pending, report_at, tries, is_able, detail, drift, due_at)
SELECT station_id, '', 0, NULL, 0, true, '', 0, $1 FROM station WHERE NOT removed ORDER BY station_id
ON CONFLICT (station_id) DO UPDATE SET due_at = excluded.due_at
"""
_UNHEARD: Final = """
SELECT t.station_id FROM trust_station t LEFT JOIN station s USING (station_id) WHERE s.station_id IS NULL LIMIT $1
"""
_FORGET: Final = (
    "DELETE FROM installed_certificate WHERE station_id = ANY($1)",
    "DELETE FROM trust_change WHERE station_id = ANY($1)",
    "DELETE FROM trust_station WHERE station_id = ANY($1)",
)
_UNUSED: Final = """
DELETE FROM certificate c WHERE c.source = 'reported'
AND NOT EXISTS (SELECT FROM installed_certificate i WHERE i.hash_key = ANY(c.hash_keys))
"""


class _Installed(msgspec.Struct, frozen=True):
    station_id: str
    certificate_type: str
    hash_key: str
    named: HashData
    children: tuple[HashData, ...]
    reported_at: datetime


class _Change(msgspec.Struct, frozen=True):
    station_id: str
    change: Change


_CHANGES_IN: Final = Rows(ChangeRow, sources={"change": Change})
_children: Final = tuple[HashData, ...]


async def find(connection: asyncpg.Connection, station_id: str) -> TrustStation | None:
    """Return what is known of a station."""
    row = await connection.fetchrow(_FIND, station_id)
    return None if row is None else TrustStation(**row)


async def lock(connection: asyncpg.Connection, station_ids: Iterable[str]) -> dict[str, TrustStation]:
    """Return what is known of stations, locked until the transaction ends; one that is new is there from now on."""
    ids = sorted(set(station_ids))
    if not ids:
        return {}
    new = [TrustStation(station_id=each) for each in ids]
    await connection.execute(_MAKE, *_ROWS.arguments(new))
    return {row["station_id"]: TrustStation(**row) for row in await connection.fetch(_LOCK, ids)}


async def known(connection: asyncpg.Connection, station_ids: Collection[str]) -> set[str]:
    """Return which of these stations are followed."""
    return {row["station_id"] for row in await connection.fetch(_KNOWN, list(station_ids))}


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[TrustStation]:
    """Return up to `limit` stations about which something is to be done; locked, those that others hold wait."""
    return [TrustStation(**row) for row in await connection.fetch(_DUE, now, limit)]


async def page(connection: asyncpg.Connection, after: str, limit: int, *, drifted: bool) -> list[TrustStation]:
    """Return up to `limit` stations in the order of their ids: all, or those that differ from what is wanted."""
    return [TrustStation(**row) for row in await connection.fetch(_PAGE, after, drifted, limit)]


async def keep(connection: asyncpg.Connection, stations: Collection[TrustStation]) -> None:
    """Keep what is known now."""
    if stations:
        await connection.execute(_KEEP, *_ROWS.arguments(stations))


async def all_due(connection: asyncpg.Connection, now: datetime) -> None:
    """Have all stations looked at: what is wanted of them has changed."""
    await connection.execute(_ALL_DUE, now)


async def installed(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, list[Installed]]:
    """Return what stations say they have."""
    found: dict[str, list[Installed]] = defaultdict(list)
    for row in await connection.fetch(_HAVE, list(station_ids)):
        read: Any = _INSTALLED.read(row)
        children = msgspec.convert(read.children, _children)
        has = Installed(read.certificate_type, msgspec.convert(read.named, HashData), children)
        found[read.station_id].append(has)
    return found


async def replace_installed(
    connection: asyncpg.Connection,
    station_id: str,
    types: Sequence[str] | None,
    has: Collection[Installed],
    now: datetime,
) -> None:
    """Keep what a station says it has of some types, or of all, in the place of what it said before."""
    await connection.execute(_REPLACE, station_id, types)
    rows = {
        (each.certificate_type, each.hash_key): _Installed(
            station_id, each.certificate_type, each.hash_key, each.named, each.children, now
        )
        for each in has
    }
    if rows:
        await connection.execute(_KEEP_INSTALLED, *_INSTALLED.arguments(rows.values()))


async def with_certificate(
    connection: asyncpg.Connection, hash_keys: Collection[str], after: str, limit: int
) -> list[tuple[str, str, datetime]]:
    """Return up to `limit` (station, type, when it told) of those that have a certificate, by its stations' ids."""
    return [tuple(row) for row in await connection.fetch(_WITH, list(hash_keys), after, limit)]


async def changes(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, list[Change]]:
    """Return what was tried on stations."""
    found: dict[str, list[Change]] = defaultdict(list)
    for row in await connection.fetch(_TRIED, list(station_ids)):
        values = dict(row)
        found[values.pop("station_id")].append(Change(**values))
    return found


async def keep_changes(connection: asyncpg.Connection, tried: Iterable[tuple[str, Change]]) -> None:
    """Keep what was tried, each on its station."""
    rows = [_Change(station_id, change) for station_id, change in tried]
    if rows:
        await connection.execute(_KEEP_CHANGES, *_CHANGES_IN.arguments(rows))


async def replace_changes(connection: asyncpg.Connection, station_id: str, left: Collection[Change]) -> None:
    """Keep what is left of what was tried on a station, and nothing else."""
    await connection.execute(_DROP_CHANGES, station_id)
    await keep_changes(connection, [(station_id, each) for each in left])


async def take_unheard(connection: asyncpg.Connection, limit: int) -> Sequence[str]:
    """Return stations that are not kept any more."""
    return [row["station_id"] for row in await connection.fetch(_UNHEARD, limit)]


async def forget(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Drop stations."""
    for sql in _FORGET:
        await connection.execute(sql, list(station_ids))


async def forget_unused(connection: asyncpg.Connection) -> None:
    """Drop certificates of which only stations told, and that none has any more."""
    await connection.execute(_UNUSED)

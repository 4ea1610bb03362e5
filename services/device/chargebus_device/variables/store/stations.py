"""Stations as their variables go: which version they speak, and when all of it is read."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec


class Station(msgspec.Struct, frozen=True):
    """A registered station: the version that it speaks, or spoke last; `read_at`: when all its variables were read."""

    station_id: str
    version: str
    connected: bool
    read_at: datetime | None


_FIND: Final = """
SELECT s.station_id, COALESCE(NULLIF(c.version, ''), b.version, '') AS version,
       COALESCE(c.connected, false) AS connected,
       CASE WHEN v.version = COALESCE(NULLIF(c.version, ''), b.version, '') THEN v.read_at END AS read_at
FROM station s LEFT JOIN connection c USING (station_id) LEFT JOIN boot b USING (station_id)
LEFT JOIN variable_station v USING (station_id) WHERE s.station_id = ANY($1)
"""
_BOOTED: Final = """
INSERT INTO variable_station (station_id, read_at, firmware_version, version, due_at, tries)
SELECT s.station_id, NULL, '', '', $2, 0 FROM station s JOIN boot b USING (station_id)
LEFT JOIN variable_station v USING (station_id)
WHERE s.station_id = ANY($1) AND b.told = 'accepted' AND (
    v.read_at IS NULL OR (v.firmware_version, v.version) IS DISTINCT FROM (s.firmware_version, b.version))
ORDER BY s.station_id ON CONFLICT (station_id) DO UPDATE SET due_at = excluded.due_at, tries = 0
"""
_DUE: Final = """
SELECT v.station_id, v.tries FROM variable_station v JOIN connection c USING (station_id)
WHERE v.due_at <= $1 AND c.connected ORDER BY v.due_at LIMIT $2 FOR UPDATE OF v SKIP LOCKED
"""
_PUT_OFF: Final = """
UPDATE variable_station AS v SET due_at = NULL, tries = v.tries + 1 WHERE station_id = ANY($1)
"""
_AGAIN: Final = "UPDATE variable_station SET due_at = $2 WHERE station_id = $1 AND tries < $3"
_READ: Final = """
INSERT INTO variable_station (station_id, read_at, firmware_version, version, due_at, tries)
SELECT s.station_id, $2, s.firmware_version, $3, NULL, 0 FROM station s WHERE s.station_id = $1
ON CONFLICT (station_id) DO UPDATE SET
    read_at = excluded.read_at, firmware_version = excluded.firmware_version, version = excluded.version,
    due_at = NULL, tries = 0
"""


async def find(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return the registered ones among stations."""
    return {row["station_id"]: Station(**row) for row in await connection.fetch(_FIND, list(station_ids))}


async def booted(connection: asyncpg.Connection, station_ids: Collection[str], at: datetime) -> None:
    """Have all variables read at `at` of those that booted for the first time, or with other firmware."""
    await connection.execute(_BOOTED, list(station_ids), at)


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[str]:
    """Return up to `limit` connected stations whose variables are to be read, locked; others' are passed over."""
    return [row["station_id"] for row in await connection.fetch(_DUE, now, limit)]


async def asked(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Note that stations are asked for all that they have."""
    await connection.execute(_PUT_OFF, list(station_ids))


async def ask_again(connection: asyncpg.Connection, station_id: str, at: datetime, most: int) -> None:
    """Have a station asked again later, if it was not asked `most` times."""
    await connection.execute(_AGAIN, station_id, at, most)


async def read(connection: asyncpg.Connection, station_id: str, version: str, now: datetime) -> None:
    """Note that all of a station's variables are read, in the words of a version."""
    await connection.execute(_READ, station_id, now, version)

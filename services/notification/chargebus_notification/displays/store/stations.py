"""Stations as their displays go, read and written in sets."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_notification.displays.domain.reports import DisplayStation
from chargebus_notification.displays.store.tables import DisplayStationRow

_ROWS: Final = Rows(DisplayStationRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM display_station "  # noqa: S608 - names of columns
_FIND: Final = _SELECT + "WHERE station_id = $1"
_LOCK: Final = _SELECT + "WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE"
_DUE: Final = _SELECT + "WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
_VERSIONS: Final = "SELECT station_id, version FROM display_station WHERE station_id = ANY($1)"
_MAKE: Final = f"{_ROWS.insert()} ON CONFLICT (station_id) DO NOTHING"
_KEEP: Final = _ROWS.upsert()


async def lock(connection: asyncpg.Connection, station_ids: Iterable[str]) -> dict[str, DisplayStation]:
    """Return what is known of stations, locked until the transaction ends; one that is new is there from now on."""
    ids = sorted(set(station_ids))
    if not ids:
        return {}
    await connection.execute(_MAKE, *_ROWS.arguments(map(DisplayStation, ids)))
    return {row["station_id"]: _station(row) for row in await connection.fetch(_LOCK, ids)}


async def find(connection: asyncpg.Connection, station_id: str) -> DisplayStation | None:
    """Return what is known of a station."""
    row = await connection.fetchrow(_FIND, station_id)
    return None if row is None else _station(row)


async def versions(connection: asyncpg.Connection, station_ids: Iterable[str]) -> dict[str, str]:
    """Return which version of OCPP stations speak, as far as known."""
    return {row["station_id"]: row["version"] for row in await connection.fetch(_VERSIONS, list(set(station_ids)))}


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[DisplayStation]:
    """Return up to `limit` stations whose report is to be asked for, or given up; locked, those of others wait."""
    return [_station(row) for row in await connection.fetch(_DUE, now, limit)]


async def keep(connection: asyncpg.Connection, stations: Collection[DisplayStation]) -> None:
    """Keep what is known now."""
    if stations:
        await connection.execute(_KEEP, *_ROWS.arguments(stations))


def _station(row: asyncpg.Record) -> DisplayStation:
    return DisplayStation(**row)

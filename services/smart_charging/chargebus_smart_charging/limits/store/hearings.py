"""Stations that were heard, read and written in sets."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.limits.domain.hearing import Hearing
from chargebus_smart_charging.limits.store.tables import HearingRow

_ROWS: Final = Rows(HearingRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM hearing "  # noqa: S608 - names of columns, not what anybody says
_LOCK: Final = _SELECT + "WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE"
_PAGE: Final = _SELECT + "WHERE station_id > $1 ORDER BY station_id LIMIT $2"
_FIND: Final = _SELECT + "WHERE station_id = $1"
_KEEP: Final = _ROWS.upsert()
_UNHEARD: Final = "SELECT station_id FROM hearing WHERE heard_at < $1 ORDER BY heard_at LIMIT $2 FOR UPDATE SKIP LOCKED"
_FORGET: Final = "DELETE FROM hearing WHERE station_id = ANY($1)"


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Hearing]:
    """Return what is known of stations, locked until the transaction ends."""
    return {row["station_id"]: _hearing(row) for row in await connection.fetch(_LOCK, list(station_ids))}


async def keep(connection: asyncpg.Connection, hearings: Iterable[Hearing]) -> None:
    """Keep what is known of stations."""
    await connection.execute(_KEEP, *_ROWS.arguments(hearings))


async def page(connection: asyncpg.Connection, after: str, limit: int) -> list[Hearing]:
    """Return up to `limit` stations in the order of their ids."""
    return [_hearing(row) for row in await connection.fetch(_PAGE, after, limit)]


async def find(connection: asyncpg.Connection, station_id: str) -> Hearing | None:
    """Return what is known of a station."""
    row = await connection.fetchrow(_FIND, station_id)
    return None if row is None else _hearing(row)


async def take_unheard(connection: asyncpg.Connection, since: datetime, limit: int) -> list[str]:
    """Return up to `limit` stations that were not heard since then, locked; those that others hold are passed over."""
    return [row["station_id"] for row in await connection.fetch(_UNHEARD, since, limit)]


async def forget(connection: asyncpg.Connection, station_ids: Sequence[str]) -> None:
    """Drop stations."""
    await connection.execute(_FORGET, list(station_ids))


def _hearing(row: asyncpg.Record) -> Hearing:
    return Hearing(**row)

"""Queries about what stations report of their EVSEs; it stands in their rows, as it goes with their records."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.registry import Rating, RegisteredStation

from chargebus_device.registration.store.registry import FIELDS, read_ratings, registered

_LOAD: Final = "SELECT station_id, reported_ratings::text FROM station WHERE station_id = ANY($1)"
_KEEP: Final = f"""
WITH known AS (
    SELECT station_id, said::jsonb AS now_reported FROM station
    JOIN unnest($1::text[], $2::text[]) AS n (station_id, said) USING (station_id)
    ORDER BY station_id FOR NO KEY UPDATE OF station
), changed AS (
    UPDATE station SET reported_ratings = now_reported, updated_at = GREATEST($3, updated_at + interval '1 microsecond')
    FROM known WHERE station.station_id = known.station_id RETURNING station.*
)
SELECT {FIELDS} FROM changed
"""  # noqa: S608 - no input


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, tuple[Rating, ...]]:
    """Return what the registered ones among stations reported so far."""
    rows = await connection.fetch(_LOAD, list(station_ids))
    return {row["station_id"]: read_ratings(row["reported_ratings"]) for row in rows}


async def keep(
    connection: asyncpg.Connection, reported: Mapping[str, tuple[Rating, ...]], now: datetime
) -> list[RegisteredStation]:
    """Keep what stations reported; return their new records."""
    said = [msgspec.json.encode(ratings).decode() for ratings in reported.values()]
    return [registered(row) for row in await connection.fetch(_KEEP, list(reported), said, now)]

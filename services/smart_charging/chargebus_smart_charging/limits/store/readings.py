"""What the meters of nodes said last, read and written in sets."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.limits.domain.meters import Forecast, Reading
from chargebus_smart_charging.limits.store.tables import ReadingRow

_ROWS: Final = Rows(ReadingRow, sources={"reading": Reading})
_LOAD: Final = "SELECT site_id, node_id, phase_a, at, forecast FROM node_reading WHERE site_id = ANY($1)"
# One that tells of no forecast leaves the one that is known.
_KEEP: Final = f"""
{_ROWS.insert()} ON CONFLICT (site_id, node_id) DO UPDATE SET
    phase_a = excluded.phase_a, at = excluded.at, forecast = COALESCE(excluded.forecast, node_reading.forecast)
WHERE node_reading.at <= excluded.at
"""
_METERS: Final = """
SELECT site_id, node_id, meter_station_id, (meter->>'silent_after_s')::float8 AS silent_after_s
FROM node WHERE meter_station_id = ANY($1)
"""
_FORGET: Final = """
DELETE FROM node_reading AS r WHERE r.at < $1
AND NOT EXISTS (SELECT FROM node AS n WHERE n.site_id = r.site_id AND n.node_id = r.node_id)
"""

_forecast = msgspec.json.Decoder(Forecast).decode


class NodeReading(msgspec.Struct, frozen=True):
    """A reading, and where."""

    site_id: str
    node_id: str
    reading: Reading


class MainMeter(msgspec.Struct, frozen=True):
    """A station's main meter, and the node whose other loads it measures."""

    site_id: str
    node_id: str
    station_id: str
    silent_after_s: float


async def load(connection: asyncpg.Connection, site_ids: Collection[str]) -> dict[str, dict[str, Reading]]:
    """Return the newest readings of sites by their nodes."""
    found: defaultdict[str, dict[str, Reading]] = defaultdict(dict)
    for row in await connection.fetch(_LOAD, list(site_ids)):
        first, second, third = row["phase_a"]
        forecast = None if row["forecast"] is None else _forecast(row["forecast"])
        found[row["site_id"]][row["node_id"]] = Reading((first, second, third), row["at"], forecast)
    return dict(found)


async def keep(connection: asyncpg.Connection, readings: Iterable[NodeReading]) -> None:
    """Keep readings, one of each node, unless a newer one is known."""
    await connection.execute(_KEEP, *_ROWS.arguments(readings))


async def main_meters(connection: asyncpg.Connection, station_ids: Collection[str]) -> list[MainMeter]:
    """Return where main meters of stations stand."""
    rows = await connection.fetch(_METERS, list(station_ids))
    return [MainMeter(*row) for row in rows]


async def forget(connection: asyncpg.Connection, before: datetime) -> int:
    """Drop readings of nodes that are no more, and older than that; return how many."""
    return int((await connection.execute(_FORGET, before)).split()[-1])

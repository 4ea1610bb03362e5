"""Owns the queries about stations: which version each speaks."""

from collections.abc import Collection, Mapping

import asyncpg

_VERSIONS = "SELECT station_id, version FROM station WHERE station_id = ANY($1::text[])"
# Most stations come back as they were: those rows are neither written nor locked.
_KEEP = """
INSERT INTO station (station_id, version)
SELECT station_id, told.version FROM unnest($1::text[], $2::text[]) AS told (station_id, version)
LEFT JOIN station AS known USING (station_id) WHERE known.version IS DISTINCT FROM told.version
ON CONFLICT (station_id) DO UPDATE SET version = excluded.version
"""


async def versions(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, str]:
    """Return the version of each of those stations that ever connected."""
    rows = await connection.fetch(_VERSIONS, list(station_ids))
    return {row["station_id"]: row["version"] for row in rows}


async def keep(connection: asyncpg.Connection, told: Mapping[str, str]) -> None:
    """Write which version stations, at least one, speak now."""
    await connection.execute(_KEEP, list(told), list(told.values()))

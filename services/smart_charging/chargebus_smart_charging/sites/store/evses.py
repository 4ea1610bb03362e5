"""EVSEs, looked up by their stations."""

from collections.abc import Collection
from typing import Final

import asyncpg

_SITES: Final = "SELECT DISTINCT station_id, site_id FROM evse WHERE station_id = ANY($1)"
_ELSEWHERE: Final = "SELECT DISTINCT station_id, site_id FROM evse WHERE station_id = ANY($1) AND site_id <> $2"


async def sites_of(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, str]:
    """Return the site of each station that hangs under one."""
    return {row["station_id"]: row["site_id"] for row in await connection.fetch(_SITES, list(station_ids))}


async def elsewhere(connection: asyncpg.Connection, site_id: str, station_ids: Collection[str]) -> dict[str, str]:
    """Return those of the stations that hang under another site, and which."""
    rows = await connection.fetch(_ELSEWHERE, list(station_ids), site_id)
    return {row["station_id"]: row["site_id"] for row in rows}

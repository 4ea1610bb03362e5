"""Owns the queries about stations: their newest connections."""

from collections.abc import Collection

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_session.domain.stations import Announcement

_READ = "SELECT station_id, epoch, connected, version FROM station WHERE station_id = ANY($1::text[])"
_KEEP = """
INSERT INTO station (station_id, epoch, connected, version)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bool[], $4::text[])
ON CONFLICT (station_id) DO UPDATE
SET epoch = excluded.epoch, connected = excluded.connected, version = excluded.version
"""
_FORGET = "UPDATE station SET epoch = -1, connected = false"


async def read(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Announcement]:
    """Return the newest connection of those stations that ever had one."""
    rows = await connection.fetch(_READ, list(station_ids))
    return {row["station_id"]: Announcement(*row.values()) for row in rows}


async def keep(connection: asyncpg.Connection, newest: Collection[Announcement]) -> None:
    """Write stations' newest connections."""
    if newest:
        rows = ((each.station_id, each.epoch, each.connected, each.version) for each in newest)
        await connection.execute(_KEEP, *columns(rows))


async def forget(connection: asyncpg.Connection) -> None:
    """Forget which connections are newest: epochs counted in the log of a Kafka cluster that is no more."""
    await connection.execute(_FORGET)

"""Queries about deviations: what reports add up to, lists and sums of it, and its end."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.deviations.domain import Deviation, DeviationKey, Deviations, Make
from chargebus_device.tables import DeviationRow

_ROWS: Final = Rows(DeviationRow, sources={"key": DeviationKey})
_GROUP: Final = "vendor, model, firmware_version, version, action, kind, refused"
# Pages follow each other in the order of this text; a control character parts its members, and none has one.
_PLACE: Final = "concat_ws(chr(31), action, kind, path, refused, vendor, model, firmware_version, version)"
_GROUP_PLACE: Final = f"concat_ws(chr(31), {_GROUP})"

_MAKES: Final = "SELECT station_id, vendor, model, firmware_version FROM station WHERE station_id = ANY($1)"
_LOAD: Final = f"SELECT {_ROWS.select()} FROM deviation WHERE station_id = ANY($1)"  # noqa: S608 (names of columns)
_KEEP: Final = _ROWS.upsert()
_FORGET: Final = "UPDATE deviation SET epoch = -1, counted = 0"
_EXPIRE: Final = """
WITH old AS (
    SELECT ctid FROM deviation WHERE last_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM deviation WHERE ctid IN (SELECT ctid FROM old) RETURNING 1
)
SELECT count(*) FROM gone
"""
_IS_REGISTERED: Final = "SELECT EXISTS (SELECT FROM station WHERE station_id = $1)"
_OF_STATION: Final = f"""
SELECT {_ROWS.select()}, {_PLACE} AS place FROM deviation
WHERE station_id = $1 AND {_PLACE} COLLATE "C" > $2 ORDER BY {_PLACE} COLLATE "C" LIMIT $3
"""  # noqa: S608 (names of columns)
_SUMS: Final = f"""
SELECT {_GROUP}, count(DISTINCT station_id) AS stations, sum(count)::bigint AS count, min(first_at) AS first_at,
       max(last_at) AS last_at, {_GROUP_PLACE} AS place
FROM deviation
WHERE ($1::text IS NULL OR vendor = $1) AND ($2::text IS NULL OR model = $2)
  AND ($3::text IS NULL OR firmware_version = $3) AND ($4::text IS NULL OR version = $4)
  AND ($5::text IS NULL OR action = $5) AND ($6::text IS NULL OR kind = $6) AND ($7::bool IS NULL OR refused = $7)
GROUP BY {_GROUP} HAVING {_GROUP_PLACE} COLLATE "C" > $8 ORDER BY {_GROUP_PLACE} COLLATE "C" LIMIT $9
"""  # noqa: S608 (names of columns)


class Filter(msgspec.Struct, frozen=True):
    """Which deviations to sum up; None does not filter."""

    vendor: str | None = None
    model: str | None = None
    firmware_version: str | None = None
    version: str | None = None
    action: str | None = None
    kind: str | None = None
    refused: bool | None = None


async def makes(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Make]:
    """Return the makes of the registered ones among stations."""
    rows = await connection.fetch(_MAKES, list(station_ids))
    return {row["station_id"]: Make(row["vendor"], row["model"], row["firmware_version"]) for row in rows}


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Deviations]:
    """Return all deviations of stations."""
    known: dict[str, Deviations] = {}
    for row in await connection.fetch(_LOAD, list(station_ids)):
        key = DeviationKey(*(row[name] for name in DeviationKey._fields))
        known.setdefault(row["station_id"], {})[key] = Deviation(
            row["station_id"],
            key,
            row["count"],
            row["first_at"],
            row["last_at"],
            row["detail"],
            row["epoch"],
            row["counted"],
        )
    return known


async def keep(connection: asyncpg.Connection, deviations: Iterable[Deviation]) -> None:
    """Keep deviations, each once, as they are now."""
    await connection.execute(_KEEP, *_ROWS.arguments(deviations))


async def forget(connection: asyncpg.Connection) -> None:
    """Drop which connections were counted: their epochs counted in the log of a Kafka cluster that is no more."""
    await connection.execute(_FORGET)


async def expire(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete up to `limit` deviations that nobody had since `before`; return how many."""
    return int(await connection.fetchval(_EXPIRE, before, limit))


async def is_registered(connection: asyncpg.Connection, station_id: str) -> bool:
    """Tell whether there is such a station."""
    return bool(await connection.fetchval(_IS_REGISTERED, station_id))


async def of_station(connection: asyncpg.Connection, station_id: str, after: str, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` deviations of a station, by action, from the one after the `place` named on."""
    rows: list[asyncpg.Record] = await connection.fetch(_OF_STATION, station_id, after, limit)
    return rows


async def sums(connection: asyncpg.Connection, wanted: Filter, after: str, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` sums over stations and places, by make, from the one after the `place` named on."""
    rows: list[asyncpg.Record] = await connection.fetch(_SUMS, *msgspec.structs.astuple(wanted), after, limit)
    return rows

"""Queries about deviations: what reports add up to, lists and sums of it, and its end."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.deviations.domain import Deviation, DeviationKey, Deviations, Make, Sum, SumKey, added
from chargebus_device.tables import DeviationRow, DeviationSumRow

_ROWS: Final = Rows(DeviationRow, sources={"key": DeviationKey})
_SUM_ROWS: Final = Rows(DeviationSumRow, sources={"key": SumKey})
# Pages follow each other in the order of this text; a control character parts its members, and none has one.
_PLACE: Final = "concat_ws(chr(31), action, kind, path, refused, vendor, model, firmware_version, version)"
_SUM_PLACE: Final = f"concat_ws(chr(31), {', '.join(SumKey._fields)})"

_MAKES: Final = "SELECT station_id, vendor, model, firmware_version FROM station WHERE station_id = ANY($1)"
_OF_STATIONS: Final = f"SELECT {_ROWS.select()} FROM deviation WHERE station_id = ANY($1)"  # noqa: S608 (names of columns)
# Held until they are written: what is deleted meanwhile would be counted as if it were still there.
_LOAD: Final = f"{_OF_STATIONS} ORDER BY station_id, {', '.join(DeviationKey._fields)} FOR UPDATE"
_KEEP: Final = _ROWS.upsert()
_FORGET: Final = "UPDATE deviation SET epoch = -1, counted = 0"
_EXPIRE: Final = f"""
WITH old AS (SELECT ctid FROM deviation WHERE last_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
DELETE FROM deviation WHERE ctid IN (SELECT ctid FROM old) RETURNING {_ROWS.select()}
"""  # noqa: S608 (names of columns)
_REMOVE: Final = f"DELETE FROM deviation WHERE station_id = $1 RETURNING {_ROWS.select()}"  # noqa: S608
_ADD: Final = f"""
{_SUM_ROWS.insert()} ON CONFLICT ({", ".join(SumKey._fields)}) DO UPDATE SET
    stations = deviation_sum.stations + excluded.stations, count = deviation_sum.count + excluded.count,
    first_at = LEAST(deviation_sum.first_at, excluded.first_at),
    last_at = GREATEST(deviation_sum.last_at, excluded.last_at)
"""
_CLEAR: Final = "DELETE FROM deviation_sum WHERE stations <= 0"
_SUM_KEY: Final = ", ".join(SumKey._fields)
_COUNTED: Final = f"""
SELECT {_SUM_KEY}, count(DISTINCT station_id) AS stations, sum(count)::bigint AS count, min(first_at) AS first_at,
       max(last_at) AS last_at FROM deviation GROUP BY {_SUM_KEY}
"""  # noqa: S608 (names of columns)
_ARE_WRONG: Final = f"""
SELECT EXISTS (
    SELECT FROM ({_COUNTED}) AS c FULL JOIN (SELECT * FROM deviation_sum WHERE stations > 0) AS s USING ({_SUM_KEY})
    WHERE (c.stations, c.count) IS DISTINCT FROM (s.stations, s.count)
)
"""  # noqa: S608 (names of columns)
# Who has written deviations and not yet their sums waits, and adds to what is counted here, which is without them.
_LOCK_SUMS: Final = "LOCK TABLE deviation_sum IN SHARE ROW EXCLUSIVE MODE"
_RECOUNT: Final = f"INSERT INTO deviation_sum ({', '.join(_SUM_ROWS.names)}) {_COUNTED}"
_IS_REGISTERED: Final = "SELECT EXISTS (SELECT FROM station WHERE station_id = $1)"
_OF_STATION: Final = f"""
SELECT {_ROWS.select()}, {_PLACE} AS place FROM deviation
WHERE station_id = $1 AND {_PLACE} COLLATE "C" > $2 ORDER BY {_PLACE} COLLATE "C" LIMIT $3
"""  # noqa: S608 (names of columns)
_SUMS: Final = f"""
SELECT {_SUM_ROWS.select()}, {_SUM_PLACE} AS place FROM deviation_sum
WHERE ($1::text IS NULL OR vendor = $1) AND ($2::text IS NULL OR model = $2)
  AND ($3::text IS NULL OR firmware_version = $3) AND ($4::text IS NULL OR version = $4)
  AND ($5::text IS NULL OR action = $5) AND ($6::text IS NULL OR kind = $6) AND ($7::bool IS NULL OR refused = $7)
  AND stations > 0 AND {_SUM_PLACE} COLLATE "C" > $8
ORDER BY {_SUM_PLACE} COLLATE "C" LIMIT $9
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
    """Return all deviations of stations, and hold their rows."""
    known: dict[str, Deviations] = {}
    for row in await connection.fetch(_LOAD, list(station_ids)):
        each = _deviation(row)
        known.setdefault(each.station_id, {})[each.key] = each
    return known


async def keep(connection: asyncpg.Connection, deviations: Iterable[Deviation], sums: Collection[Sum]) -> None:
    """Keep deviations, each once, as they are now, and what they add to the sums."""
    await connection.execute(_KEEP, *_ROWS.arguments(deviations))
    await _add(connection, sums)


async def remove(connection: asyncpg.Connection, station_id: str) -> None:
    """Delete a station's deviations."""
    gone = [_deviation(row) for row in await connection.fetch(_REMOVE, station_id)]
    await _add(connection, added(gone, ()))


async def forget(connection: asyncpg.Connection) -> None:
    """Drop which connections were counted: their epochs counted in the log of a Kafka cluster that is no more."""
    await connection.execute(_FORGET)


async def expire(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete up to `limit` deviations that nobody had since `before`; return how many."""
    gone = [_deviation(row) for row in await connection.fetch(_EXPIRE, before, limit)]
    rows = await connection.fetch(_OF_STATIONS, list({each.station_id for each in gone}))
    staying = [_deviation(row) for row in rows]
    await _add(connection, added((*gone, *staying), staying))
    await connection.execute(_CLEAR)
    return len(gone)


async def recount(connection: asyncpg.Connection) -> bool:
    """Put the sums right if they are not those of the deviations; tell whether they were not."""
    if not await connection.fetchval(_ARE_WRONG):
        return False
    await connection.execute(_LOCK_SUMS)
    await connection.execute("DELETE FROM deviation_sum")
    await connection.execute(_RECOUNT)
    return True


async def _add(connection: asyncpg.Connection, sums: Collection[Sum]) -> None:
    if sums:
        await connection.execute(_ADD, *_SUM_ROWS.arguments(sums))


def _deviation(row: asyncpg.Record) -> Deviation:
    key = DeviationKey(*(row[name] for name in DeviationKey._fields))
    rest = (row[name] for name in ("count", "first_at", "last_at", "detail", "epoch", "counted"))
    return Deviation(row["station_id"], key, *rest)


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

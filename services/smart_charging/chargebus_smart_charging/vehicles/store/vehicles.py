"""Vehicles at EVSEs, read and written in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.vehicles.domain.learning import Allowed
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle
from chargebus_smart_charging.vehicles.store.tables import AllowedRow, VehicleRow

_ROWS: Final = Rows(VehicleRow)
_ALLOWED: Final = Rows(AllowedRow)
_SAME: Final = "USING (station_id, evse_id)"
_ASKED: Final = "unnest($1::text[], $2::bigint[]) AS asked (station_id, evse_id)"
_LOCK: Final = f"""
SELECT v.known FROM {_ASKED} JOIN vehicle AS v {_SAME} ORDER BY v.station_id, v.evse_id FOR NO KEY UPDATE OF v
"""  # noqa: S608 - what is put in stands above
_LOAD: Final = f"SELECT v.known FROM {_ASKED} JOIN vehicle AS v {_SAME}"  # noqa: S608
_LIMITS: Final = f"SELECT {_ALLOWED.select('a')} FROM {_ASKED} JOIN evse_allowed AS a {_SAME}"  # noqa: S608
_KEEP: Final = _ROWS.upsert()
_ALLOW: Final = f"""
{_ALLOWED.upsert()} WHERE evse_allowed.limit_a <> excluded.limit_a
"""
_OF_SESSION: Final = "SELECT known FROM vehicle WHERE session_id = $1"
_LOCK_SESSION: Final = "SELECT known FROM vehicle WHERE session_id = $1 FOR NO KEY UPDATE"
_OF_TRANSACTIONS: Final = """
SELECT v.station_id, v.transaction_id, v.evse_id
FROM unnest($1::text[], $2::text[]) AS asked (station_id, transaction_id)
JOIN vehicle AS v USING (station_id, transaction_id) WHERE v.transaction_id <> ''
"""
_STALE: Final = """
SELECT station_id, evse_id FROM vehicle WHERE heard_at < $1 ORDER BY heard_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_FORGET: Final = (
    f"DELETE FROM vehicle AS v USING {_ASKED} WHERE (v.station_id, v.evse_id) = (asked.station_id, asked.evse_id)"  # noqa: S608
)
_DISALLOW: Final = (
    f"DELETE FROM evse_allowed AS v USING {_ASKED} WHERE (v.station_id, v.evse_id) = (asked.station_id, asked.evse_id)"  # noqa: S608
)

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Vehicle).decode


class _Row(msgspec.Struct, frozen=True):
    """A vehicle as it is kept."""

    station_id: str
    evse_id: int
    session_id: str
    transaction_id: str
    heard_at: datetime
    known: bytes


class _AllowedAt(msgspec.Struct, frozen=True):
    station_id: str
    evse_id: int
    limit_a: float
    since: datetime


async def lock(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, Vehicle]:
    """Return what is known at EVSEs, locked until the transaction ends."""
    return _by_key(await connection.fetch(_LOCK, *_columns(keys)))


async def load(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, Vehicle]:
    """Return what is known at EVSEs."""
    return _by_key(await connection.fetch(_LOAD, *_columns(keys)))


async def keep(connection: asyncpg.Connection, vehicles: Iterable[Vehicle], heard_at: datetime) -> None:
    """Keep what is known at EVSEs."""
    rows = [_row(vehicle, heard_at) for vehicle in vehicles]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def limits(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, Allowed]:
    """Return the limits that EVSEs hold, where that is known."""
    rows = await connection.fetch(_LIMITS, *_columns(keys))
    return {(row["station_id"], row["evse_id"]): Allowed(row["limit_a"], row["since"]) for row in rows}


async def allow(connection: asyncpg.Connection, held: Mapping[EvseKey, float | None], now: datetime) -> None:
    """Note which limits EVSEs hold, None where nobody knows; one that is noted already keeps its time."""
    rows = [_AllowedAt(*key, limit_a, now) for key, limit_a in sorted(held.items()) if limit_a is not None]
    if rows:
        await connection.execute(_ALLOW, *_ALLOWED.arguments(rows))
    unknown = sorted(key for key, limit_a in held.items() if limit_a is None)
    if unknown:
        await connection.execute(_DISALLOW, *_columns(unknown))


async def of_session(connection: asyncpg.Connection, session_id: str) -> Vehicle | None:
    """Return the vehicle of a session."""
    known = await connection.fetchval(_OF_SESSION, session_id)
    return None if known is None else _decode(known)


async def lock_session(connection: asyncpg.Connection, session_id: str) -> Vehicle | None:
    """Return the vehicle of a session, locked until the transaction ends."""
    known = await connection.fetchval(_LOCK_SESSION, session_id)
    return None if known is None else _decode(known)


async def of_transactions(
    connection: asyncpg.Connection, transactions: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return at which EVSE transactions are, each told by its station and its id there."""
    if not transactions:
        return {}
    stations, names = zip(*transactions, strict=True)
    rows = await connection.fetch(_OF_TRANSACTIONS, list(stations), list(names))
    return {(row["station_id"], row["transaction_id"]): row["evse_id"] for row in rows}


async def take_stale(connection: asyncpg.Connection, before: datetime, limit: int) -> Sequence[EvseKey]:
    """Return up to `limit` EVSEs of which nothing was heard since then, locked; what others hold is passed over."""
    return [(row["station_id"], row["evse_id"]) for row in await connection.fetch(_STALE, before, limit)]


async def forget(connection: asyncpg.Connection, keys: Sequence[EvseKey]) -> None:
    """Drop what is known at EVSEs."""
    await connection.execute(_FORGET, *_columns(keys))
    await connection.execute(_DISALLOW, *_columns(keys))


def _by_key(rows: Iterable[asyncpg.Record]) -> dict[EvseKey, Vehicle]:
    vehicles = [_decode(row["known"]) for row in rows]
    return {vehicle.key: vehicle for vehicle in vehicles}


def _row(vehicle: Vehicle, heard_at: datetime) -> _Row:
    session = vehicle.session
    names = ("", "") if session is None else (session.session_id, session.transaction_id)
    return _Row(vehicle.station_id, vehicle.evse_id, *names, heard_at, _encode(vehicle))


def _columns(keys: Collection[EvseKey]) -> tuple[list[str], list[int]]:
    return [station_id for station_id, _ in keys], [evse_id for _, evse_id in keys]

"""Stations, read and written in sets."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.stations import Station
from chargebus_smart_charging.steering.store.tables import ConnectorStateRow, SteeredStationRow

_ROWS: Final = Rows(SteeredStationRow)
_STATES: Final = Rows(ConnectorStateRow)
_LOAD: Final = "SELECT station_id, known FROM steered_station WHERE station_id = ANY($1)"
_LOCK: Final = f"{_LOAD} ORDER BY station_id FOR NO KEY UPDATE"
_KEEP: Final = _ROWS.upsert()
_KEEP_STATES: Final = f"{_STATES.upsert()} WHERE connector_state.at <= excluded.at"
_FREE: Final = """
SELECT station_id, evse_id, max(at) AS at FROM connector_state WHERE station_id = ANY($1)
GROUP BY station_id, evse_id HAVING bool_and(available)
"""
_STALE: Final = """
SELECT station_id FROM steered_station WHERE heard_at < $1 ORDER BY heard_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_FORGET: Final = tuple(
    f"DELETE FROM {table} WHERE station_id = ANY($1)"  # noqa: S608 - names of tables
    for table in (
        "steered_station",
        "steered_evse",
        "order_answer",
        "pulled_limit",
        "connector_state",
        "reported_profile",
    )
)

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Station).decode


class ConnectorState(msgspec.Struct, frozen=True):
    """Whether a connector was free, when its station said so."""

    station_id: str
    evse_id: int
    connector_id: int
    available: bool
    at: datetime


class _Row(msgspec.Struct, frozen=True):
    station_id: str
    vendor: str
    model: str
    firmware_version: str
    heard_at: datetime
    known: bytes


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what is known of stations."""
    rows = await connection.fetch(_LOAD, list(station_ids))
    return {row["station_id"]: _decode(row["known"]) for row in rows}


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what is known of stations, locked until the transaction ends."""
    rows = await connection.fetch(_LOCK, sorted(station_ids))
    return {row["station_id"]: _decode(row["known"]) for row in rows}


async def keep(connection: asyncpg.Connection, stations: Iterable[Station], now: datetime) -> None:
    """Keep what is known of stations."""
    rows = [_Row(each.station_id, *each.kind, now, _encode(each)) for each in stations]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def keep_states(connection: asyncpg.Connection, states: Iterable[ConnectorState]) -> None:
    """Keep whether connectors are free; of each the newest, whatever comes late."""
    newest: dict[tuple[str, int, int], ConnectorState] = {}
    for state in states:
        key = (state.station_id, state.evse_id, state.connector_id)
        if key not in newest or state.at >= newest[key].at:
            newest[key] = state
    if newest:
        await connection.execute(_KEEP_STATES, *_STATES.arguments(newest.values()))


async def free(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[EvseKey, datetime]:
    """Return since when EVSEs of stations are free: none of their connectors is in use."""
    rows = await connection.fetch(_FREE, list(station_ids))
    return {(row["station_id"], row["evse_id"]): row["at"] for row in rows}


async def take_stale(connection: asyncpg.Connection, before: datetime, limit: int) -> list[str]:
    """Return up to `limit` stations of which nothing was heard since then, locked; what others hold is passed over."""
    return [row["station_id"] for row in await connection.fetch(_STALE, before, limit)]


async def forget(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Drop all that is known of stations."""
    for statement in _FORGET:
        await connection.execute(statement, list(station_ids))

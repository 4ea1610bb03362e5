"""Stations, read and written in sets: `known` is all of a `Station`, the other columns are to be searched by."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
import sqlalchemy as sa
from chargebus_commanding import InBatch, Transaction
from chargebus_runtime.rows import Rows
from sqlalchemy.dialects.postgresql import JSON
from sqlmodel import Field

from chargebus_firmware.stations.domain import Description, Make, Station
from chargebus_firmware.tables import BIG, ID, TIME, Tables


class StationRow(Tables, table=True):
    """A station, of which anything was heard in the topics."""

    __tablename__ = "station"
    __table_args__ = (
        sa.Index(
            "station_ready",
            "station_id",
            postgresql_where=sa.text("online AND open_sessions = 0 AND NOT removed"),
        ),
    )

    station_id: str = Field(primary_key=True, sa_type=ID)
    vendor: str = Field(sa_type=ID)
    model: str = Field(sa_type=ID)
    serial_number: str = Field(sa_type=ID)
    firmware_version: str = Field(sa_type=ID)
    ocpp_version: str = Field(sa_type=ID)
    labels: Any = Field(sa_type=JSON)
    time_zone: str = Field(sa_type=ID)
    removed: bool
    online: bool
    faulted: bool
    open_sessions: int = Field(sa_type=BIG)
    booted_at: datetime | None = Field(sa_type=TIME)
    last_ended_at: datetime | None = Field(sa_type=TIME)
    heard_at: datetime = Field(sa_type=TIME, index=True)
    known: bytes


class _Row(msgspec.Struct, frozen=True):
    station: Station
    make: Make
    described: Description
    heard_at: datetime
    known: bytes
    faulted: bool
    open_sessions: int


_ROWS: Final = Rows(StationRow, sources={"station": Station, "make": Make, "described": Description})
_FIND: Final = "SELECT known FROM station WHERE station_id = ANY($1)"
_LOCK: Final = f"{_FIND} ORDER BY station_id FOR NO KEY UPDATE"
_HOLD: Final = "SELECT 1 FROM station WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE"
_KEEP: Final = _ROWS.upsert()
_PAGE: Final = "SELECT known FROM station WHERE station_id > $1 AND NOT removed ORDER BY station_id LIMIT $2"
_UNHEARD: Final = "SELECT station_id FROM station WHERE heard_at < $1 ORDER BY heard_at LIMIT $2 FOR UPDATE SKIP LOCKED"
_FORGET: Final = "DELETE FROM station WHERE station_id = ANY($1)"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Station).decode


async def find(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what is known of stations; those of which nothing is, are left out."""
    return _stations(await connection.fetch(_FIND, list(station_ids)))


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what is known of stations, locked until the transaction ends."""
    return _stations(await connection.fetch(_LOCK, sorted(station_ids)))


async def hold(tx: Transaction, station_ids: Collection[str]) -> None:
    """Lock the rows of stations until the transaction ends; in a batch, of all stations that it is about.

    Whoever locks what belongs to stations (updates, publications, their places in campaigns) holds their rows before,
    in the order of their ids: then nobody waits for another in a circle. Who holds commands that were asked for takes
    these before.
    """
    about = {record.key for record in tx.batch.records} if isinstance(tx, InBatch) else station_ids
    await tx.connection.execute(_HOLD, sorted(about))


async def keep(connection: asyncpg.Connection, stations: Iterable[Station], now: datetime) -> None:
    """Keep what is known of stations."""
    rows = [
        _Row(each, each.make, each.described, now, _encode(each), each.faulted, each.open_sessions) for each in stations
    ]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def page(connection: asyncpg.Connection, after: str, limit: int) -> list[Station]:
    """Return up to `limit` stations that are not removed, in the order of their ids."""
    return list(_stations(await connection.fetch(_PAGE, after, limit)).values())


async def take_unheard(connection: asyncpg.Connection, since: datetime, limit: int) -> list[str]:
    """Return up to `limit` stations that were not heard since then, locked; those that others hold are passed over."""
    return [row["station_id"] for row in await connection.fetch(_UNHEARD, since, limit)]


async def forget(connection: asyncpg.Connection, station_ids: Sequence[str]) -> None:
    """Drop stations."""
    await connection.execute(_FORGET, list(station_ids))


def _stations(rows: Sequence[asyncpg.Record]) -> dict[str, Station]:
    found = [_decode(row["known"]) for row in rows]
    return {station.station_id: station for station in found}

"""Updates, read and written in sets: `known` is all of an `Update`, the other columns are to be searched by."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from chargebus_runtime.rows import Rows
from sqlmodel import Field

from chargebus_firmware.keys import Key, done_before
from chargebus_firmware.tables import BIG, ID, TIME, Tables
from chargebus_firmware.updates.domain.timing import Patience, look_at
from chargebus_firmware.updates.domain.update import Update


class UpdateRow(Tables, table=True):
    """An update; a station has one that is open at most."""

    __tablename__ = "firmware_update"
    __table_args__ = (
        sa.Index("firmware_update_open", "station_id", unique=True, postgresql_where=sa.text("is_open")),
        sa.Index("firmware_update_due", "look_at", postgresql_where=sa.text("look_at IS NOT NULL")),
        sa.Index("firmware_update_station", "station_id", "request_id"),
        sa.Index(
            "firmware_update_campaign", "campaign_id", "request_id", postgresql_where=sa.text("campaign_id <> ''")
        ),
        sa.Index(
            "firmware_update_key",
            "idempotency_key",
            unique=True,
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        ),
    )

    request_id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    update_id: UUID = Field(unique=True)
    station_id: str = Field(sa_type=ID)
    campaign_id: str = Field(sa_type=ID)
    state: str = Field(sa_type=ID)
    is_open: bool
    created_at: datetime = Field(sa_type=TIME, index=True)
    look_at: datetime | None = Field(sa_type=TIME)
    idempotency_key: str | None
    fingerprint: str
    known: bytes


class Filter(msgspec.Struct, frozen=True):
    """Which updates are listed; empty: all."""

    station_id: str = ""
    campaign_id: str = ""
    state: str = ""


class _Row(msgspec.Struct, frozen=True):
    update: Update
    state: str
    is_open: bool
    look_at: datetime | None
    known: bytes
    idempotency_key: str | None = None
    fingerprint: str = ""


_ROWS: Final = Rows(UpdateRow, sources={"update": Update})
_CHANGED: Final = Rows(
    UpdateRow, only=("request_id", "state", "is_open", "look_at", "known"), sources={"update": Update}
)
_SELECT: Final = "SELECT known FROM firmware_update "
_NEXT: Final = "SELECT nextval('firmware_request_id') FROM generate_series(1, $1)"
_ADD: Final = _ROWS.insert()
_KEEP: Final = _CHANGED.update()
_LOCK: Final = f"{_SELECT} WHERE update_id = ANY($1) ORDER BY request_id FOR NO KEY UPDATE"
_FIND: Final = f"{_SELECT} WHERE update_id = ANY($1)"
_LOCK_NEWEST: Final = f"""{_SELECT} WHERE request_id IN (
    SELECT n.request_id FROM unnest($1::text[]) AS s (station_id) CROSS JOIN LATERAL (
        SELECT request_id FROM firmware_update WHERE station_id = s.station_id ORDER BY request_id DESC LIMIT 1
    ) AS n
) ORDER BY request_id FOR NO KEY UPDATE
"""  # noqa: S608 (text from above)
_DUE: Final = f"{_SELECT} WHERE look_at <= $1 ORDER BY look_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
# Also what is due: who looks at it may have seen its station away, and is about to put it off.
_WAKE: Final = """
UPDATE firmware_update SET look_at = least(look_at, $2)
WHERE station_id = ANY($1) AND is_open AND state = 'waiting'
"""
_BY_KEY: Final = "SELECT known, fingerprint FROM firmware_update WHERE idempotency_key = $1"
_PAGE: Final = f"""{_SELECT} WHERE ($1::bigint IS NULL OR request_id < $1) AND ($2 = '' OR station_id = $2)
AND ($3 = '' OR campaign_id = $3) AND ($4 = '' OR state = $4) ORDER BY request_id DESC LIMIT $5
"""
_OF_CAMPAIGN: Final = f"{_SELECT} WHERE campaign_id = $1 AND campaign_id <> '' ORDER BY request_id"
_OPEN: Final = "SELECT station_id, update_id FROM firmware_update WHERE station_id = ANY($1) AND is_open"
_BY_STATE: Final = "SELECT state, count(*) AS count FROM firmware_update WHERE is_open GROUP BY state"
_ALL_OPEN: Final = f"{_SELECT} WHERE is_open ORDER BY request_id"
_PRUNE: Final = """
DELETE FROM firmware_update WHERE request_id IN (
    SELECT request_id FROM firmware_update WHERE created_at < $1 AND NOT is_open ORDER BY created_at LIMIT $2
)
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Update).decode


async def next_ids(connection: asyncpg.Connection, count: int) -> list[int]:
    """Return request ids that nobody has."""
    return [row["nextval"] for row in await connection.fetch(_NEXT, count)]


async def add(connection: asyncpg.Connection, updates: Sequence[Update], patience: Patience, key: Key) -> None:
    """Write new updates; a key is for one."""
    rows = [_row(update, patience, key) for update in updates]
    if rows:
        await connection.execute(_ADD, *_ROWS.arguments(rows))


async def keep(connection: asyncpg.Connection, updates: Iterable[Update], patience: Patience) -> None:
    """Keep what is known of updates that are locked."""
    rows = [_row(update, patience, Key()) for update in updates]
    if rows:
        await connection.execute(_KEEP, *_CHANGED.arguments(rows))


async def lock(connection: asyncpg.Connection, update_ids: Iterable[UUID]) -> dict[UUID, Update]:
    """Return updates, locked until the transaction ends."""
    return {update.update_id: update for update in _updates(await connection.fetch(_LOCK, list(update_ids)))}


async def lock_newest(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Update]:
    """Return the newest update of each station, locked: the others are over, and nothing that is told changes them.

    Who opens updates holds the stations' rows; so does who calls this, so that the newest is the newest.
    """
    found = _updates(await connection.fetch(_LOCK_NEWEST, list(station_ids)))
    return {update.station_id: update for update in found}


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Update]:
    """Return up to `limit` updates about which something is to be done, locked; those others hold are passed over."""
    return _updates(await connection.fetch(_DUE, now, limit))


async def wake(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> None:
    """Have the updates looked at that wait for their stations."""
    if station_ids:
        await connection.execute(_WAKE, sorted(station_ids), now)


async def find(connection: asyncpg.Connection, update_ids: Collection[UUID]) -> dict[UUID, Update]:
    """Return updates."""
    return {update.update_id: update for update in _updates(await connection.fetch(_FIND, list(update_ids)))}


async def by_key(connection: asyncpg.Connection, key: Key) -> Update | None:
    """Return the update that was asked for under a key.

    Raises:
        KeyUsedError: something else was.
    """
    row = await done_before(connection, _BY_KEY, key)
    return None if row is None else _decode(row["known"])


async def by_state(connection: asyncpg.Connection) -> dict[str, int]:
    """Count the updates that are not over, by state."""
    return {row["state"]: row["count"] for row in await connection.fetch(_BY_STATE)}


async def page(connection: asyncpg.Connection, wanted: Filter, before: int | None, limit: int) -> list[Update]:
    """Return up to `limit` updates, the newest first."""
    return _updates(await connection.fetch(_PAGE, before, wanted.station_id, wanted.campaign_id, wanted.state, limit))


async def of_campaign(connection: asyncpg.Connection, campaign_id: str) -> list[Update]:
    """Return all updates of a campaign, in the order in which they were begun."""
    return _updates(await connection.fetch(_OF_CAMPAIGN, campaign_id))


async def open_of(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, UUID]:
    """Return the open updates of stations."""
    return {row["station_id"]: row["update_id"] for row in await connection.fetch(_OPEN, list(station_ids))}


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Drop up to `limit` updates that are over, of before then; return how many."""
    return int((await connection.execute(_PRUNE, before, limit)).split()[-1])


async def all_open(connection: asyncpg.Connection) -> list[Update]:
    """Return the updates that are not over."""
    return _updates(await connection.fetch(_ALL_OPEN))


def _row(update: Update, patience: Patience, key: Key) -> _Row:
    return _Row(
        update,
        update.state,
        update.is_open,
        look_at(update, patience),
        _encode(update),
        key.idempotency_key,
        key.fingerprint,
    )


def _updates(rows: Sequence[asyncpg.Record]) -> list[Update]:
    return [_decode(row["known"]) for row in rows]

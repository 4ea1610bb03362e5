"""Publications, read and written in sets: `known` is all of a `Publication`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from chargebus_commanding import Transaction
from chargebus_runtime.rows import Rows
from sqlmodel import Field

from chargebus_firmware.keys import Key, done_before
from chargebus_firmware.links import store as links
from chargebus_firmware.links.domain.ends import done_with
from chargebus_firmware.publications.domain import PUBLICATION, Publication, look_at
from chargebus_firmware.publications.payload import news
from chargebus_firmware.tables import BIG, ID, TIME, Tables


class PublicationRow(Tables, table=True):
    """A publication; a controller is at one at most, and has a file once."""

    __tablename__ = "firmware_publication"
    __table_args__ = (
        sa.Index("firmware_publication_under_way", "station_id", unique=True, postgresql_where=sa.text("is_under_way")),
        sa.Index(
            "firmware_publication_there", "station_id", "checksum", unique=True, postgresql_where=sa.text("is_there")
        ),
        sa.Index("firmware_publication_due", "look_at", postgresql_where=sa.text("look_at IS NOT NULL")),
        sa.Index(
            "firmware_publication_key",
            "idempotency_key",
            unique=True,
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        ),
    )

    request_id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    publication_id: UUID = Field(unique=True)
    station_id: str = Field(sa_type=ID, index=True)
    checksum: str = Field(sa_type=ID)
    state: str = Field(sa_type=ID)
    is_under_way: bool
    is_there: bool
    look_at: datetime | None = Field(sa_type=TIME)
    created_at: datetime = Field(sa_type=TIME, index=True)
    idempotency_key: str | None
    fingerprint: str
    known: bytes


class _Row(msgspec.Struct, frozen=True):
    publication: Publication
    is_under_way: bool
    is_there: bool
    look_at: datetime | None
    known: bytes
    idempotency_key: str | None = None
    fingerprint: str = ""


_ROWS: Final = Rows(PublicationRow, sources={"publication": Publication})
_CHANGED: Final = Rows(
    PublicationRow,
    only=("request_id", "state", "is_under_way", "is_there", "look_at", "known"),
    sources={"publication": Publication},
)
_SELECT: Final = "SELECT known FROM firmware_publication "
_NEXT: Final = "SELECT nextval('firmware_request_id')"
_ADD: Final = _ROWS.insert()
_KEEP: Final = _CHANGED.update()
_BY_KEY: Final = "SELECT known, fingerprint FROM firmware_publication WHERE idempotency_key = $1"
_UNDER_WAY: Final = f"{_SELECT} WHERE is_under_way"
_PRUNE: Final = """
DELETE FROM firmware_publication WHERE request_id IN (
    SELECT request_id FROM firmware_publication WHERE created_at < $1 AND NOT is_there ORDER BY created_at LIMIT $2
)
"""
_LOCK: Final = f"{_SELECT} WHERE publication_id = ANY($1) ORDER BY request_id FOR NO KEY UPDATE"
_LOCK_OPEN: Final = f"""{_SELECT} WHERE station_id = $1 AND (is_under_way OR (is_there AND checksum = $2))
ORDER BY request_id FOR NO KEY UPDATE
"""
_LOCK_NEWEST: Final = f"""{_SELECT} WHERE request_id IN (
    SELECT n.request_id FROM unnest($1::text[]) AS s (station_id) CROSS JOIN LATERAL (
        SELECT request_id FROM firmware_publication WHERE station_id = s.station_id ORDER BY request_id DESC LIMIT 1
    ) AS n
) ORDER BY request_id FOR NO KEY UPDATE
"""  # noqa: S608 (text from above)
_DUE: Final = f"{_SELECT} WHERE look_at <= $1 ORDER BY look_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
_FIND: Final = f"{_SELECT} WHERE publication_id = $1"
_PAGE: Final = f"""{_SELECT} WHERE ($1::bigint IS NULL OR request_id < $1) AND ($2 = '' OR station_id = $2)
ORDER BY request_id DESC LIMIT $3
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Publication).decode


async def next_id(connection: asyncpg.Connection) -> int:
    """Return a request id that nobody has."""
    found: int = await connection.fetchval(_NEXT)
    return found


async def add(tx: Transaction, publication: Publication, silent_s: float, key: Key) -> None:
    """Write a new publication, and send the news of it."""
    row = _row(publication, silent_s, key)
    await tx.connection.execute(_ADD, *_ROWS.arguments([row]))
    _tell(tx, None, publication)


async def change(
    tx: Transaction, before: Mapping[UUID, Publication], after: Iterable[Publication], silent_s: float
) -> None:
    """Keep publications that are locked, and send what is news of them; with one its link ends."""
    changed = list(after)
    if changed:
        rows = [_row(publication, silent_s, Key()) for publication in changed]
        await tx.connection.execute(_KEEP, *_CHANGED.arguments(rows))
    for publication in changed:
        _tell(tx, before[publication.publication_id], publication)
    ended = done_with((before[publication.publication_id], publication) for publication in changed)
    await links.end_of(tx.connection, ended, PUBLICATION, tx.now)


async def by_key(connection: asyncpg.Connection, key: Key) -> Publication | None:
    """Return the publication that was asked for under a key.

    Raises:
        KeyUsedError: something else was.
    """
    row = await done_before(connection, _BY_KEY, key)
    return None if row is None else _decode(row["known"])


async def under_way(connection: asyncpg.Connection) -> list[Publication]:
    """Return the publications of which it is not known yet whether they will be published."""
    return _all(await connection.fetch(_UNDER_WAY))


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> None:
    """Drop up to `limit` publications that are over, of before then."""
    await connection.execute(_PRUNE, before, limit)


async def lock(connection: asyncpg.Connection, publication_ids: Collection[UUID]) -> dict[UUID, Publication]:
    """Return publications, locked until the transaction ends."""
    return {each.publication_id: each for each in _all(await connection.fetch(_LOCK, list(publication_ids)))}


async def lock_open(connection: asyncpg.Connection, station_id: str, checksum: str) -> list[Publication]:
    """Return what is in the way of publishing a file by a controller, locked."""
    return _all(await connection.fetch(_LOCK_OPEN, station_id, checksum))


async def lock_newest(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Publication]:
    """Return the newest publication of each controller, locked."""
    return {each.station_id: each for each in _all(await connection.fetch(_LOCK_NEWEST, list(station_ids)))}


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Publication]:
    """Return up to `limit` publications about which something is to be done, locked; held ones are passed over."""
    return _all(await connection.fetch(_DUE, now, limit))


async def find(connection: asyncpg.Connection, publication_id: UUID) -> Publication | None:
    """Return a publication."""
    row = await connection.fetchrow(_FIND, publication_id)
    return None if row is None else _decode(row["known"])


async def page(connection: asyncpg.Connection, station_id: str, before: int | None, limit: int) -> list[Publication]:
    """Return up to `limit` publications, the newest first; an empty station is any."""
    return _all(await connection.fetch(_PAGE, before, station_id, limit))


def _row(publication: Publication, silent_s: float, key: Key) -> _Row:
    return _Row(
        publication,
        publication.is_under_way,
        publication.is_there,
        look_at(publication, silent_s),
        _encode(publication),
        key.idempotency_key,
        key.fingerprint,
    )


def _tell(tx: Transaction, before: Publication | None, publication: Publication) -> None:
    told = news(before, publication, tx.now)
    if told is not None:
        tx.send(told)


def _all(rows: Sequence[asyncpg.Record]) -> list[Publication]:
    return [_decode(row["known"]) for row in rows]

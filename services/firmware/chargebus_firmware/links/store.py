"""The table of links; each column is declared here, and nowhere else."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import asyncpg
import sqlalchemy as sa
from chargebus_runtime.rows import Rows
from sqlmodel import Field

from chargebus_firmware.links.domain.link import Link
from chargebus_firmware.tables import ID, TIME, Tables


class LinkRow(Tables, table=True):
    """A link; of its token only the hash."""

    __tablename__ = "link"
    __table_args__ = (sa.Index("link_station", "station_id", "purpose"),)

    token_hash: bytes = Field(primary_key=True, sa_type=sa.LargeBinary)
    station_id: str = Field(sa_type=ID)
    purpose: str
    target_id: str = Field(sa_type=ID)
    name: str
    made_at: datetime = Field(sa_type=TIME)
    ends_at: datetime = Field(sa_type=TIME, index=True)


_ROWS: Final = Rows(LinkRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM link "  # noqa: S608 - names of columns, not what anybody says
_INSERT: Final = _ROWS.insert()
_FIND: Final = _SELECT + "WHERE token_hash = $1"
_END: Final = """
UPDATE link SET ends_at = $3 WHERE station_id = ANY($1) AND purpose = $2 AND ends_at > $3
"""
_END_OF: Final = """
UPDATE link SET ends_at = $4 FROM unnest($1::text[], $2::text[]) AS ended (station_id, target_id)
WHERE link.station_id = ended.station_id AND link.purpose = $3 AND link.target_id = ended.target_id AND ends_at > $4
"""
_FORGET: Final = """
DELETE FROM link WHERE token_hash IN (
    SELECT token_hash FROM link WHERE ends_at < $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def add(connection: asyncpg.Connection, link: Link) -> None:
    """Add a link."""
    await connection.execute(_INSERT, *_ROWS.arguments([link]))


async def find(connection: asyncpg.Connection, token_hash: bytes) -> Link | None:
    """Return a link."""
    row = await connection.fetchrow(_FIND, token_hash)
    return None if row is None else Link(**row)


async def end(connection: asyncpg.Connection, station_ids: Collection[str], purpose: str, at: datetime) -> None:
    """End the links of stations for a purpose before their time."""
    await connection.execute(_END, list(station_ids), purpose, at)


async def end_of(
    connection: asyncpg.Connection, targets: Collection[tuple[str, str]], purpose: str, at: datetime
) -> None:
    """End the links of stations to what is named with each, for a purpose, before their time."""
    if targets:
        station_ids, target_ids = zip(*sorted(targets), strict=True)
        await connection.execute(_END_OF, station_ids, target_ids, purpose, at)


async def forget(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Drop links that ended before then; return how many."""
    return int((await connection.execute(_FORGET, before, limit)).split()[-1])

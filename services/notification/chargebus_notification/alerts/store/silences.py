"""Silences, read and written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.alerts.domain.silence import Silence, Weekly
from chargebus_notification.alerts.store.tables import SilenceRow

_ROWS: Final = Rows(SilenceRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM silence "  # noqa: S608 - names of columns
_CURRENT: Final = _SELECT + "WHERE ends_at > $1 AND starts_at <= $1 ORDER BY silence_id"
_PAGE: Final = _SELECT + "WHERE silence_id > $1 ORDER BY silence_id LIMIT $2"
_FIND: Final = _SELECT + "WHERE silence_id = $1"
_ADD: Final = _ROWS.insert()
_REMOVE: Final = "DELETE FROM silence WHERE silence_id = $1 RETURNING silence_id"
_FORGET: Final = "DELETE FROM silence WHERE ends_at < $1"

_weekly: Final = msgspec.json.Decoder(Weekly).decode


async def current(connection: asyncpg.Connection, now: datetime) -> Sequence[Silence]:
    """Return the silences that have begun and are not over, whether their window is open or not."""
    return [_silence(row) for row in await connection.fetch(_CURRENT, now)]


async def page(connection: asyncpg.Connection, after: str, limit: int) -> list[Silence]:
    """Return up to `limit` silences in the order of their ids."""
    return [_silence(row) for row in await connection.fetch(_PAGE, after, limit)]


async def find(connection: asyncpg.Connection, silence_id: str) -> Silence | None:
    """Return a silence."""
    row = await connection.fetchrow(_FIND, silence_id)
    return None if row is None else _silence(row)


async def add(connection: asyncpg.Connection, silence: Silence) -> None:
    """Add a silence."""
    await connection.execute(_ADD, *_ROWS.arguments([silence]))


async def remove(connection: asyncpg.Connection, silence_id: str) -> bool:
    """Drop a silence; tell whether there was one."""
    return await connection.fetchval(_REMOVE, silence_id) is not None


async def forget(connection: asyncpg.Connection, before: datetime) -> None:
    """Drop silences that have been over since then."""
    await connection.execute(_FORGET, before)


def _silence(row: asyncpg.Record) -> Silence:
    values = {name: row[name] for name in _ROWS.names}
    values["labels"] = msgspec.json.decode(row["labels"])
    values["weekly"] = None if row["weekly"] is None else _weekly(row["weekly"])
    return Silence(**values)

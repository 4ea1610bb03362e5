"""Queries about remote starts."""

from collections.abc import Iterable
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_session.remote.domain import RemoteStart
from chargebus_session.tables import RemoteStartRow

_ROWS: Final = Rows(RemoteStartRow)
_NEXT: Final = "SELECT nextval('remote_start_id')"
_ADD: Final = _ROWS.insert()
_FAIL: Final = "UPDATE remote_start SET pending = false WHERE remote_start_id = ANY($1::bigint[])"


async def next_id(connection: asyncpg.Connection) -> int:
    """Return a remote start id that nobody has."""
    found: int = await connection.fetchval(_NEXT)
    return found


async def add(connection: asyncpg.Connection, remote_start: RemoteStart) -> None:
    """Note a remote start whose command goes out."""
    await connection.execute(_ADD, *_ROWS.arguments([remote_start]))


async def fail(connection: asyncpg.Connection, remote_start_ids: Iterable[int]) -> None:
    """Note that no transaction will come of remote starts."""
    await connection.execute(_FAIL, list(remote_start_ids))

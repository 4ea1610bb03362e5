"""Limits that operators set for a time."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.planning.store.tables import OverrideRow

_ROWS: Final = Rows(OverrideRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM charging_override "  # noqa: S608 - names of columns
_OF_SITES: Final = _SELECT + "WHERE site_id = ANY($1) AND ends_at > $2 ORDER BY site_id, override_id"
_PUT: Final = _ROWS.upsert()
_REMOVE: Final = "DELETE FROM charging_override WHERE site_id = $1 AND override_id = $2 RETURNING override_id"
_PRUNE: Final = "DELETE FROM charging_override WHERE ends_at < $1"


async def of_sites(connection: asyncpg.Connection, site_ids: Collection[str], now: datetime) -> list[Override]:
    """Return the limits of operators on sites that have not ended."""
    return [_override(row) for row in await connection.fetch(_OF_SITES, list(site_ids), now)]


async def put(connection: asyncpg.Connection, override: Override) -> None:
    """Keep a limit, in the place of another of its id."""
    await connection.execute(_PUT, *_ROWS.arguments([override]))


async def remove(connection: asyncpg.Connection, site_id: str, override_id: str) -> bool:
    """Take a limit away; tell whether there was one."""
    return await connection.fetchval(_REMOVE, site_id, override_id) is not None


async def prune(connection: asyncpg.Connection, before: datetime) -> None:
    """Delete the limits that ended before a moment."""
    await connection.execute(_PRUNE, before)


def _override(row: asyncpg.Record) -> Override:
    return Override(**{name: row[name] for name in _ROWS.names})

"""What drivers of a class need, as operators say it."""

from collections.abc import Collection
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.vehicles.domain.needs import ClassNeeds, Kind
from chargebus_smart_charging.vehicles.store.tables import DriverNeedRow

_ROWS: Final = Rows(DriverNeedRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM driver_need "  # noqa: S608 - names of columns
_OF: Final = _SELECT + "WHERE (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))"  # noqa: S608
_PAGE: Final = _SELECT + "WHERE (kind, value) > ($1, $2) ORDER BY kind, value LIMIT $3"
_FIND: Final = _SELECT + "WHERE kind = $1 AND value = $2"
_PUT: Final = _ROWS.upsert()
_REMOVE: Final = "DELETE FROM driver_need WHERE kind = $1 AND value = $2 RETURNING kind"


async def of(connection: asyncpg.Connection, classes: Collection[tuple[str, str]]) -> dict[tuple[str, str], ClassNeeds]:
    """Return what is said of classes, each told by its kind and value."""
    if not classes:
        return {}
    kinds, values = zip(*classes, strict=True)
    rows = await connection.fetch(_OF, list(kinds), list(values))
    return {(row["kind"], row["value"]): _needs(row) for row in rows}


async def page(connection: asyncpg.Connection, after: tuple[str, str], limit: int) -> list[ClassNeeds]:
    """Return up to `limit` classes in the order of kind and value."""
    return [_needs(row) for row in await connection.fetch(_PAGE, *after, limit)]


async def find(connection: asyncpg.Connection, kind: Kind, value: str) -> ClassNeeds | None:
    """Return what is said of a class."""
    row = await connection.fetchrow(_FIND, kind, value)
    return None if row is None else _needs(row)


async def put(connection: asyncpg.Connection, needs: ClassNeeds) -> None:
    """Say what drivers of a class need."""
    await connection.execute(_PUT, *_ROWS.arguments([needs]))


async def remove(connection: asyncpg.Connection, kind: Kind, value: str) -> bool:
    """Say no more of a class; tell whether something was said."""
    return await connection.fetchval(_REMOVE, kind, value) is not None


def _needs(row: asyncpg.Record) -> ClassNeeds:
    return ClassNeeds(**{name: row[name] for name in _ROWS.names})

"""Values of series, read and written in sets."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.series.domain.series import GridValue, Kind, SeriesKey
from chargebus_smart_charging.series.store.tables import GridValueRow

_ROWS: Final = Rows(GridValueRow)
_FIELDS: Final = GridValue.__struct_fields__
_LOAD: Final = f"""
SELECT {", ".join(_FIELDS)} FROM grid_value
WHERE zone = ANY($1) AND kind = $2 AND ends_at > $3 AND starts_at < $4 ORDER BY zone, starts_at
"""  # noqa: S608 - names of columns
_PAGE: Final = """
SELECT zone, kind FROM grid_value WHERE (zone, kind) > ($1, $2)
GROUP BY zone, kind ORDER BY zone, kind LIMIT $3
"""
_KEEP: Final = f"{_ROWS.upsert()} WHERE grid_value.told_at <= excluded.told_at"
_FORGET: Final = "DELETE FROM grid_value WHERE ends_at < $1"


async def load(
    connection: asyncpg.Connection, zones: Collection[str], kind: Kind, starts_at: datetime, ends_at: datetime
) -> dict[str, list[GridValue]]:
    """Return what was told of zones and a time, by zone; `timeline` makes one series of it."""
    found: defaultdict[str, list[GridValue]] = defaultdict(list)
    for row in await connection.fetch(_LOAD, list(zones), kind, starts_at, ends_at):
        found[row["zone"]].append(GridValue(*row))
    return dict(found)


async def page(connection: asyncpg.Connection, after: tuple[str, str], limit: int) -> list[SeriesKey]:
    """Return up to `limit` series in the order of zone and kind."""
    return [SeriesKey(*row) for row in await connection.fetch(_PAGE, *after, limit)]


async def keep(connection: asyncpg.Connection, values: Iterable[GridValue]) -> None:
    """Keep values; of a time that comes twice the last, unless something newer is known of it."""
    last = {(value.zone, value.kind, value.starts_at, value.resolution_s): value for value in values}
    await connection.execute(_KEEP, *_ROWS.arguments(last.values()))


async def forget(connection: asyncpg.Connection, before: datetime) -> None:
    """Drop the values of times that are over since then."""
    await connection.execute(_FORGET, before)

"""What displays of stations take, read and written in sets; whoever changes it locks messages on stations before."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.displays.domain.limits import DisplayLimits, Limits
from chargebus_notification.displays.store.tables import DisplayLimitsRow

_ROWS: Final = Rows(DisplayLimitsRow)
_FIND: Final = f"SELECT {_ROWS.select()} FROM display_limits WHERE station_id = ANY($1)"  # noqa: S608 - names of columns
_KEEP: Final = _ROWS.upsert()
_FORGET: Final = "DELETE FROM display_limits WHERE station_id = ANY($1)"


async def find(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, DisplayLimits]:
    """Return what is known of stations, by their ids."""
    return {row["station_id"]: _limits(row) for row in await connection.fetch(_FIND, list(station_ids))}


async def keep(connection: asyncpg.Connection, known: Collection[DisplayLimits]) -> None:
    """Keep what is known now."""
    if known:
        await connection.execute(_KEEP, *_ROWS.arguments(known))


async def forget(connection: asyncpg.Connection, station_ids: Iterable[str]) -> None:
    """Drop what is known of stations: they are asked anew."""
    await connection.execute(_FORGET, sorted(station_ids))


def _limits(row: asyncpg.Record) -> DisplayLimits:
    read = _ROWS.read(row)
    state: Any = read.state
    return DisplayLimits(read.station_id, read.asked_at, state, msgspec.convert(read.limits, Limits))

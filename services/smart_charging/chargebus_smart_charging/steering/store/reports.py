"""Charging profiles as stations report them: a report takes the place of the one before, part by part."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.steering.domain.reports import ReportedProfile
from chargebus_smart_charging.steering.store.tables import ReportedProfileRow

_ROWS: Final = Rows(ReportedProfileRow)
_KEEP: Final = _ROWS.upsert()
_OF: Final = f"""
SELECT {_ROWS.select()} FROM reported_profile WHERE station_id = $1
ORDER BY evse_id, purpose, stack_level, profile_id, request_id
"""  # noqa: S608 - names of columns
_OLDER: Final = """
DELETE FROM reported_profile AS r USING unnest($1::text[], $2::bigint[]) AS n (station_id, request_id)
WHERE r.station_id = n.station_id AND r.request_id <> n.request_id
"""

_json: Final = msgspec.json.Decoder(dict[str, Any]).decode


async def keep(connection: asyncpg.Connection, reported: Sequence[ReportedProfile]) -> None:
    """Keep parts of reports; the first part of a new one ends what was reported before."""
    newest = {each.station_id: each.request_id for each in reported}
    if not newest:
        return
    await connection.execute(_OLDER, list(newest), list(newest.values()))
    distinct = {
        (each.station_id, each.request_id, each.evse_id, each.profile_id): each
        for each in reported
        if each.request_id == newest[each.station_id]
    }
    await connection.execute(_KEEP, *_ROWS.arguments(distinct.values()))


async def clear(connection: asyncpg.Connection, station_ids: Iterable[str]) -> None:
    """Drop what stations reported: they hold nothing."""
    await connection.execute("DELETE FROM reported_profile WHERE station_id = ANY($1)", list(station_ids))


async def of_station(connection: asyncpg.Connection, station_id: str) -> list[ReportedProfile]:
    """Return what a station reported last."""
    rows = await connection.fetch(_OF, station_id)
    return [ReportedProfile(**{**row, "profile": _json(row["profile"])}) for row in rows]

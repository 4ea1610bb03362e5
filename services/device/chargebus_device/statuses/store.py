"""Queries about the status of connectors."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_device.statuses.domain import Known, Place, Report
from chargebus_device.tables import ConnectorStatusRow

Places = dict[Place, Known]


class _KeptStatus(NamedTuple):
    """What is known of a place of a station."""

    station_id: str
    place: Place
    known: Known


_ROWS: Final = Rows(ConnectorStatusRow, sources={"place": Place, "known.report": Report, "known": Known})
_KEEP: Final = _ROWS.upsert()
_REPORT: Final = tuple(name for name in Report.__struct_fields__ if name in _ROWS.names)
_LOAD: Final = f"""
SELECT s.station_id, {", ".join(f"c.{name}" for name in _ROWS.names if name != "station_id")}
FROM station s LEFT JOIN connector_status c USING (station_id) WHERE s.station_id = ANY($1)
"""  # noqa: S608 (names of columns)


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Places]:
    """Return what is known of each place of the registered ones among stations."""
    known: dict[str, Places] = {}
    for row in await connection.fetch(_LOAD, list(station_ids)):
        places = known.setdefault(row["station_id"], {})
        if row["status"] is not None:
            place = Place(row["evse_id"], row["connector_id"])
            report = Report(place, **{name: row[name] for name in _REPORT})
            places[place] = Known(report, row["reported_at"], row["received_at"])
    return known


async def keep(connection: asyncpg.Connection, changes: Mapping[tuple[str, Place], Known]) -> None:
    """Keep the newest report of places."""
    if changes:
        rows = [_KeptStatus(station_id, place, known) for (station_id, place), known in changes.items()]
        await connection.execute(_KEEP, *_ROWS.arguments(rows))

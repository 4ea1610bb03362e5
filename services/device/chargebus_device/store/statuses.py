"""Owns the queries about the status of connectors."""

from collections.abc import Collection, Mapping

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_device.domain.status import Known, Place, Report

Places = dict[Place, Known]

_LOAD = """
SELECT s.station_id, c.evse_id, c.connector_id, c.status, c.detail, c.error_code, c.info, c.vendor_id,
       c.vendor_error_code, c.reported_at, c.received_at
FROM station s LEFT JOIN connector_status c USING (station_id) WHERE s.station_id = ANY($1)
"""
_KEEP = """
INSERT INTO connector_status (station_id, evse_id, connector_id, status, detail, error_code, info, vendor_id,
                              vendor_error_code, reported_at, received_at)
SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::timestamptz[], $11::timestamptz[]) AS n (station_id, evse_id, connector_id)
ORDER BY station_id, evse_id, connector_id
ON CONFLICT (station_id, evse_id, connector_id) DO UPDATE SET
    status = excluded.status, detail = excluded.detail, error_code = excluded.error_code, info = excluded.info,
    vendor_id = excluded.vendor_id, vendor_error_code = excluded.vendor_error_code,
    reported_at = excluded.reported_at, received_at = excluded.received_at
"""


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Places]:
    """Return what is known of each place of the registered ones among stations."""
    known: dict[str, Places] = {}
    for row in await connection.fetch(_LOAD, list(station_ids)):
        places = known.setdefault(row["station_id"], {})
        if row["status"] is not None:
            places[Place(row["evse_id"], row["connector_id"])] = _known(row)
    return known


async def keep(connection: asyncpg.Connection, changes: Mapping[tuple[str, Place], Known]) -> None:
    """Keep the newest report of places."""
    if changes:
        await connection.execute(_KEEP, *columns(_row(*key, known) for key, known in changes.items()))


def _row(station_id: str, place: Place, known: Known) -> tuple[object, ...]:
    report = known.report
    return (
        station_id,
        place.evse_id,
        place.connector_id,
        report.status,
        report.detail,
        report.error_code,
        report.info,
        report.vendor_id,
        report.vendor_error_code,
        known.reported_at,
        known.received_at,
    )


def _known(row: asyncpg.Record) -> Known:
    report = Report(
        place=Place(row["evse_id"], row["connector_id"]),
        status=row["status"],
        detail=row["detail"],
        error_code=row["error_code"],
        info=row["info"],
        vendor_id=row["vendor_id"],
        vendor_error_code=row["vendor_error_code"],
    )
    return Known(report, row["reported_at"], row["received_at"])

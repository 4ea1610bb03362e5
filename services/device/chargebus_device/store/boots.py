"""Owns the queries about boots: what deciding needs, stations that the policy lets in, the newest boot of each."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg
from chargebus_events.registry import RegisteredStation, Registration
from chargebus_runtime.columns import columns

from chargebus_device.domain.boot import Boot, BootReport, LastBoot, Station

_LOAD = """
SELECT s.station_id, s.registration, b.vendor, b.model, b.serial_number, b.firmware_version, b.reason, b.iccid,
       b.imsi, b.meter_serial_number, b.epoch, b.told
FROM station s LEFT JOIN boot b USING (station_id) WHERE s.station_id = ANY($1)
"""
_CREATE = """
INSERT INTO station (station_id, registration, password_hash, security_profile, versions, name, labels,
                     created_at, updated_at)
SELECT station_id, registration, $3, 1, '{}', '', '{}', $4, $4
FROM unnest($1::text[], $2::text[]) AS n (station_id, registration) ORDER BY station_id
ON CONFLICT (station_id) DO NOTHING RETURNING station_id, registration
"""
_KEEP = """
INSERT INTO boot (station_id, vendor, model, serial_number, firmware_version, reason, iccid, imsi,
                  meter_serial_number, version, epoch, told, booted_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::bigint[], $12::text[], $13::timestamptz[]) AS n (station_id)
ORDER BY station_id
ON CONFLICT (station_id) DO UPDATE SET
    vendor = excluded.vendor, model = excluded.model, serial_number = excluded.serial_number,
    firmware_version = excluded.firmware_version, reason = excluded.reason, iccid = excluded.iccid,
    imsi = excluded.imsi, meter_serial_number = excluded.meter_serial_number, version = excluded.version,
    epoch = excluded.epoch, told = excluded.told, booted_at = excluded.booted_at
"""


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return the registered ones among stations, each with its newest boot."""
    rows = await connection.fetch(_LOAD, list(station_ids))
    return {row["station_id"]: _station(row) for row in rows}


async def create(
    connection: asyncpg.Connection, stations: Sequence[Station], password_hash: str, now: datetime
) -> list[RegisteredStation]:
    """Register stations that came in by the onboarding policy; return those that nobody registered meanwhile."""
    if not stations:
        return []
    ids, registrations = columns((station.station_id, station.registration) for station in stations)
    rows = await connection.fetch(_CREATE, ids, registrations, password_hash, now)
    return [RegisteredStation(row["station_id"], row["registration"], password_hash, now) for row in rows]


async def keep(connection: asyncpg.Connection, boots: Sequence[tuple[BootReport, Registration]]) -> None:
    """Keep the newest boot of each station, one per station, and what it was told."""
    if boots:
        await connection.execute(_KEEP, *columns(_row(report, told) for report, told in boots))


def _row(report: BootReport, told: Registration) -> tuple[object, ...]:
    boot = report.boot
    return (
        report.station_id,
        boot.vendor,
        boot.model,
        boot.serial_number,
        boot.firmware_version,
        boot.reason,
        boot.iccid,
        boot.imsi,
        boot.meter_serial_number,
        report.version,
        report.epoch,
        told,
        report.received_at,
    )


def _station(row: asyncpg.Record) -> Station:
    if row["told"] is None:
        return Station(row["station_id"], row["registration"])
    boot = Boot(
        vendor=row["vendor"],
        model=row["model"],
        serial_number=row["serial_number"],
        firmware_version=row["firmware_version"],
        reason=row["reason"],
        iccid=row["iccid"],
        imsi=row["imsi"],
        meter_serial_number=row["meter_serial_number"],
    )
    return Station(row["station_id"], row["registration"], LastBoot(boot, row["epoch"], row["told"]))

"""Owns the queries of the HTTP API: stations registered, listed, changed, removed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec
from chargebus_events.registry import Rating, RegisteredStation
from chargebus_runtime.rows import Rows

from chargebus_device.deviations.domain import Make
from chargebus_device.deviations.store import deviations
from chargebus_device.registration.domain import Change, NewStation
from chargebus_device.registration.store.descriptions import NEVER
from chargebus_device.registration.store.registry import FIELDS, registered
from chargebus_device.tables import StationRow


class _RegisteredNow(NamedTuple):
    """A new station, and the time."""

    station: NewStation
    created_at: datetime
    newer_password_hashes: tuple[str, ...] = ()
    password_used_at: datetime | None = None
    older_passwords_until: datetime | None = None
    reported_ratings: tuple[Rating, ...] = ()
    described_at: datetime = NEVER
    service_password_hashes: tuple[str, ...] = ()
    credentials_changed_at: datetime | None = None

    @property
    def updated_at(self) -> datetime:
        """When it was changed last: when it was made."""
        return self.created_at

    @property
    def password_changed_at(self) -> datetime:
        """When it was given its password: when it was made."""
        return self.created_at


_ROWS = Rows(StationRow, sources={"station": NewStation})
_REGISTER = f"{_ROWS.insert_new()} RETURNING {FIELDS}"
_CHANGE = f"""
UPDATE station SET
    registration = COALESCE($2, registration), versions = COALESCE($3, versions), name = COALESCE($4, name),
    labels = COALESCE($5, labels), strict = COALESCE($7, strict), ratings = COALESCE($8, ratings),
    time_zone = COALESCE($9, time_zone), security_profile = COALESCE($10, security_profile),
    certificate_identity = COALESCE($11, certificate_identity), certificate_pins = COALESCE($12, certificate_pins),
    updated_at = GREATEST($6, updated_at + interval '1 microsecond')
WHERE station_id = $1 RETURNING {FIELDS}
"""  # noqa: S608 - no input
_SET_MAKES = f"""
WITH said AS (
    SELECT s.station_id, n.vendor AS now_vendor, n.model AS now_model, n.firmware_version AS now_firmware_version
    FROM station s JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[])
         AS n (station_id, vendor, model, firmware_version) USING (station_id)
    WHERE (s.vendor, s.model, s.firmware_version) IS DISTINCT FROM (n.vendor, n.model, n.firmware_version)
    ORDER BY station_id FOR NO KEY UPDATE OF s
), changed AS (
    UPDATE station SET vendor = now_vendor, model = now_model, firmware_version = now_firmware_version,
           updated_at = GREATEST($5, updated_at + interval '1 microsecond')
    FROM said WHERE station.station_id = said.station_id RETURNING station.*
)
SELECT {FIELDS} FROM changed
"""  # noqa: S608 - no input
_REMOVE = """
WITH gone AS (DELETE FROM station WHERE station_id = $1 RETURNING described_at),
     boots AS (DELETE FROM boot WHERE station_id = $1),
     statuses AS (DELETE FROM connector_status WHERE station_id = $1),
     variables AS (DELETE FROM variable WHERE station_id = $1),
     readings AS (DELETE FROM variable_station WHERE station_id = $1),
     requests AS (DELETE FROM variable_request WHERE station_id = $1),
     followed AS (DELETE FROM configuration_station WHERE station_id = $1),
     wanted AS (DELETE FROM configuration_variable WHERE station_id = $1)
SELECT GREATEST($2, described_at + interval '1 microsecond') FROM gone
"""
_SELECT = """
SELECT s.station_id, s.registration, s.security_profile, s.versions, s.name, s.labels::text AS labels,
       s.strict, s.time_zone, s.certificate_identity, s.certificate_pins,
       s.ratings::text AS ratings, s.reported_ratings::text AS reported_ratings,
       s.created_at, s.updated_at, s.password_changed_at, s.password_used_at, s.older_passwords_until,
       cardinality(s.newer_password_hashes) AS unused_passwords,
       b.vendor, b.model, b.serial_number, b.firmware_version, b.reason, b.iccid, b.imsi,
       b.meter_serial_number, b.version AS boot_version, b.told, b.booted_at,
       COALESCE(c.connected, false) AS connected, c.version, c.security_profile AS used_security_profile,
       c.remote_address, c.deviations, c.changed_at, c.last_seen_at
FROM station s LEFT JOIN boot b USING (station_id) LEFT JOIN connection c USING (station_id)
"""
_EXISTING = "SELECT station_id FROM station WHERE station_id = ANY($1)"
_GET = f"{_SELECT} WHERE s.station_id = $1"
_LIST = f"""{_SELECT}
WHERE s.station_id > $1
  AND ($2::bool IS NULL OR COALESCE(c.connected, false) = $2)
  AND ($3::text IS NULL OR s.registration = $3)
  AND ($4::text IS NULL OR COALESCE(NULLIF(c.version, ''), b.version) = $4)
  AND ($5::text IS NULL OR position(lower($5) IN lower(concat_ws(
       ' ', s.station_id, s.name, b.vendor, b.model, b.serial_number))) > 0)
  AND ($6::text IS NULL OR EXISTS (
       SELECT FROM connector_status p WHERE p.station_id = s.station_id AND p.status = $6))
  AND ($7::bool IS NULL OR (cardinality(s.newer_password_hashes) > 0) = $7)
ORDER BY s.station_id LIMIT $8
"""
_STATUSES = """
SELECT station_id, evse_id, connector_id, status, detail, error_code, info, vendor_id, vendor_error_code, reported_at
FROM connector_status WHERE station_id = ANY($1) ORDER BY station_id, evse_id, connector_id
"""
_CENSUS = "SELECT registration AS name, count(*) AS count FROM station GROUP BY registration"
_CONNECTED = "SELECT version AS name, count(*) AS count FROM connection WHERE connected GROUP BY version"


class Filter(msgspec.Struct, frozen=True):
    """Which stations to list; None does not filter.

    `text` is looked for in id, name, vendor, model and serial number; `status` matches stations of which any
    connector (or EVSE, or the station itself) has it; `password_unused`: it has not used a password that it was given.
    """

    connected: bool | None = None
    registration: str | None = None
    version: str | None = None
    text: str | None = None
    status: str | None = None
    password_unused: bool | None = None


async def existing(connection: asyncpg.Connection, station_ids: Sequence[str]) -> set[str]:
    """Return the registered ones among stations."""
    return {row["station_id"] for row in await connection.fetch(_EXISTING, station_ids)}


async def register(
    connection: asyncpg.Connection, stations: Sequence[NewStation], now: datetime
) -> list[RegisteredStation]:
    """Register stations, at least one and none twice; return those whose ids were free."""
    rows = _ROWS.arguments(_RegisteredNow(station, now) for station in stations)
    return [registered(row) for row in await connection.fetch(_REGISTER, *rows)]


async def change(
    connection: asyncpg.Connection, station_id: str, wanted: Change, now: datetime
) -> RegisteredStation | None:
    """Change a station; return its new registry record, None if there is no such station."""
    row = await connection.fetchrow(
        _CHANGE,
        station_id,
        wanted.registration,
        None if wanted.versions is None else list(wanted.versions),
        wanted.name,
        None if wanted.labels is None else msgspec.json.encode(wanted.labels).decode(),
        now,
        wanted.strict,
        None if wanted.ratings is None else msgspec.json.encode(wanted.ratings).decode(),
        wanted.time_zone,
        wanted.security_profile,
        wanted.certificate_identity,
        None if wanted.certificate_pins is None else list(wanted.certificate_pins),
    )
    return None if row is None else registered(row)


async def set_makes(
    connection: asyncpg.Connection, makes: Mapping[str, Make], now: datetime
) -> list[RegisteredStation]:
    """Note vendor, model and firmware version of stations; return the new records of those whose were others."""
    columns = [list(column) for column in zip(*makes.values(), strict=True)]
    return [registered(row) for row in await connection.fetch(_SET_MAKES, list(makes), *columns, now)]


async def remove(connection: asyncpg.Connection, station_id: str, now: datetime) -> datetime | None:
    """Remove a station with its boot, statuses and deviations; return when, None if there was none.

    That is after all that was told of it before, whatever the clocks of two copies say.

    Its connection stays: the edge that holds the socket will say when it ended.
    """
    await deviations.remove(connection, station_id)
    removed_at: datetime | None = await connection.fetchval(_REMOVE, station_id, now)
    return removed_at


async def get(connection: asyncpg.Connection, station_id: str) -> asyncpg.Record | None:
    """Return a station with its newest boot and connection."""
    return await connection.fetchrow(_GET, station_id)


async def page(connection: asyncpg.Connection, wanted: Filter, after: str, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` stations like `get`'s, in the order of their ids, from the one after `after` on."""
    filters = (
        wanted.connected,
        wanted.registration,
        wanted.version,
        wanted.text,
        wanted.status,
        wanted.password_unused,
    )
    rows: list[asyncpg.Record] = await connection.fetch(_LIST, after, *filters, limit)
    return rows


async def statuses(connection: asyncpg.Connection, station_ids: Sequence[str]) -> list[asyncpg.Record]:
    """Return the newest report of every place of stations, in order."""
    rows: list[asyncpg.Record] = await connection.fetch(_STATUSES, station_ids)
    return rows


async def census(connection: asyncpg.Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Count the registered stations by registration, and the connected ones by version."""
    registrations = await connection.fetch(_CENSUS)
    connected = await connection.fetch(_CONNECTED)
    return {row["name"]: row["count"] for row in registrations}, {row["name"]: row["count"] for row in connected}

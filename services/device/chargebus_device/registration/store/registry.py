"""Owns the queries that compare the registry topic with the database, and what each station's record must say."""

from collections.abc import Collection
from datetime import datetime

import asyncpg
import msgspec
from chargebus_events.registry import Rating, RegisteredStation

FIELDS = (
    "station_id, registration, password_hash, newer_password_hashes, security_profile, versions::text[] AS versions,"
    " updated_at, strict, vendor, model, firmware_version, ratings::text, reported_ratings::text,"
    " certificate_identity, certificate_pins"
)

_VERSIONS = "SELECT station_id, updated_at FROM station"
_LOCK = f"SELECT {FIELDS} FROM station WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE"  # noqa: S608 - no input

read_ratings = msgspec.json.Decoder(tuple[Rating, ...]).decode


def registered(row: asyncpg.Record) -> RegisteredStation:
    """Return a row with `FIELDS` as the registry's record."""
    return RegisteredStation(
        station_id=row["station_id"],
        registration=row["registration"],
        password_hash=row["password_hash"],
        updated_at=row["updated_at"],
        security_profile=row["security_profile"],
        versions=tuple(row["versions"]),
        strict=row["strict"],
        vendor=row["vendor"],
        model=row["model"],
        firmware_version=row["firmware_version"],
        newer_password_hashes=tuple(row["newer_password_hashes"]),
        ratings=read_ratings(row["ratings"]),
        reported_ratings=read_ratings(row["reported_ratings"]),
        certificate_identity=row["certificate_identity"],
        certificate_pins=tuple(row["certificate_pins"]),
    )


async def versions(connection: asyncpg.Connection) -> dict[str, datetime]:
    """Return when each station was changed last: the version of its record."""
    return {row["station_id"]: row["updated_at"] for row in await connection.fetch(_VERSIONS)}


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> list[RegisteredStation]:
    """Return the registered ones among stations; nobody changes them until the transaction ends."""
    return [registered(row) for row in await connection.fetch(_LOCK, list(station_ids))]

"""Certificates that were issued, by whichever authority."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from chargebus_runtime.rows import Rows
from sqlmodel import Field

from chargebus_security.tables import BIG, ID, TIME, Tables


class IssuedCertificateRow(Tables, table=True):
    """A certificate; `number` is in the order in which they were issued, `chain` has it and its intermediates."""

    __tablename__ = "issued_certificate"

    authority: str = Field(primary_key=True, sa_type=ID)
    serial_number: str = Field(primary_key=True, sa_type=ID)
    number: int = Field(sa_type=BIG, sa_column_args=(sa.Identity(always=True),), index=True)
    request_id: UUID = Field(index=True)
    station_id: str = Field(sa_type=ID, index=True)
    certificate_type: str = Field(sa_type=ID)
    subject: str = Field(sa_type=ID)
    fingerprint: str = Field(sa_type=ID)
    chain: str = Field(sa_type=ID)
    not_before: datetime = Field(sa_type=TIME)
    not_after: datetime = Field(sa_type=TIME, index=True)
    issued_at: datetime = Field(sa_type=TIME)
    revoked_at: datetime | None = Field(sa_type=TIME)
    revocation_reason: str | None = Field(sa_type=ID)


class IssuedCertificate(msgspec.Struct, frozen=True):
    """A certificate that was issued.

    Attributes:
        serial_number: hexadecimal.
        request_id: the signing request that it is for.
        certificate_type: OCPP's; empty: for both uses.
        fingerprint: SHA-256 of the certificate.
        chain: in PEM, the certificate first.
    """

    authority: str
    serial_number: str
    request_id: UUID
    station_id: str
    certificate_type: str
    subject: str
    fingerprint: str
    chain: str
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    revoked_at: datetime | None = None
    revocation_reason: str | None = None


class Filter(msgspec.Struct, frozen=True):
    """Which certificates are wanted; empty: any."""

    station_id: str = ""
    authority: str = ""
    serial_number: str = ""
    expires_before: datetime | None = None
    revoked: bool | None = None


_ROWS: Final = Rows(IssuedCertificateRow, without={"number"})
_SELECT: Final = f"SELECT number, {_ROWS.select()} FROM issued_certificate"  # noqa: S608 - our own columns
_ADD: Final = _ROWS.insert()
_PAGE: Final = f"""{_SELECT}
    WHERE ($1::bigint IS NULL OR number < $1) AND ($2 = '' OR station_id = $2) AND ($3 = '' OR authority = $3)
      AND ($4 = '' OR serial_number = $4) AND ($5::timestamptz IS NULL OR not_after < $5)
      AND ($6::bool IS NULL OR (revoked_at IS NOT NULL) = $6)
    ORDER BY number DESC LIMIT $7"""
_FIND: Final = f"{_SELECT} WHERE authority = $1 AND serial_number = $2"
_OF_REQUEST: Final = f"{_SELECT} WHERE request_id = $1"
_REVOKE: Final = f"""UPDATE issued_certificate SET revoked_at = $3, revocation_reason = $4
    WHERE authority = $1 AND serial_number = $2 AND revoked_at IS NULL RETURNING number, {_ROWS.select()}"""  # noqa: S608 - our own columns
_IN_FORCE: Final = """SELECT station_id, count(*) AS certificates FROM issued_certificate
    WHERE station_id = ANY($1::text[]) AND not_after > $2 AND revoked_at IS NULL GROUP BY station_id"""
_PRUNE: Final = """DELETE FROM issued_certificate WHERE (authority, serial_number) IN (
    SELECT authority, serial_number FROM issued_certificate WHERE not_after < $1 ORDER BY not_after LIMIT $2)"""
_REVOKED_OF: Final = """SELECT DISTINCT request_id FROM issued_certificate i
    WHERE request_id = ANY($1::uuid[]) AND revoked_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM issued_certificate n WHERE n.request_id = i.request_id AND n.number > i.number)"""
_REVOKE_ALL_OF: Final = """UPDATE issued_certificate SET revoked_at = $3, revocation_reason = $4
    WHERE authority = $1 AND station_id = ANY($2::text[]) AND revoked_at IS NULL AND not_after > $3"""
_OF_OTHERS: Final = """SELECT station_id, authority, serial_number FROM issued_certificate
    WHERE authority <> $1 AND station_id = ANY($2::text[]) AND revoked_at IS NULL AND not_after > $3
    ORDER BY number LIMIT 100"""
_REVOCATIONS: Final = """SELECT count(*) AS certificates, max(revoked_at) AS last_at FROM issued_certificate
    WHERE authority = $1 AND revoked_at IS NOT NULL AND not_after > $2"""
_REVOKED: Final = f"""{_SELECT} WHERE authority = $1 AND revoked_at IS NOT NULL AND not_after > $2 ORDER BY number"""

Revocations = tuple[int, datetime | None]

Numbered = tuple[int, IssuedCertificate]


async def add(connection: asyncpg.Connection, certificate: IssuedCertificate) -> None:
    """Keep a certificate that was issued."""
    await connection.execute(_ADD, *_ROWS.arguments([certificate]))


async def page(connection: asyncpg.Connection, wanted: Filter, before: int | None, limit: int) -> list[Numbered]:
    """Return up to `limit` certificates, the newest first, each with its number."""
    found = await connection.fetch(
        _PAGE,
        before,
        wanted.station_id,
        wanted.authority,
        wanted.serial_number,
        wanted.expires_before,
        wanted.revoked,
        limit,
    )
    return [(row["number"], _certificate(row)) for row in found]


async def find(connection: asyncpg.Connection, authority: str, serial_number: str) -> IssuedCertificate | None:
    """Return a certificate."""
    row = await connection.fetchrow(_FIND, authority, serial_number)
    return None if row is None else _certificate(row)


async def of_request(connection: asyncpg.Connection, request_id: UUID) -> IssuedCertificate | None:
    """Return the certificate that was issued for a signing request."""
    row = await connection.fetchrow(_OF_REQUEST, request_id)
    return None if row is None else _certificate(row)


async def revoke(
    connection: asyncpg.Connection, key: tuple[str, str], now: datetime, reason: str
) -> IssuedCertificate | None:
    """Revoke a certificate; None: there is none, or it was before."""
    row = await connection.fetchrow(_REVOKE, *key, now, reason)
    return None if row is None else _certificate(row)


async def in_force(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> Mapping[str, int]:
    """Return how many certificates of stations count."""
    rows = await connection.fetch(_IN_FORCE, sorted(station_ids), now)
    return {row["station_id"]: row["certificates"] for row in rows}


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> None:
    """Drop up to `limit` certificates that ended before then."""
    await connection.execute(_PRUNE, before, limit)


async def revoked_of(connection: asyncpg.Connection, request_ids: Collection[UUID]) -> set[UUID]:
    """Return those signing requests whose last certificate was revoked."""
    if not request_ids:
        return set()
    return {row["request_id"] for row in await connection.fetch(_REVOKED_OF, sorted(request_ids))}


async def revoke_all_of(
    connection: asyncpg.Connection, authority: str, station_ids: Collection[str], now: datetime, reason: str
) -> int:
    """Revoke what an authority has issued to stations; return how many certificates that were."""
    return int((await connection.execute(_REVOKE_ALL_OF, authority, sorted(station_ids), now, reason)).split()[-1])


async def of_others(
    connection: asyncpg.Connection, authority: str, station_ids: Collection[str], now: datetime
) -> Sequence[tuple[str, str, str]]:
    """Return station, authority and serial number of certificates that other authorities have issued to stations."""
    found = await connection.fetch(_OF_OTHERS, authority, sorted(station_ids), now)
    return [(each["station_id"], each["authority"], each["serial_number"]) for each in found]


async def revocations(connection: asyncpg.Connection, authority: str, now: datetime) -> Revocations:
    """Return how many of an authority's certificates are revoked that would be valid still, and when the last was."""
    row = await connection.fetchrow(_REVOCATIONS, authority, now)
    return row["certificates"], row["last_at"]


async def revoked(connection: asyncpg.Connection, authority: str, now: datetime) -> Sequence[IssuedCertificate]:
    """Return what was revoked of an authority's, and would be valid still."""
    return [_certificate(row) for row in await connection.fetch(_REVOKED, authority, now)]


def _certificate(row: asyncpg.Record) -> IssuedCertificate:
    return IssuedCertificate(**{name: row[name] for name in _ROWS.names})

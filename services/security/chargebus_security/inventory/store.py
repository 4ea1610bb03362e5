"""Certificates, read and written in sets."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
import sqlalchemy as sa
from chargebus_runtime.rows import Rows
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from chargebus_security.inventory.domain.certificate import Certificate
from chargebus_security.tables import ID, TIME, Tables

_KEYS: Final[Any] = ARRAY(sa.String)


class CertificateRow(Tables, table=True):
    """A certificate that is known; see `Certificate`."""

    __tablename__ = "certificate"
    __table_args__ = (
        sa.Index("ix_certificate_hash_keys", "hash_keys", postgresql_using="gin"),
        sa.Index("ix_certificate_issuer_keys", "issuer_keys", postgresql_using="gin"),
        sa.Index("ix_certificate_issuer", sa.text("md5(issuer)")),
        sa.Index("ix_certificate_authority", "kind", postgresql_where=sa.text("is_authority AND pem <> ''")),
    )

    certificate_id: str = Field(primary_key=True, sa_type=ID)
    source: str
    name: str
    kind: str
    pem: str
    subject: str
    issuer: str
    serial_number: str
    key: str
    is_authority: bool
    is_self_signed: bool
    not_before: datetime | None = Field(sa_type=TIME)
    not_after: datetime | None = Field(sa_type=TIME, index=True)
    hash_keys: list[str] = Field(sa_type=_KEYS)
    issuer_keys: list[str] = Field(sa_type=_KEYS)
    station_id: str = Field(sa_type=ID, index=True)
    in_use: bool
    added_at: datetime = Field(sa_type=TIME)
    replaced_at: datetime | None = Field(sa_type=TIME)
    expiring_at: datetime | None = Field(sa_type=TIME, index=True)
    told_days: float | None


class Filter(msgspec.Struct, frozen=True):
    """Which certificates are looked for; what is empty is not asked."""

    text: str = ""
    kind: str = ""
    source: str = ""
    station_id: str = ""
    expires_before: datetime | None = None
    in_use: bool | None = None


_ROWS: Final = Rows(CertificateRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM certificate "  # noqa: S608 - names of columns
_FIND: Final = _SELECT + "WHERE certificate_id = ANY($1)"
_LOCK: Final = _SELECT + "WHERE certificate_id = ANY($1) ORDER BY certificate_id FOR NO KEY UPDATE"
_NAMED: Final = _SELECT + "WHERE hash_keys && $1::varchar[] ORDER BY certificate_id"
_ISSUERS: Final = "SELECT pem FROM certificate WHERE issuer_keys && $1::varchar[] ORDER BY certificate_id LIMIT 20"
_BY_SUBJECT: Final = "SELECT pem FROM certificate WHERE subject = ANY($1) AND is_authority AND pem <> '' LIMIT 100"
_ROOTS: Final = """SELECT pem FROM certificate WHERE kind = ANY($1) AND is_authority AND is_self_signed AND pem <> ''
ORDER BY certificate_id LIMIT 1000"""
_WITHOUT_ISSUER: Final = """
WHERE md5(issuer) IN (SELECT md5(x) FROM unnest($1::text[]) AS x) AND hash_keys = '{}' AND pem <> ''
ORDER BY certificate_id LIMIT 1000 FOR NO KEY UPDATE
"""
_ORPHANS: Final = _SELECT + _WITHOUT_ISSUER
_FORGET_REPORTED: Final = "DELETE FROM certificate WHERE source = 'reported' AND hash_keys && $1::varchar[]"
_KEEP: Final = _ROWS.upsert()
_ADD: Final = f"{_ROWS.insert_new()} RETURNING certificate_id"
_DELETE: Final = "DELETE FROM certificate WHERE certificate_id = $1"
_PRUNE: Final = """DELETE FROM certificate WHERE certificate_id IN (
    SELECT certificate_id FROM certificate
    WHERE source = 'issued' AND station_id <> '' AND NOT in_use AND not_after < $1 ORDER BY not_after LIMIT $2)"""
_PAGE: Final = (
    _SELECT
    + """WHERE certificate_id > $1 AND ($2 = '' OR strpos(lower(concat_ws(' ',
    certificate_id, name, subject, issuer, serial_number, station_id)), lower($2)) > 0)
AND ($3 = '' OR kind = $3) AND ($4 = '' OR source = $4) AND ($5 = '' OR station_id = $5)
AND ($6::timestamptz IS NULL OR not_after < $6) AND ($7::boolean IS NULL OR in_use = $7)
ORDER BY certificate_id LIMIT $8"""
)
_DUE: Final = _SELECT + "WHERE expiring_at <= $1 ORDER BY expiring_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
_ISSUED_BEFORE: Final = (
    _SELECT
    + "WHERE station_id = $1 AND kind = $2 AND source = 'issued' AND replaced_at IS NULL AND certificate_id <> $3 "
    + "ORDER BY certificate_id FOR NO KEY UPDATE"
)


async def find(connection: asyncpg.Connection, certificate_ids: Collection[str]) -> dict[str, Certificate]:
    """Return what is known of certificates."""
    return _by_id(await connection.fetch(_FIND, list(certificate_ids)))


async def lock(connection: asyncpg.Connection, certificate_ids: Collection[str]) -> dict[str, Certificate]:
    """Return what is known of certificates, locked until the transaction ends."""
    return _by_id(await connection.fetch(_LOCK, list(certificate_ids)))


async def named(connection: asyncpg.Connection, hash_keys: Collection[str]) -> dict[str, Certificate]:
    """Return the certificates that stations name so, by `HashData.key`."""
    found: dict[str, Certificate] = {}
    for row in await connection.fetch(_NAMED, list(hash_keys)):
        certificate = _certificate(row)
        found.update(dict.fromkeys(certificate.hash_keys, certificate))
    return found


async def issuers(connection: asyncpg.Connection, issuer_keys: Collection[str]) -> list[str]:
    """Return the authorities (PEM) that names of certificates begin with, by `HashData.issuer_key`."""
    return [row["pem"] for row in await connection.fetch(_ISSUERS, list(issuer_keys))]


async def roots(connection: asyncpg.Connection, kinds: Collection[str]) -> list[str]:
    """Return the roots (PEM) of which an operator says that they are for this.

    An authority below a root is none, whatever it is said to be for: it may be revoked, and that would not be asked.
    """
    return [row["pem"] for row in await connection.fetch(_ROOTS, list(kinds))]


async def authorities(connection: asyncpg.Connection, subjects: Collection[str]) -> list[str]:
    """Return the authorities (PEM) of these names."""
    return [row["pem"] for row in await connection.fetch(_BY_SUBJECT, list(subjects))]


async def orphans(connection: asyncpg.Connection, issuers: Collection[str]) -> list[Certificate]:
    """Return the certificates whose issuer was not known, and is one of these; locked."""
    return [_certificate(row) for row in await connection.fetch(_ORPHANS, list(issuers))]


async def forget_reported(connection: asyncpg.Connection, hash_keys: Collection[str]) -> None:
    """Drop what only stations told of: the certificates themselves are known now."""
    await connection.execute(_FORGET_REPORTED, list(hash_keys))


async def keep(connection: asyncpg.Connection, certificates: Iterable[Certificate]) -> None:
    """Keep what is known now."""
    if rows := list(certificates):
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def add(connection: asyncpg.Connection, certificates: Iterable[Certificate]) -> set[str]:
    """Add those that are not known yet; return their ids."""
    rows = {each.certificate_id: each for each in certificates}
    if not rows:
        return set()
    added = await connection.fetch(_ADD, *_ROWS.arguments(rows.values()))
    return {row["certificate_id"] for row in added}


async def delete(connection: asyncpg.Connection, certificate_id: str) -> None:
    """Drop one."""
    await connection.execute(_DELETE, certificate_id)


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> None:
    """Drop up to `limit` certificates of stations that were issued for us and ended before then."""
    await connection.execute(_PRUNE, before, limit)


async def page(connection: asyncpg.Connection, wanted: Filter, after: str, limit: int) -> list[Certificate]:
    """Return up to `limit` of those that are looked for, in the order of their ids."""
    asked = (wanted.text, wanted.kind, wanted.source, wanted.station_id, wanted.expires_before, wanted.in_use)
    return [_certificate(row) for row in await connection.fetch(_PAGE, after, *asked, limit)]


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> Sequence[Certificate]:
    """Return up to `limit` of which is to be told that they run out; locked, those that others hold are passed over."""
    return [_certificate(row) for row in await connection.fetch(_DUE, now, limit)]


async def issued_before(connection: asyncpg.Connection, newest: Certificate) -> list[Certificate]:
    """Return the certificates in whose place a station has got this one, locked."""
    rows = await connection.fetch(_ISSUED_BEFORE, newest.station_id, newest.kind, newest.certificate_id)
    return [_certificate(row) for row in rows]


def _by_id(rows: Iterable[asyncpg.Record]) -> dict[str, Certificate]:
    return {row["certificate_id"]: _certificate(row) for row in rows}


def _certificate(row: asyncpg.Record) -> Certificate:
    return Certificate(**row)

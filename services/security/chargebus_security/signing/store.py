"""Requests for certificates, read and written in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from chargebus_runtime.rows import Rows
from msgspec import Struct
from sqlmodel import Field

from chargebus_security.signing.domain.request import OPEN, CertificateRequest
from chargebus_security.tables import BIG, ID, TIME, Tables


class SigningRequestRow(Tables, table=True):
    """A station's request for a certificate; `number` is in the order in which they came."""

    __tablename__ = "signing_request"
    __table_args__ = (
        sa.UniqueConstraint("station_id", "fingerprint"),
        sa.Index("signing_request_due", "state", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
        sa.Index("signing_request_renew", "renew_at", postgresql_where=sa.text("renew_at IS NOT NULL")),
        sa.Index("signing_request_created", "created_at"),
    )

    request_id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=BIG, sa_column_args=(sa.Identity(always=True),), index=True)
    station_id: str = Field(sa_type=ID)
    certificate_type: str = Field(sa_type=ID)
    station_request_id: int | None = Field(sa_type=BIG)
    csr: str = Field(sa_type=ID)
    fingerprint: str = Field(sa_type=ID)
    created_at: datetime = Field(sa_type=TIME)
    state: str = Field(sa_type=ID)
    changed_at: datetime = Field(sa_type=TIME)
    reason: str = Field(sa_type=ID)
    due_at: datetime | None = Field(sa_type=TIME)
    tries: int = Field(sa_type=BIG)
    authority: str = Field(sa_type=ID)
    serial_number: str = Field(sa_type=ID)
    chain: str = Field(sa_type=ID)
    not_after: datetime | None = Field(sa_type=TIME)
    renew_at: datetime | None = Field(sa_type=TIME)
    claimed_until: datetime | None = Field(sa_type=TIME)


class Filter(Struct, frozen=True):
    """Which requests are wanted; empty: any."""

    station_id: str = ""
    state: str = ""
    certificate_type: str | None = None


_ROWS: Final = Rows(SigningRequestRow, without={"number"})
_COLUMNS: Final = _ROWS.select()
_SELECT: Final = f"SELECT number, {_COLUMNS} FROM signing_request"  # noqa: S608 - our own columns
_KEEP: Final = _ROWS.upsert(keep={"station_id", "csr", "fingerprint"})
_LOCK_OF: Final = f"""{_SELECT}
    WHERE station_id = ANY($1::text[]) AND (state = ANY($2::text[]) OR fingerprint = ANY($3::text[]))
    ORDER BY request_id FOR UPDATE"""
_RECENT: Final = """SELECT station_id, count(*) AS times FROM signing_request
    WHERE station_id = ANY($1::text[]) AND created_at > $2 GROUP BY station_id"""
_LOCK: Final = f"{_SELECT} WHERE request_id = ANY($1::uuid[]) ORDER BY request_id FOR UPDATE"
_CLAIM: Final = f"""UPDATE signing_request SET due_at = $2, claimed_until = $2 WHERE request_id IN (
        SELECT request_id FROM signing_request
        WHERE state = 'waiting' AND due_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING number, {_COLUMNS}"""  # noqa: S608 - our own columns
_DUE: Final = f"""{_SELECT} WHERE state = 'signed' AND due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED"""
_RENEW: Final = f"""SELECT number, {_ROWS.select("r")} FROM signing_request r JOIN station s USING (station_id)
    WHERE r.renew_at <= $1 AND r.not_after > $1 AND s.online AND NOT s.removed
      AND NOT EXISTS (SELECT FROM issued_certificate i WHERE i.request_id = r.request_id AND i.revoked_at IS NOT NULL)
    ORDER BY r.renew_at LIMIT $2 FOR UPDATE OF r SKIP LOCKED"""  # noqa: S608 - our own columns
_RENEWED: Final = """UPDATE signing_request SET renew_at = $2 WHERE request_id = ANY($1::uuid[])"""
_REPLACED: Final = """UPDATE signing_request t SET renew_at = NULL FROM signing_request n
    WHERE n.request_id = ANY($1::uuid[]) AND t.station_id = n.station_id AND t.certificate_type = n.certificate_type
      AND t.request_id <> n.request_id AND t.renew_at IS NOT NULL"""
_WAKE: Final = """UPDATE signing_request SET due_at = $2
    WHERE station_id = ANY($1::text[]) AND state = 'signed' AND due_at > $2"""
_END_OF: Final = """UPDATE signing_request SET renew_at = NULL, due_at = NULL, changed_at = $2,
    state = CASE WHEN state = ANY($3::text[]) THEN 'refused' ELSE state END,
    reason = CASE WHEN state = ANY($3::text[]) THEN 'the station was removed' ELSE reason END
    WHERE station_id = ANY($1::text[]) AND (renew_at IS NOT NULL OR state = ANY($3::text[]))"""
_PAGE: Final = f"""{_SELECT}
    WHERE ($1::bigint IS NULL OR number < $1) AND ($2 = '' OR station_id = $2) AND ($3 = '' OR state = $3)
      AND ($4::text IS NULL OR certificate_type = $4) ORDER BY number DESC LIMIT $5"""
_FIND: Final = f"{_SELECT} WHERE request_id = $1"
_NEWEST_OF: Final = f"""SELECT DISTINCT ON (station_id) number, {_COLUMNS} FROM signing_request
    WHERE station_id = ANY($1::text[]) AND certificate_type = $2 ORDER BY station_id, number DESC"""  # noqa: S608
_HAVING: Final = """SELECT DISTINCT r.station_id FROM signing_request r
    WHERE r.station_id = ANY($1::text[]) AND r.certificate_type = $2 AND r.state = 'installed' AND r.not_after > $3
      AND NOT EXISTS (
        SELECT FROM issued_certificate i WHERE i.request_id = r.request_id AND i.revoked_at IS NOT NULL)"""
_PRUNE: Final = """DELETE FROM signing_request WHERE request_id IN (
    SELECT request_id FROM signing_request
    WHERE created_at < $1 AND state <> ALL($3::text[]) AND (not_after IS NULL OR not_after < $1) LIMIT $2)"""

Numbered = tuple[int, CertificateRequest]


async def lock_of(
    connection: asyncpg.Connection, station_ids: Collection[str], fingerprints: Collection[str]
) -> list[CertificateRequest]:
    """Return the open requests of stations, and those of CSRs that came before, locked."""
    rows = await connection.fetch(_LOCK_OF, sorted(station_ids), sorted(OPEN), sorted(fingerprints))
    return [_request(row) for row in rows]


async def recent(connection: asyncpg.Connection, station_ids: Collection[str], since: datetime) -> Mapping[str, int]:
    """Return how many requests of stations came since then."""
    return {row["station_id"]: row["times"] for row in await connection.fetch(_RECENT, sorted(station_ids), since)}


async def lock(connection: asyncpg.Connection, request_ids: Collection[UUID]) -> dict[UUID, CertificateRequest]:
    """Return requests, locked."""
    rows = await connection.fetch(_LOCK, sorted(request_ids))
    return {row["request_id"]: _request(row) for row in rows}


async def keep(connection: asyncpg.Connection, requests: Iterable[CertificateRequest]) -> None:
    """Keep requests as they are by now."""
    kept = list(requests)
    if kept:
        await connection.execute(_KEEP, *_ROWS.arguments(kept))


async def claim(connection: asyncpg.Connection, now: datetime, until: datetime, limit: int) -> list[CertificateRequest]:
    """Return up to `limit` requests that are to be signed; until then nobody else gets them."""
    return [_request(row) for row in await connection.fetch(_CLAIM, now, until, limit)]


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[CertificateRequest]:
    """Return up to `limit` requests whose certificates are to be sent, locked."""
    return [_request(row) for row in await connection.fetch(_DUE, now, limit)]


async def take_renewals(connection: asyncpg.Connection, now: datetime, limit: int) -> list[CertificateRequest]:
    """Return up to `limit` requests whose certificates are to be renewed, of stations that are connected, locked."""
    return [_request(row) for row in await connection.fetch(_RENEW, now, limit)]


async def put_off_renewals(connection: asyncpg.Connection, request_ids: Sequence[UUID], until: datetime) -> None:
    """Have certificates looked at again then, if they are not replaced before."""
    await connection.execute(_RENEWED, request_ids, until)


async def replaced(connection: asyncpg.Connection, request_ids: Sequence[UUID]) -> None:
    """Renew no more what the certificates of these requests take the place of."""
    if request_ids:
        await connection.execute(_REPLACED, request_ids)


async def wake(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> None:
    """Send at once what waits for stations."""
    if station_ids:
        await connection.execute(_WAKE, sorted(station_ids), now)


async def end_of(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> None:
    """Refuse what is open of stations that were removed, and renew nothing of theirs."""
    await connection.execute(_END_OF, sorted(station_ids), now, sorted(OPEN))


async def page(connection: asyncpg.Connection, wanted: Filter, before: int | None, limit: int) -> list[Numbered]:
    """Return up to `limit` requests, the newest first, each with its number."""
    rows = await connection.fetch(_PAGE, before, wanted.station_id, wanted.state, wanted.certificate_type, limit)
    return [(row["number"], _request(row)) for row in rows]


async def find(connection: asyncpg.Connection, request_id: UUID) -> CertificateRequest | None:
    """Return a request."""
    row = await connection.fetchrow(_FIND, request_id)
    return None if row is None else _request(row)


async def newest_of(
    connection: asyncpg.Connection, station_ids: Collection[str], certificate_type: str
) -> dict[str, CertificateRequest]:
    """Return the newest request of each station for certificates of a type."""
    rows = await connection.fetch(_NEWEST_OF, list(station_ids), certificate_type)
    return {row["station_id"]: _request(row) for row in rows}


async def having(
    connection: asyncpg.Connection, station_ids: Collection[str], certificate_type: str, now: datetime
) -> set[str]:
    """Return those among stations that have installed a certificate of a type, which is valid."""
    rows = await connection.fetch(_HAVING, list(station_ids), certificate_type, now)
    return {row["station_id"] for row in rows}


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Drop up to `limit` requests of before then whose certificates, if any, have ended; return how many."""
    return int((await connection.execute(_PRUNE, before, limit, sorted(OPEN))).split()[-1])


def _request(row: asyncpg.Record) -> CertificateRequest:
    return CertificateRequest(**{name: row[name] for name in _ROWS.names})

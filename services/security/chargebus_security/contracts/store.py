"""The calls of stations that wait for a pool or a responder; for an hour, what became of them. Who may have signed."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import asyncpg
import msgspec
import sqlalchemy as sa
from chargebus_events.frames import Frame
from chargebus_runtime.rows import Rows
from cryptography import x509
from sqlmodel import Field

from chargebus_security.contracts.domain.chain import Authorities
from chargebus_security.contracts.domain.checks import Shown
from chargebus_security.contracts.domain.shown import read_chain
from chargebus_security.inventory import store as inventory
from chargebus_security.inventory.domain.certificate import printable
from chargebus_security.inventory.errors import UnreadableCertificateError
from chargebus_security.tables import ID, TIME, Tables

GIVEN: Final = "given"
"""The outcome of a call by which a vehicle got a contract."""


MO_ROOT: Final = "MORootCertificate"
V2G_ROOT: Final = "V2GRootCertificate"
"""What an operator says that a root is for, under which contracts are trusted; under the latter, stations', too."""


class ContractCallRow(Tables, table=True):
    """A call: `frame` (MessagePack) while it waits, until when a copy is about it, and how it ended.

    `content` is the same for calls that ask the same.
    """

    __tablename__ = "contract_call"
    __table_args__ = (
        sa.Index(
            "ix_contract_call_waiting",
            "action",
            "station_id",
            "received_at",
            postgresql_where=sa.text("claimed_until IS NOT NULL"),
        ),
    )

    call_id: str = Field(primary_key=True, sa_type=ID)
    station_id: str = Field(sa_type=ID, index=True)
    action: str
    content: str
    received_at: datetime = Field(sa_type=TIME, index=True)
    claimed_until: datetime | None = Field(sa_type=TIME)
    outcome: str
    frame: bytes


class WaitingCall(msgspec.Struct, frozen=True):
    """A call that waits; `content` is the same for calls that ask the same."""

    frame: Frame
    content: str = ""


class Came(msgspec.Struct, frozen=True):
    """How many calls came of a station lately, and how many of them wait."""

    calls: int = 0
    waiting: int = 0


class _Call(msgspec.Struct, frozen=True):
    call_id: str
    station_id: str
    action: str
    content: str
    received_at: datetime
    claimed_until: datetime
    outcome: str
    frame: bytes


_CALLS: Final = Rows(ContractCallRow)
_ADD: Final = _CALLS.insert_new()
_CLAIM: Final = """
UPDATE contract_call SET claimed_until = $3 WHERE call_id IN (
    SELECT call_id FROM contract_call WHERE action = $1 AND claimed_until <= $2 AND call_id IN (
        SELECT call_id FROM (
            SELECT call_id, row_number() OVER (PARTITION BY station_id ORDER BY received_at, call_id) AS place
            FROM contract_call WHERE action = $1 AND claimed_until IS NOT NULL
        ) AS waiting WHERE place <= $4
    ) ORDER BY claimed_until, received_at LIMIT $5 FOR UPDATE SKIP LOCKED
) RETURNING frame, content
"""
_RELEASE: Final = """
UPDATE contract_call SET claimed_until = $2 WHERE call_id = ANY($1) AND claimed_until IS NOT NULL
"""
_END: Final = """
UPDATE contract_call SET claimed_until = NULL, outcome = $2, frame = '' WHERE call_id = $1 AND claimed_until IS NOT NULL
RETURNING call_id
"""
_EXPIRE: Final = """
UPDATE contract_call SET claimed_until = NULL, outcome = 'expired', frame = ''
WHERE received_at < $1 AND claimed_until IS NOT NULL RETURNING action
"""
_PRUNE: Final = "DELETE FROM contract_call WHERE received_at < $1 AND claimed_until IS NULL"
_RECENT: Final = """
SELECT station_id, count(*) AS calls, count(claimed_until) AS waiting FROM contract_call
WHERE station_id = ANY($1) AND action = $2 AND received_at > $3 GROUP BY station_id
"""
_GIVEN: Final = f"""
SELECT count(*) FROM contract_call
WHERE station_id = $1 AND content = $2 AND outcome = '{GIVEN}' AND received_at > $3
"""  # noqa: S608 - a word of ours

_encode: Final = msgspec.msgpack.Encoder().encode
_frame: Final = msgspec.msgpack.Decoder(Frame).decode


async def recent(
    connection: asyncpg.Connection, station_ids: Collection[str], action: str, since: datetime
) -> dict[str, Came]:
    """Return what came of stations since then."""
    rows = await connection.fetch(_RECENT, list(station_ids), action, since)
    return {row["station_id"]: Came(row["calls"], row["waiting"]) for row in rows}


async def given(connection: asyncpg.Connection, station_id: str, content: str, since: datetime) -> int:
    """Return how many contracts came of the same request since then."""
    count: int = await connection.fetchval(_GIVEN, station_id, content, since)
    return count


async def add(connection: asyncpg.Connection, calls: Iterable[WaitingCall], now: datetime) -> None:
    """Have calls wait, for any copy to take them."""
    rows = [
        _Call(
            each.frame.id,
            each.frame.station_id,
            each.frame.action,
            each.content,
            each.frame.received_at,
            now,
            "",
            _encode(each.frame),
        )
        for each in calls
    ]
    if rows:
        await connection.execute(_ADD, *_CALLS.arguments(rows))


class Wanted(msgspec.Struct, frozen=True):
    """Which calls a copy takes: up to `limit` of an action, of a station not more than are `of_station` under way."""

    action: str
    limit: int
    of_station: int


async def claim(
    connection: asyncpg.Connection, wanted: Wanted, now: datetime, until: datetime
) -> Sequence[WaitingCall]:
    """Return calls that no copy is about; until then they are this one's."""
    rows = await connection.fetch(_CLAIM, wanted.action, now, until, wanted.of_station, wanted.limit)
    return [WaitingCall(_frame(row["frame"]), row["content"]) for row in rows]


async def release(connection: asyncpg.Connection, calls: Iterable[WaitingCall], now: datetime) -> None:
    """Have any copy take calls that this one was about."""
    await connection.execute(_RELEASE, [each.frame.id for each in calls], now)


async def end(connection: asyncpg.Connection, call: WaitingCall, outcome: str) -> bool:
    """Have a call wait no longer; tell whether it still did."""
    return await connection.fetchval(_END, call.frame.id, outcome) is not None


async def expire(connection: asyncpg.Connection, before: datetime) -> list[str]:
    """Have calls that came before then wait no longer: nobody waits for their answers; return their actions."""
    return [row["action"] for row in await connection.fetch(_EXPIRE, before)]


async def prune(connection: asyncpg.Connection, before: datetime) -> None:
    """Drop calls that are over and came before then."""
    await connection.execute(_PRUNE, before)


async def authorities(connection: asyncpg.Connection, shown: Collection[Shown]) -> Authorities:
    """Return who may have signed what is shown, or told by hashes: roots that are trusted, and others that are known.

    Whoever has signed those others is looked for, too, once: two authorities stand between a contract and its root.
    """
    shared = await inventory.roots(connection, [V2G_ROOT])
    anchors = [*await inventory.roots(connection, [MO_ROOT]), *shared]
    issuers = await asyncio.to_thread(_issuers, [each.chain for each in shown if each.chain])
    hashed = {question.named.issuer_key for each in shown if not each.chain for question in each.named}
    known = dict.fromkeys(await inventory.authorities(connection, issuers) if issuers else ())
    if hashed:
        known |= dict.fromkeys(await inventory.issuers(connection, hashed))
    above = {printable(_load(pem).issuer) for pem in known} - issuers
    if above:
        known |= dict.fromkeys(await inventory.authorities(connection, above))
    return Authorities(
        [_load(pem) for pem in anchors],
        [_load(pem) for pem in known if pem not in anchors],
        [_load(pem) for pem in shared],
    )


def _issuers(chains: Collection[str]) -> set[str]:
    return {printable(each.issuer) for chain in chains for each in _read(chain)}


def _read(chain: str) -> Sequence[x509.Certificate]:
    try:
        return read_chain(chain)
    except UnreadableCertificateError:  # it is refused where it is judged
        return ()


@lru_cache(maxsize=1024)
def _load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())

"""Stations in campaigns, and what is known of them; locked in the order of their ids.

Who changes a station in a campaign that is at work with it holds its row of `station_credentials`: one campaign is at
work with a station at a time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_security.credentials.domain.campaign import FINAL, Counts, Member
from chargebus_security.credentials.store.tables import CredentialsRow, MemberRow


class _Row(msgspec.Struct, frozen=True):
    member: Member
    known: bytes

    @property
    def idle(self) -> bool:
        """Whether its station is waited for."""
        return self.member.is_idle


class Registered(msgspec.Struct, frozen=True):
    """What the registry says of a station; `least_profile` None: it is not registered."""

    station_id: str
    least_profile: int | None
    passwords: tuple[str, ...]


_ROWS: Final = Rows(MemberRow, sources={"member": Member})
_REGISTERED: Final = Rows(CredentialsRow, without={"campaign_id"})
_KEEP: Final = _ROWS.upsert()
_KEEP_REGISTERED: Final = _REGISTERED.upsert()
_NAMES: Final = _REGISTERED.select()
_FIND_REGISTERED: Final = f"SELECT {_NAMES} FROM station_credentials WHERE station_id = ANY($1)"  # noqa: S608
_FORGET_GONE: Final = """DELETE FROM station_credentials
    WHERE station_id = ANY($1) AND campaign_id IS NULL AND least_profile IS NULL"""
_AT_WORK: Final = "SELECT station_id FROM station_credentials WHERE station_id = ANY($1) AND campaign_id IS NOT NULL"
# The row of `station_credentials` says whether another campaign is at work with the station, and is held by who begins.
_WAITING: Final = """SELECT m.known FROM credential_member m
    JOIN station_credentials c USING (station_id) JOIN station s USING (station_id)
    WHERE m.campaign_id = $1 AND m.state = 'waiting' AND c.campaign_id IS NULL AND s.online AND s.ocpp_version <> ''
        AND (s.security_profile IS NOT NULL OR NOT $3)
    ORDER BY m.station_id LIMIT $2 FOR UPDATE OF c, m SKIP LOCKED"""
_HOLD: Final = "UPDATE station_credentials SET campaign_id = $2 WHERE station_id = ANY($1)"
_RELEASE: Final = """UPDATE station_credentials c SET campaign_id = NULL
    FROM unnest($1::text[], $2::uuid[]) AS n (station_id, campaign_id)
    WHERE c.station_id = n.station_id AND c.campaign_id = n.campaign_id"""
_LEFT: Final = """SELECT known FROM credential_member WHERE campaign_id = $1 AND state = 'waiting'
    ORDER BY station_id LIMIT $2 FOR UPDATE"""
_LOCK_ACTIVE: Final = """SELECT m.known FROM credential_member m
    JOIN station_credentials c USING (station_id, campaign_id)
    WHERE m.station_id = ANY($1) ORDER BY m.station_id FOR UPDATE OF c, m"""
_DUE: Final = """SELECT m.known FROM credential_member m JOIN station_credentials c USING (station_id, campaign_id)
    WHERE m.due_at <= $1 ORDER BY m.due_at LIMIT $2 FOR UPDATE OF c, m SKIP LOCKED"""
_COUNT: Final = """SELECT state, count(*) AS count, count(*) FILTER (WHERE idle) AS idle
    FROM credential_member WHERE campaign_id = $1 GROUP BY state"""
_PAGE: Final = """SELECT known FROM credential_member
    WHERE campaign_id = $1 AND ($2::text IS NULL OR state = $2) AND station_id > $3 ORDER BY station_id LIMIT $4"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Member).decode


async def registered(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Registered]:
    """Return what the registry says of stations."""
    rows = await connection.fetch(_FIND_REGISTERED, list(station_ids))
    return {
        row["station_id"]: Registered(row["station_id"], row["least_profile"], tuple(row["passwords"])) for row in rows
    }


async def keep_registered(connection: asyncpg.Connection, stations: Collection[Registered]) -> None:
    """Keep what the registry says of stations now."""
    if stations:
        await connection.execute(_KEEP_REGISTERED, *_REGISTERED.arguments(stations))
        gone = [each.station_id for each in stations if each.least_profile is None]
        if gone:
            await connection.execute(_FORGET_GONE, gone)


async def at_work(connection: asyncpg.Connection, station_ids: Collection[str]) -> set[str]:
    """Return the stations with which a campaign is at work."""
    return {row["station_id"] for row in await connection.fetch(_AT_WORK, list(station_ids))}


async def keep(connection: asyncpg.Connection, members: Iterable[Member]) -> None:
    """Keep stations of campaigns as they are by now; those with which nothing more is done are free for others."""
    rows = [_Row(each, _encode(each)) for each in members]
    if not rows:
        return
    await connection.execute(_KEEP, *_ROWS.arguments(rows))
    over = [row.member for row in rows if row.member.state in FINAL]
    if over:
        station_ids = [each.station_id for each in over]
        await connection.execute(_RELEASE, station_ids, [each.campaign_id for each in over])
        await connection.execute(_FORGET_GONE, station_ids)


async def take_waiting(
    connection: asyncpg.Connection, campaign_id: UUID, limit: int, *, by_known_profile: bool
) -> list[Member]:
    """Return up to `limit` stations that are there and with which no campaign is at work, held for this one.

    Where that `by_known_profile` is meant, it is those only of which is known by which security profile they came in.
    """
    rows = await connection.fetch(_WAITING, campaign_id, limit, by_known_profile)
    taken = [_decode(row["known"]) for row in rows]
    await connection.execute(_HOLD, [each.station_id for each in taken], campaign_id)
    return taken


async def left(connection: asyncpg.Connection, campaign_id: UUID, limit: int) -> list[Member]:
    """Return up to `limit` stations that wait for their turn, locked."""
    return [_decode(row["known"]) for row in await connection.fetch(_LEFT, campaign_id, limit)]


async def lock_active(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Member]:
    """Return the stations with which a campaign is at work, each as it is there, locked."""
    rows = await connection.fetch(_LOCK_ACTIVE, sorted(station_ids))
    return {member.station_id: member for member in (_decode(row["known"]) for row in rows)}


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Member]:
    """Return up to `limit` stations that are due, locked; those that others hold are passed over."""
    return [_decode(row["known"]) for row in await connection.fetch(_DUE, now, limit)]


async def counts(connection: asyncpg.Connection, campaign_id: UUID) -> Counts:
    """Return how many stations of a campaign are in each state, and are idle."""
    rows = await connection.fetch(_COUNT, campaign_id)
    return Counts({row["state"]: row["count"] for row in rows}, sum(row["idle"] for row in rows))


async def page(
    connection: asyncpg.Connection, campaign_id: UUID, state: str | None, after: str, limit: int
) -> Sequence[Member]:
    """Return up to `limit` stations of a campaign in the order of their ids."""
    return [_decode(row["known"]) for row in await connection.fetch(_PAGE, campaign_id, state, after, limit)]


def by_station(members: Iterable[Member]) -> Mapping[str, Member]:
    """Return stations by their ids."""
    return {each.station_id: each for each in members}

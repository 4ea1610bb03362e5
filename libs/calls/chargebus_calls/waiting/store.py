"""Queries about calls that wait, and about those that did lately."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.frames import Frame
from chargebus_runtime.rows import Rows

from chargebus_calls.waiting.calls import Came, WaitingCall
from chargebus_calls.waiting.schema import WaitingCallRow


class _Call(msgspec.Struct, frozen=True):
    call_id: str
    station_id: str
    action: str
    content: str
    received_at: datetime
    claimed_until: datetime
    outcome: str
    frame: bytes


_ADD: Final = Rows(WaitingCallRow).insert_new()
_CLAIM: Final = """
UPDATE waiting_call SET claimed_until = $3 WHERE call_id IN (
    SELECT call_id FROM waiting_call WHERE action = $1 AND claimed_until <= $2
    ORDER BY claimed_until, received_at LIMIT $4 FOR UPDATE SKIP LOCKED
) RETURNING call_id, frame, content
"""
_CLAIM_OF_STATIONS: Final = """
UPDATE waiting_call SET claimed_until = $3 WHERE call_id IN (
    SELECT call_id FROM waiting_call WHERE action = $1 AND claimed_until <= $2 AND call_id IN (
        SELECT call_id FROM (
            SELECT call_id, row_number() OVER (PARTITION BY station_id ORDER BY received_at, call_id) AS place
            FROM waiting_call WHERE action = $1 AND claimed_until IS NOT NULL
        ) AS waiting WHERE place <= $5
    ) ORDER BY claimed_until, received_at LIMIT $4 FOR UPDATE SKIP LOCKED
) RETURNING call_id, frame, content
"""
_RELEASE: Final = """
UPDATE waiting_call SET claimed_until = $2 WHERE call_id = ANY($1) AND claimed_until IS NOT NULL
"""
_END: Final = """
UPDATE waiting_call SET claimed_until = NULL, outcome = $2, frame = '' WHERE call_id = $1 AND claimed_until IS NOT NULL
RETURNING call_id
"""
_EXPIRE: Final = """
UPDATE waiting_call SET claimed_until = NULL, outcome = 'expired', frame = ''
WHERE received_at < $1 AND claimed_until IS NOT NULL RETURNING action
"""
_PRUNE: Final = "DELETE FROM waiting_call WHERE received_at < $1 AND claimed_until IS NULL"
_RECENT: Final = """
SELECT station_id, count(*) AS calls, count(claimed_until) AS waiting FROM waiting_call
WHERE station_id = ANY($1) AND action = $2 AND received_at > $3 GROUP BY station_id
"""
_ENDED: Final = """
SELECT count(*) FROM waiting_call
WHERE station_id = $1 AND action = $2 AND content = $3 AND outcome = $4 AND received_at > $5
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_frame: Final = msgspec.msgpack.Decoder(Frame).decode


async def add(connection: asyncpg.Connection, calls: Iterable[WaitingCall], now: datetime) -> None:
    """Have calls wait, at least one, for any copy to take them."""
    rows = [
        _Call(frame.id, frame.station_id, frame.action, content, frame.received_at, now, "", _encode(frame))
        for frame, content in ((each.frame, each.content) for each in calls)
    ]
    await connection.execute(_ADD, *Rows(WaitingCallRow).arguments(rows))


class Wanted(msgspec.Struct, frozen=True):
    """Which calls a copy takes: up to `limit` of an action; of a station not more than `of_station` are under way."""

    action: str
    limit: int
    of_station: int | None = None


class Claimed(msgspec.Struct, frozen=True):
    """What a copy took: calls, and the ids of those whose frames cannot be read, each with why."""

    calls: Sequence[WaitingCall]
    unreadable: Mapping[str, str]


async def claim(connection: asyncpg.Connection, wanted: Wanted, now: datetime, until: datetime) -> Claimed:
    """Return calls that no copy is about; until then they are this one's."""
    if wanted.of_station is None:
        rows = await connection.fetch(_CLAIM, wanted.action, now, until, wanted.limit)
    else:
        rows = await connection.fetch(_CLAIM_OF_STATIONS, wanted.action, now, until, wanted.limit, wanted.of_station)
    calls, unreadable = [], {}
    for row in rows:
        try:
            calls.append(WaitingCall(_frame(row["frame"]), row["content"]))
        except msgspec.MsgspecError as error:
            unreadable[row["call_id"]] = str(error)
    return Claimed(calls, unreadable)


async def release(connection: asyncpg.Connection, calls: Iterable[WaitingCall], now: datetime) -> None:
    """Have any copy take calls that this one was about."""
    await connection.execute(_RELEASE, [each.frame.id for each in calls], now)


async def end(connection: asyncpg.Connection, call_id: str, outcome: str) -> bool:
    """Have a call wait no longer; tell whether it still did."""
    return await connection.fetchval(_END, call_id, outcome) is not None


async def expire(connection: asyncpg.Connection, before: datetime) -> list[str]:
    """Have calls that came before then wait no longer: nobody waits for their answers; return their actions."""
    return [row["action"] for row in await connection.fetch(_EXPIRE, before)]


async def prune(connection: asyncpg.Connection, before: datetime) -> None:
    """Drop calls that are over and came before then."""
    await connection.execute(_PRUNE, before)


async def recent(
    connection: asyncpg.Connection, station_ids: Collection[str], action: str, since: datetime
) -> dict[str, Came]:
    """Return what came of stations since then; calls are kept for an hour."""
    rows = await connection.fetch(_RECENT, list(station_ids), action, since)
    return {row["station_id"]: Came(row["calls"], row["waiting"]) for row in rows}


async def ended(connection: asyncpg.Connection, call: WaitingCall, outcome: str, since: datetime) -> int:
    """Return how many calls of the station that asked the same ended like this since then."""
    frame = call.frame
    count: int = await connection.fetchval(_ENDED, frame.station_id, frame.action, call.content, outcome, since)
    return count

"""Owns what is read and written for readings that come apart from a transaction's events: two round trips a batch.

Nobody else writes these sessions meanwhile: a station's events and its readings are applied one after the other, in
whichever copies their partitions are, and operators and rules hold both.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.columns import columns
from chargebus_runtime.rows import Rows

from chargebus_session.tables import SessionRow
from chargebus_session.transactions.domain.outside import LatelyEnded, Readings
from chargebus_session.transactions.domain.sessions import Session, Summary
from chargebus_session.transactions.domain.state import Change
from chargebus_session.transactions.store.batch import SESSION, encode_fold, read_session

_GOING_ON: Final = 16  # of a station; it has no more EVSEs, or reports its transactions by name

_SESSIONS: Final = f"""
SELECT r.station_id, r.name AS asked, s.session_id::text, s.version, s.name, s.start, s.transaction_id, s.created_at,
       s.updated_at, s.fold
FROM unnest($1::text[], $2::text[]) AS r (station_id, name)
CROSS JOIN LATERAL ({SESSION} WHERE station_id = r.station_id AND name = r.name LIMIT 1) AS s
UNION ALL
SELECT r.station_id, '', s.session_id::text, s.version, s.name, s.start, s.transaction_id, s.created_at, s.updated_at,
       s.fold
FROM unnest($3::text[]) AS r (station_id)
CROSS JOIN LATERAL (
    {SESSION} WHERE station_id = r.station_id AND state = 'active'
    ORDER BY session_id DESC LIMIT {_GOING_ON}
) AS s
UNION ALL
SELECT s.station_id, '', s.session_id::text, s.version, s.name, s.start, s.transaction_id, s.created_at, s.updated_at,
       s.fold
FROM ({SESSION} WHERE session_id = ANY($4::uuid[]) AND state = 'ended') AS s
"""  # noqa: S608 (text from above)

_MEASURED: Final = (
    "session_id",
    "state",
    "meter_start_wh",
    "meter_stop_wh",
    "energy_wh",
    "energy_source",
    "flags",
    "updated_at",
    "fold",
)
_ROWS: Final = Rows(
    SessionRow, only=_MEASURED, sources={"summary": Summary, "session": Session}, encode={"fold": encode_fold}
)
_UPDATE: Final = _ROWS.update()


class Found(msgspec.Struct, frozen=True):
    """The sessions that readings may be of: by the name that was asked for, and by station where they name none."""

    by_name: dict[tuple[str, str], str] = {}
    by_station: dict[str, list[str]] = {}
    sessions: dict[str, Session] = {}


async def load(
    connection: asyncpg.Connection, readings: Sequence[Readings], lately_ended: LatelyEnded, now: datetime
) -> Found:
    """Read the sessions that readings may be of."""
    named = {(each.station_id, name) for each in readings for name in each.names}
    stations = {each.station_id for each in readings if not each.names}
    found = Found({}, {}, {})
    if not named and not stations:
        return found
    names = columns(sorted(named)) if named else ([], [])
    for row in await connection.fetch(_SESSIONS, *names, sorted(stations), lately_ended.of(stations, now)):
        session_id = row["session_id"]
        if row["asked"]:
            found.by_name[row["station_id"], row["asked"]] = session_id
        else:
            found.by_station.setdefault(row["station_id"], []).append(session_id)
        if session_id not in found.sessions:
            found.sessions[session_id] = read_session(row)
    return found


async def save(connection: asyncpg.Connection, changes: Iterable[Change]) -> None:
    """Write what readings changed of sessions."""
    arguments = _ROWS.arguments(changes)
    if arguments[0]:
        await connection.execute(_UPDATE, *arguments)

"""Queries about sessions that may be over."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.columns import columns
from chargebus_runtime.rows import Rows

from chargebus_session.tables import ConnectorStateRow, DoubtRow
from chargebus_session.transactions.domain.endings import Answer, ConnectorState, Doubt, StationSign

_ROWS: Final = Rows(DoubtRow)
_STATE_ROWS: Final = Rows(ConnectorStateRow)
_STRENGTH: Final = "CASE WHEN {0}.sign IN ('version', 'removed') THEN 2 WHEN {0}.sign = 'boot' THEN 0 ELSE 1 END"
_BEGUN: Final = """
    (CASE WHEN flags && ARRAY['clock_implausible']::varchar[] THEN created_at ELSE LEAST(begun_at, created_at) END)
"""
_UNFINISHED: Final = "FROM charging_session WHERE station_id = r.station_id AND state = 'active' AND station_id <> ''"
_NOTE: Final = f"""
INSERT INTO session_doubt (session_id, sign, at, noticed_at, due_at, asked, answer, attempts)
SELECT DISTINCT ON (s.session_id) s.session_id, r.sign, r.at, $7, $8, false, '', 0
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::text[])
    AS r (station_id, sign, at, evse_id, connector_id, versions)
CROSS JOIN LATERAL (
    SELECT session_id {_UNFINISHED} AND {_BEGUN} < r.at
    AND (r.evse_id = 0 OR evse_id = r.evse_id)
    AND (r.connector_id = 0 OR connector_id IN (0, r.connector_id))
    AND (r.versions = '' OR version <> ALL(string_to_array(r.versions, ',')))
    LIMIT 20
) AS s
ORDER BY s.session_id, {_STRENGTH.format("r")} DESC, r.at DESC
ON CONFLICT (session_id) DO UPDATE SET sign = excluded.sign, at = excluded.at, noticed_at = excluded.noticed_at
WHERE excluded.sign IN ('version', 'removed') OR session_doubt.sign = 'boot'
"""  # noqa: S608 (text from above)
_SUPERSEDE: Final = f"""
INSERT INTO session_doubt (session_id, sign, at, noticed_at, due_at, asked, answer, attempts)
SELECT DISTINCT ON (session_id) session_id, 'next_start', at, ${{now}}, ${{due}}, false, '', 0 FROM (
    SELECT s.session_id, r.at FROM unnest(${{first}}::text[], ${{second}}::bigint[], ${{third}}::timestamptz[])
        AS r (station_id, evse_id, at)
    CROSS JOIN LATERAL (SELECT session_id {_UNFINISHED} AND evse_id = r.evse_id AND {_BEGUN} < r.at LIMIT 20) AS s
) AS older ORDER BY session_id, at
ON CONFLICT (session_id) DO UPDATE SET sign = excluded.sign, at = excluded.at, noticed_at = excluded.noticed_at
WHERE session_doubt.sign = 'boot'
"""  # noqa: S608 (text from above)
_DUE: Final = f"""
SELECT {_ROWS.select()} FROM session_doubt WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 (names of columns)
_ANY_DUE: Final = "SELECT EXISTS (SELECT FROM session_doubt WHERE due_at <= $1)"
_CHANGE: Final = _ROWS.update()
_DROP: Final = "DELETE FROM session_doubt WHERE session_id = ANY($1::uuid[])"
_TELL: Final = """
UPDATE session_doubt AS d SET answer = t.answer, due_at = $3
FROM unnest($1::uuid[], $2::text[]) AS t (session_id, answer) WHERE d.session_id = t.session_id AND d.asked
"""
_KEEP_STATES: Final = _STATE_ROWS.upsert()
_STATES: Final = f"SELECT {_STATE_ROWS.select()} FROM connector_state WHERE station_id = ANY($1::text[])"  # noqa: S608
_FORGET: Final = "DELETE FROM connector_state WHERE station_id = ANY($1::text[])"


async def keep_states(connection: asyncpg.Connection, states: Iterable[ConnectorState]) -> None:
    """Keep what connectors said last, in order."""
    newest = {(each.station_id, each.evse_id, each.connector_id): each for each in states}
    if newest:
        await connection.execute(_KEEP_STATES, *_STATE_ROWS.arguments(newest.values()))


async def states(connection: asyncpg.Connection, station_ids: Collection[str]) -> list[ConnectorState]:
    """Return what the connectors of stations said last."""
    return [ConnectorState(**row) for row in await connection.fetch(_STATES, list(station_ids))]


async def forget_states(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Forget the connectors of stations that are no more."""
    if station_ids:
        await connection.execute(_FORGET, list(station_ids))


async def note(connection: asyncpg.Connection, signs: Sequence[StationSign], now: datetime, due_at: datetime) -> None:
    """Note signs that sessions may be over, of those that are not."""
    rows = [
        (each.station_id, each.sign, each.at, each.evse_id, each.connector_id, ",".join(each.versions))
        for each in signs
    ]
    if rows:
        await connection.execute(_NOTE, *columns(rows), now, due_at)


def supersede(first: int) -> str:
    """Return the INSERT that notes what begins where a session is going on: station, EVSE, time, now, due.

    For a part of the statement that writes what begins, which it does not see.
    """
    names = ("first", "second", "third", "now", "due")
    return _SUPERSEDE.format(**{name: first + place for place, name in enumerate(names)})


async def any_due(connection: asyncpg.Connection, now: datetime) -> bool:
    """Tell whether a doubt is due; locks nothing."""
    found: bool = await connection.fetchval(_ANY_DUE, now)
    return found


async def due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Doubt]:
    """Return doubts that are due, locked, but for those that another copy holds."""
    return [_doubt(row) for row in await connection.fetch(_DUE, now, limit)]


async def change(connection: asyncpg.Connection, doubts: Collection[Doubt]) -> None:
    """Write changed doubts."""
    if doubts:
        await connection.execute(_CHANGE, *_ROWS.arguments(doubts))


async def drop(connection: asyncpg.Connection, session_ids: Collection[str]) -> None:
    """Forget doubts."""
    if session_ids:
        await connection.execute(_DROP, list(session_ids))


async def tell(connection: asyncpg.Connection, answers: Mapping[str, Answer], now: datetime) -> None:
    """Note what stations said of the sessions that they were asked about; that makes them due."""
    await connection.execute(_TELL, list(answers), list(answers.values()), now)


def _doubt(row: asyncpg.Record) -> Doubt:
    return Doubt(**{**row, "session_id": str(row["session_id"])})

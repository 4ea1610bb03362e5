"""Alerts and what groups stand for, read and written in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.alerts.domain.alert import Alert
from chargebus_notification.alerts.domain.grouping import SiteCount
from chargebus_notification.alerts.store.tables import AlertMemberRow, AlertRow

_ROWS: Final = Rows(AlertRow, without={"number"})
_MEMBERS: Final = Rows(AlertMemberRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM alert "  # noqa: S608 - names of columns
_LATEST_OF_SUBJECTS: Final = f"""{_SELECT}
WHERE alert_id IN (
    SELECT DISTINCT ON (cause) alert_id FROM alert WHERE subject = ANY($1) AND source = $2 AND group_by = ''
    ORDER BY cause, number DESC
) ORDER BY alert_id FOR NO KEY UPDATE
"""  # noqa: S608
_LATEST_OF_CAUSES: Final = f"""{_SELECT}
WHERE alert_id IN (SELECT DISTINCT ON (cause) alert_id FROM alert WHERE cause = ANY($1) ORDER BY cause, number DESC)
ORDER BY alert_id FOR NO KEY UPDATE
"""  # noqa: S608
_LOCK: Final = _SELECT + "WHERE alert_id = $1 FOR NO KEY UPDATE"
_FIND: Final = _SELECT + "WHERE alert_id = $1"
_OPEN_GROUPS: Final = _SELECT + "WHERE state <> 'resolved' AND group_by <> '' ORDER BY alert_id"
_TAKE_GROUPS: Final = _OPEN_GROUPS + " FOR NO KEY UPDATE SKIP LOCKED"
_OPEN: Final = _SELECT + "WHERE state <> 'resolved' AND alert_id > $1 ORDER BY alert_id LIMIT $2"
_TAKE: Final = f"""{_SELECT}
WHERE alert_id = ANY($1) AND state <> 'resolved' ORDER BY alert_id FOR NO KEY UPDATE SKIP LOCKED
"""
_ADD: Final = f"{_ROWS.insert()} ON CONFLICT DO NOTHING RETURNING alert_id"
_KEEP: Final = _ROWS.update()
_PAGE: Final = f"""
SELECT number, {_ROWS.select()} FROM alert
WHERE ($1::bigint IS NULL OR number < $1) AND ($3::text[] IS NULL OR state = ANY($3))
AND ($4::text IS NULL OR severity = $4) AND ($5::text IS NULL OR station_id = $5)
AND ($6::text IS NULL OR rule_id = $6) AND ($7::jsonb IS NULL OR labels @> $7)
ORDER BY number DESC LIMIT $2
"""  # noqa: S608
_OPEN_BY_SEVERITY: Final = "SELECT severity, count(*) AS open FROM alert WHERE state <> 'resolved' GROUP BY severity"
_FORGET: Final = """
DELETE FROM alert WHERE alert_id IN (
    SELECT alert_id FROM alert WHERE resolved_at < $1 ORDER BY resolved_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING alert_id
"""
_JOIN: Final = f"{_MEMBERS.upsert()}"
_LEAVE: Final = "DELETE FROM alert_member WHERE cause = ANY($1)"
_OF_STATIONS: Final = """
SELECT m.cause, m.alert_id, a.state <> 'resolved' OR a.resolved_by <> '' AS stands
FROM alert_member AS m LEFT JOIN alert AS a USING (alert_id) WHERE m.station_id = ANY($1)
"""
_COUNT: Final = """
SELECT alert_id, count(DISTINCT station_id) AS members FROM alert_member WHERE alert_id = ANY($1) GROUP BY alert_id
"""
_MEMBERS_PAGE: Final = """
SELECT station_id, min(since) AS since FROM alert_member WHERE alert_id = $1 AND station_id > $2
GROUP BY station_id ORDER BY station_id LIMIT $3
"""
_WENT: Final = """
SELECT offline_since, station_id FROM known_station WHERE offline_since BETWEEN $1 AND $2 ORDER BY offline_since
"""
_BEGAN: Final = """
SELECT rule_id, first_at AS at, subject AS station_id FROM alert
WHERE rule_id = ANY($1) AND opened_at > $2 AND group_by = ''
UNION ALL SELECT a.rule_id, m.since, m.station_id FROM alert AS a JOIN alert_member AS m USING (alert_id)
WHERE a.rule_id = ANY($1) AND a.state <> 'resolved' AND a.group_by <> ''
"""
_LAST_SESSIONS: Final = """
SELECT date_trunc('hour', last_session_at, 'UTC') AS hour, count(*) AS stations FROM known_station
WHERE last_session_at > $2 AND NOT removed AND labels @> $1::jsonb GROUP BY 1 ORDER BY 1
"""
_FLEET: Final = "SELECT count(*) FROM known_station WHERE NOT removed AND (online OR offline_since IS NOT NULL)"
_SITES: Final = """
SELECT labels->>$1 AS site, count(*) AS stations, count(offline_since) AS away FROM known_station
WHERE labels->>$1 = ANY($2) AND NOT removed AND (online OR offline_since IS NOT NULL) GROUP BY 1
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which alerts a list is to have; None: all."""

    states: Sequence[str] | None = None
    severity: str | None = None
    station_id: str | None = None
    rule_id: str | None = None
    labels: Mapping[str, str] | None = None


class Member(msgspec.Struct, frozen=True):
    """A cause that a group stands for."""

    cause: str
    alert_id: str
    station_id: str
    since: datetime


class Membership(msgspec.Struct, frozen=True):
    """Of which group a cause is; `stands`: the group is open, or an operator said that it is over."""

    alert_id: str
    stands: bool


async def latest_of_subjects(
    connection: asyncpg.Connection, subjects: Collection[str], source: str
) -> dict[str, Alert]:
    """Return the newest alert of each cause of stations and the like, as a service tells of it, locked; by cause."""
    return _by_cause(await connection.fetch(_LATEST_OF_SUBJECTS, list(subjects), source))


async def latest_of_causes(connection: asyncpg.Connection, causes: Collection[str]) -> dict[str, Alert]:
    """Return the newest alert of each cause, locked; by cause."""
    return _by_cause(await connection.fetch(_LATEST_OF_CAUSES, list(causes)))


async def lock(connection: asyncpg.Connection, alert_id: str) -> Alert | None:
    """Return an alert, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, alert_id)
    return None if row is None else _alert(row)


async def find(connection: asyncpg.Connection, alert_id: str) -> Alert | None:
    """Return an alert."""
    row = await connection.fetchrow(_FIND, alert_id)
    return None if row is None else _alert(row)


async def open_groups(connection: asyncpg.Connection) -> dict[str, Alert]:
    """Return the groups that are open, by cause."""
    return _by_cause(await connection.fetch(_OPEN_GROUPS))


async def take_groups(connection: asyncpg.Connection) -> list[Alert]:
    """Return the groups that are open, locked; those that another copy looks at are passed over."""
    return [_alert(row) for row in await connection.fetch(_TAKE_GROUPS)]


async def some_open(connection: asyncpg.Connection, after: str, limit: int) -> list[Alert]:
    """Return up to `limit` open alerts in the order of their ids."""
    return [_alert(row) for row in await connection.fetch(_OPEN, after, limit)]


async def take(connection: asyncpg.Connection, alert_ids: Collection[str]) -> list[Alert]:
    """Return those of these alerts that are open, locked; what others hold is passed over."""
    return [_alert(row) for row in await connection.fetch(_TAKE, list(alert_ids))]


async def add(connection: asyncpg.Connection, new: Iterable[Alert]) -> set[str]:
    """Add alerts, unless one of the same cause is open; return the ids of those that were."""
    rows = await connection.fetch(_ADD, *_ROWS.arguments(new))
    return {row["alert_id"] for row in rows}


async def keep(connection: asyncpg.Connection, changed: Iterable[Alert]) -> None:
    """Keep alerts that the transaction holds."""
    arguments = _ROWS.arguments(changed)
    if arguments[0]:
        await connection.execute(_KEEP, *arguments)


async def page(
    connection: asyncpg.Connection, wanted: Wanted, before: int | None, limit: int
) -> list[tuple[int, Alert]]:
    """Return up to `limit` alerts, the newest first, each with its number."""
    labels = None if wanted.labels is None else msgspec.json.encode(wanted.labels).decode()
    rows = await connection.fetch(
        _PAGE, before, limit, wanted.states, wanted.severity, wanted.station_id, wanted.rule_id, labels
    )
    return [(row["number"], _alert(row)) for row in rows]


async def open_by_severity(connection: asyncpg.Connection) -> dict[str, int]:
    """Return how many alerts are open, by severity."""
    return {row["severity"]: row["open"] for row in await connection.fetch(_OPEN_BY_SEVERITY)}


async def forget(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Drop up to `limit` alerts that were resolved before then; return how many."""
    return len(await connection.fetch(_FORGET, before, limit))


async def join(connection: asyncpg.Connection, members: Iterable[Member]) -> None:
    """Have groups stand for causes."""
    await connection.execute(_JOIN, *_MEMBERS.arguments(members))


async def leave(connection: asyncpg.Connection, causes: Collection[str]) -> None:
    """Have no group stand for causes any more."""
    if causes:
        await connection.execute(_LEAVE, list(causes))


async def memberships(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Membership]:
    """Return the groups of what concerns stations, by cause."""
    rows = await connection.fetch(_OF_STATIONS, list(station_ids))
    return {row["cause"]: Membership(row["alert_id"], bool(row["stands"])) for row in rows}


async def members(connection: asyncpg.Connection, alert_ids: Collection[str]) -> dict[str, int]:
    """Return for how many stations groups stand."""
    rows = await connection.fetch(_COUNT, list(alert_ids))
    return {row["alert_id"]: row["members"] for row in rows}


async def members_page(
    connection: asyncpg.Connection, alert_id: str, after: str, limit: int
) -> list[tuple[str, datetime]]:
    """Return up to `limit` stations of a group and since when each is, in the order of their ids."""
    rows = await connection.fetch(_MEMBERS_PAGE, alert_id, after, limit)
    return [(row["station_id"], row["since"]) for row in rows]


async def went(connection: asyncpg.Connection, first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    """Return when stations went that are away, and which, as far as it was within a time, in order."""
    return [(row["offline_since"], row["station_id"]) for row in await connection.fetch(_WENT, first, last)]


async def began(
    connection: asyncpg.Connection, rule_ids: Collection[str], since: datetime
) -> list[tuple[str, datetime, str]]:
    """Return when what rules told of began, each with its rule and its station: lately, or in a group that is open."""
    return [
        (row["rule_id"], row["at"], row["station_id"]) for row in await connection.fetch(_BEGAN, list(rule_ids), since)
    ]


async def last_sessions(
    connection: asyncpg.Connection, labels: Mapping[str, str], since: datetime
) -> list[tuple[datetime, int]]:
    """Return at how many stations with these labels the last session began in each hour since then in which one did."""
    rows = await connection.fetch(_LAST_SESSIONS, msgspec.json.encode(labels).decode(), since)
    return [(row["hour"], row["stations"]) for row in rows]


async def fleet(connection: asyncpg.Connection) -> int:
    """Return how many stations there are that ever connected."""
    return int(await connection.fetchval(_FLEET))


async def sites(
    connection: asyncpg.Connection, label: str, values: Collection[str]
) -> dict[tuple[str, str], SiteCount]:
    """Return how many stations sites have, and how many are away, by label and value."""
    rows = await connection.fetch(_SITES, label, list(values))
    return {(label, row["site"]): SiteCount(row["stations"], row["away"]) for row in rows}


def _by_cause(rows: Iterable[asyncpg.Record]) -> dict[str, Alert]:
    return {alert.cause: alert for alert in map(_alert, rows)}


def _alert(row: asyncpg.Record) -> Alert:
    values = {name: row[name] for name in _ROWS.names}
    values["labels"] = msgspec.json.decode(row["labels"])
    return Alert(**values)

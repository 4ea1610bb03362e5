"""Owns what a batch of frames reads before it is decided, and writes after.

Three round trips, whatever the batch's size: tokens, sessions, what became of them. Ids that ran out, remote starts
that led to something, transaction ids that a station gave out again, and ends that name no transaction take one each.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg
import msgspec
from chargebus_runtime.columns import columns
from chargebus_runtime.rows import Rows

from chargebus_session.tables import EventRow, SessionRow
from chargebus_session.tokens.domain import IdToken, Token
from chargebus_session.transactions.domain.events import Event, corrected
from chargebus_session.transactions.domain.fold import Fold
from chargebus_session.transactions.domain.power import Place
from chargebus_session.transactions.domain.sessions import (
    TRANSACTION_ID_REUSED,
    Report,
    Session,
    Summary,
    reused_prefix,
)
from chargebus_session.transactions.domain.state import Alias, Change, FirstAnswer, Known, Recorded, RemoteStart, Use
from chargebus_session.transactions.store import endings
from chargebus_session.transactions.store.identities import TransactionIds

REMOTE_START_OPEN: Final = timedelta(minutes=10)
"""How long after a remote start a transaction of OCPP 1.6, which cannot name it, is taken for its result."""

_EARLIER_KEPT: Final = 32  # of the transactions that had an id before; what comes still later is not known again
_BLOCK: Final = 100  # the sequence's increment

# A token that may charge once at a time is in use, if at all, in one of the newest sessions that took it.
_TOKENS: Final = """
SELECT r.used_key, t.token_key, t.id_token, t.type, t.group_id, t.blocked, t.expires_at, t.concurrent,
       u.session_id::text, u.station_id, u.evse_id, u.begun_at, u.created_at, u.flags
FROM unnest($1::text[], $2::text[]) AS r (token_key, used_key)
CROSS JOIN LATERAL (SELECT * FROM token WHERE token_key = r.token_key LIMIT 1) AS t
LEFT JOIN LATERAL (
    SELECT session_id, station_id, evse_id, begun_at, created_at, flags, state FROM charging_session
    WHERE token_key = r.used_key AND token_key <> '' AND billable AND NOT t.concurrent
    ORDER BY session_id DESC LIMIT 20
) AS u ON u.state = 'active'
"""
# LATERAL with a LIMIT: an index probe for each, whatever the planner believes of the tables' sizes. Of open remote
# starts there are some, as a transaction that waited in a queue may be older than the newest.
SESSION: Final = """
    SELECT session_id, station_id, version, name, start, transaction_id, created_at, updated_at, fold
    FROM charging_session
"""
# The event itself, and one of the same number and kind that was not the same.
_EVENT: Final = """
    SELECT number, kind, content, occurred_at, answer FROM session_event
    WHERE session_id = s.session_id AND number = r.number AND kind = r.kind
    ORDER BY content <> r.content, received_at LIMIT 2
"""
_OF_IDS: Final = """
SELECT session_id::text, station_id, version, name, start, transaction_id, created_at, updated_at, fold
FROM charging_session WHERE session_id = ANY($1::uuid[])
"""
_SESSIONS: Final = f"""
SELECT s.session_id::text, s.station_id, s.version, s.name, s.start, s.transaction_id, s.created_at, s.updated_at,
       s.fold, e.number, e.kind, e.content, e.occurred_at, e.answer, NULL::bigint AS remote_start_id,
       r.station_id AS asked_by,
       NULL::bigint AS asked_evse_id, NULL::text AS asked_token_key, NULL::timestamptz AS requested_at,
       NULL::bigint AS connector_id, NULL::float8 AS max_power_w
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) AS r (station_id, name, number, kind, content)
CROSS JOIN LATERAL ({SESSION} WHERE station_id = r.station_id AND name = r.name LIMIT 1) AS s
LEFT JOIN LATERAL ({_EVENT}) AS e ON true
UNION ALL
SELECT s.session_id::text, s.station_id, s.version, s.name, s.start, s.transaction_id, s.created_at, s.updated_at,
       s.fold, e.number, e.kind, e.content, e.occurred_at, e.answer, i.remote_start_id, r.station_id, r.evse_id,
       r.token_key, i.requested_at, NULL, NULL
FROM unnest($6::text[], $7::text[], $8::bigint[], $9::text[]) AS r (station_id, start, evse_id, token_key)
LEFT JOIN LATERAL ({SESSION} WHERE station_id = r.station_id AND start = r.start AND start <> '' LIMIT 1) AS s ON true
LEFT JOIN LATERAL (
    SELECT * FROM session_event WHERE session_id = s.session_id AND number = 0 AND kind = 'Started' LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (
    SELECT remote_start_id, requested_at FROM remote_start
    WHERE pending AND session_id IS NULL AND station_id = r.station_id AND token_key = r.token_key
    AND evse_id = r.evse_id AND requested_at > $10
    ORDER BY requested_at DESC LIMIT 5
) AS i ON true
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, p.station_id,
       p.evse_id, NULL, NULL, p.connector_id, p.max_power_w
FROM unnest($11::text[]) AS r (station_id)
CROSS JOIN LATERAL (SELECT * FROM power_limit WHERE station_id = r.station_id LIMIT 1000) AS p
"""  # noqa: S608 (text from above)
_EARLIER: Final = f"""
SELECT s.session_id::text, s.station_id, s.version, s.name, s.start, s.transaction_id, s.created_at, s.updated_at,
       s.fold, e.number, e.kind, e.content, e.occurred_at, e.answer, NULL::bigint AS remote_start_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
    AS r (station_id, transaction_id, after, before, number, kind, content)
CROSS JOIN LATERAL ({SESSION}
    WHERE station_id = r.station_id AND name > r.after AND name < r.before AND transaction_id = r.transaction_id
    ORDER BY name DESC LIMIT {_EARLIER_KEPT}
) AS s
LEFT JOIN LATERAL ({_EVENT}) AS e ON true
"""  # noqa: S608 (text from above)
_GUESSED: Final = f"""
SELECT s.session_id::text, s.station_id, s.version, s.name, s.start, s.transaction_id, s.created_at, s.updated_at,
       s.fold, s.alias, e.number, e.kind, e.content, e.occurred_at, e.answer, NULL::bigint AS remote_start_id
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
    AS r (station_id, name, number, kind, content)
CROSS JOIN LATERAL (
    (SELECT u.*, NULL AS alias FROM (
        {SESSION} WHERE station_id = r.station_id AND state = 'active' AND station_id <> '' LIMIT 20
    ) AS u)
    UNION ALL
    (SELECT n.*, a.name FROM session_alias AS a
     CROSS JOIN LATERAL ({SESSION} WHERE session_id = a.session_id) AS n
     WHERE a.station_id = r.station_id AND a.name = r.name)
) AS s
LEFT JOIN LATERAL ({_EVENT}) AS e ON true
"""  # noqa: S608 (text from above)
_RESERVE: Final = "SELECT nextval('transaction_id') FROM generate_series(1, $1)"

encode_fold = msgspec.msgpack.Encoder().encode
_decode_fold = msgspec.msgpack.Decoder(Fold).decode

_SESSION_ROWS: Final = Rows(
    SessionRow, sources={"summary": Summary, "session": Session}, encode={"fold": encode_fold}, in_given_order=True
)
_EVENT_ROWS: Final = Rows(EventRow, sources={"event": Event}, in_given_order=True)
_AFTER_ROWS: Final = len(_SESSION_ROWS.names) + len(_EVENT_ROWS.names) + 1
_KEEP: Final = f"""
WITH kept AS ({_SESSION_ROWS.upsert(keep=("station_id", "version", "transaction_id", "created_at"))}),
doubted AS ({endings.supersede(_AFTER_ROWS)}),
told AS ({_EVENT_ROWS.insert(first=len(_SESSION_ROWS.names) + 1)})
SELECT DISTINCT station_id FROM reservation
WHERE state IN ('asked', 'reserved', 'unknown') AND station_id = ANY(${_AFTER_ROWS + 5})
"""  # noqa: S608 (text from above)
_NAME: Final = """
INSERT INTO session_alias (station_id, name, session_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[]) ON CONFLICT DO NOTHING
"""
_LINK: Final = """
UPDATE remote_start AS i SET session_id = l.session_id
FROM unnest($1::text[], $2::bigint[], $3::uuid[]) AS l (station_id, remote_start_id, session_id)
WHERE i.remote_start_id = l.remote_start_id AND i.station_id = l.station_id AND i.session_id IS NULL
"""


class _KeptEvent(NamedTuple):
    """An event as it is stored: as it first came, and what it was answered."""

    event: Event
    recorded: Recorded

    @property
    def session_id(self) -> str:
        """The session that it is of."""
        return self.recorded.session.session_id

    @property
    def counts(self) -> bool:
        """Whether it changed the session."""
        return self.recorded.counts

    @property
    def occurred_at(self) -> datetime:
        """The station's time."""
        return self.event.at

    @property
    def id_token(self) -> str:
        """The token's text, empty without one."""
        return self.event.token.text if self.event.token else ""

    @property
    def token_status(self) -> str:
        """What the token was told, empty without one."""
        return self.recorded.judgement.status if self.recorded.judgement else ""

    @property
    def answer(self) -> bytes:
        """What the event was answered."""
        return self.recorded.payload


async def load(connection: asyncpg.Connection, tokens: Collection[IdToken], reports: Sequence[Report]) -> Known:
    """Read what is known of a batch's tokens, of the transactions that it reports, and of their places."""
    known = Known(tokens={}, uses={}, answers={}, aliases={}, power_limits={})
    if tokens:
        keys = sorted({(key, used) for token in tokens for key in token.keys for used in token.used_keys})
        _add_tokens(known, await connection.fetch(_TOKENS, *columns(keys)))
    if not reports:
        return known
    placing = sorted({report.station_id for report in reports if report.event.evse_id is not None})
    rows = await connection.fetch(_SESSIONS, *_named(reports), *_starts(reports), _open_since(reports), placing)
    _add_limits(known, rows)
    known = _with_sessions(known, rows)
    for query, asked in ((_EARLIER, _reused(reports, known)), (_GUESSED, _unnamed(reports, known))):
        if asked:
            known = _with_sessions(known, await connection.fetch(query, *columns(asked)))
    return known


async def reserve(connection: asyncpg.Connection, ids: TransactionIds, wanted: int) -> None:
    """See to it that `ids` can give as many as are wanted."""
    missing = wanted - ids.left
    if missing > 0:
        for row in await connection.fetch(_RESERVE, -(-missing // _BLOCK)):
            ids.add(range(row["nextval"], row["nextval"] + _BLOCK))


async def of_ids(connection: asyncpg.Connection, session_ids: Collection[str]) -> list[Session]:
    """Return the sessions of these ids."""
    return [read_session(row) for row in await connection.fetch(_OF_IDS, list(session_ids))]


async def name(connection: asyncpg.Connection, named: Mapping[Alias, str]) -> None:
    """Keep the names by which stations named sessions that have another one."""
    if named:
        await connection.execute(_NAME, *columns([(*alias, session_id) for alias, session_id in named.items()]))


async def save(
    connection: asyncpg.Connection, changes: Sequence[Change], now: datetime, doubted_for: timedelta
) -> set[str]:
    """Write what became of sessions, and the new events that brought it; the newest state of a session is the last one.

    What goes on where another one begins is doubted, after `doubted_for`.

    Sessions are written in the order in which they first changed: one that gives up its start goes before the one that
    takes it.

    Returns:
        Those of the stations where something is reserved: asked along, as it takes no round trip of its own.
    """
    if not changes:
        return set()
    newest = {each.session.session_id: each for each in changes}
    recorded = [each for each in changes if isinstance(each, Recorded)]
    sessions = _SESSION_ROWS.arguments(newest.values())
    events = _EVENT_ROWS.arguments(_KeptEvent(each.event, each) for each in recorded)
    begun = _begun(recorded)
    places = columns(begun) if begun else ([], [], [])
    stations = sorted({each.session.station_id for each in changes})
    rows = await connection.fetch(_KEEP, *sessions, *events, *places, now, now + doubted_for, stations)
    links = [_link(each) for each in recorded if each.event.remote_start_id is not None]
    if links:
        await connection.execute(_LINK, *columns(links))
    return {row["station_id"] for row in rows}


def _begun(recorded: Sequence[Recorded]) -> list[tuple[str, int, datetime]]:
    """Return where and when sessions began."""
    return [
        (each.session.station_id, each.summary.evse_id, each.session.begun_at)
        for each in recorded
        if each.before is None and each.event.kind == "Started" and each.summary.evse_id
    ]


def _named(reports: Sequence[Report]) -> Iterable[list[str | int]]:
    rows = [
        (report.station_id, name, report.event.number, report.event.kind, report.event.content)
        for report in reports
        for name in report.reference.names
    ]
    return columns(rows) if rows else ([], [], [], [], [])


def _reused(reports: Sequence[Report], known: Known) -> list[tuple[str | int, ...]]:
    """Return what is asked of the sessions that had the same transaction id before."""
    names = {
        (session.station_id, session.name) for session in known.sessions if TRANSACTION_ID_REUSED in session.fold.flags
    }
    return [_asked_before(report) for report in reports if _is_one_of(names, report)] if names else []


def _is_one_of(names: Collection[tuple[str, str]], report: Report) -> bool:
    return any((report.station_id, name) in names for name in report.reference.names)


def _unnamed(reports: Sequence[Report], known: Known) -> list[tuple[str | int, ...]]:
    """Return what is asked of the sessions of stations that named none, though they may mean one."""
    guessing = [report for report in reports if report.reference.guessed]
    names = {(session.station_id, session.name) for session in known.sessions} if guessing else set()
    return [
        (report.station_id, report.reference.names[-1], report.event.number, report.event.kind, report.event.content)
        for report in guessing
        if not _is_one_of(names, report)
    ]


def _asked_before(report: Report) -> tuple[str | int, ...]:
    transaction_id, event = report.reference.transaction_id, report.event
    after = reused_prefix(transaction_id)
    before = f"{after[:-1]}{chr(ord(after[-1]) + 1)}"
    return report.station_id, transaction_id, after, before, event.number, event.kind, event.content


def _starts(reports: Sequence[Report]) -> Iterable[list[str | int]]:
    rows = [
        (report.station_id, report.reference.start, report.event.evse_id or 0, _token_key(report))
        for report in reports
        if report.reference.start
    ]
    return columns(rows) if rows else ([], [], [], [])


def _token_key(report: Report) -> str:
    return report.event.token.key if report.event.token else ""


def _open_since(reports: Sequence[Report]) -> datetime:
    return min(report.event.received_at for report in reports) - REMOTE_START_OPEN


def _add_tokens(known: Known, rows: Iterable[asyncpg.Record]) -> None:
    for row in rows:
        key = row["token_key"]
        known.tokens[key] = Token(**{name: row[name] for name in Token.__struct_fields__})
        if row["session_id"] is not None:
            begun_at = corrected(row["begun_at"], row["created_at"], row["flags"])
            use = Use(row["session_id"], row["station_id"], row["evse_id"], begun_at)
            known.uses.setdefault(row["used_key"], []).append(use)


def _add_limits(known: Known, rows: Iterable[asyncpg.Record]) -> None:
    for row in rows:
        if row["max_power_w"] is not None:
            place = Place(row["asked_by"], row["asked_evse_id"], row["connector_id"])
            known.power_limits[place] = row["max_power_w"]


def _with_sessions(known: Known, rows: Iterable[asyncpg.Record]) -> Known:
    sessions = {session.session_id: session for session in known.sessions}
    remote_starts = {start.remote_start_id: start for start in known.remote_starts}
    answers = known.answers
    for row in rows:
        session_id = row["session_id"]
        if session_id is not None and session_id not in sessions:
            sessions[session_id] = read_session(row)
        if row.get("alias") is not None:
            known.aliases[row["station_id"], row["alias"]] = session_id
        if row["answer"] is not None:
            contents = answers.setdefault((session_id, row["number"], row["kind"]), {})
            contents.setdefault(row["content"], FirstAnswer(row["answer"], row["occurred_at"]))
        if row["remote_start_id"] is not None:
            remote_starts[row["remote_start_id"]] = RemoteStart(
                row["remote_start_id"],
                row["asked_by"],
                row["asked_evse_id"],
                row["asked_token_key"],
                row["requested_at"],
            )
    return msgspec.structs.replace(
        known, sessions=tuple(sessions.values()), remote_starts=tuple(remote_starts.values())
    )


def read_session(row: asyncpg.Record) -> Session:
    """Return a session out of a row with the columns of `SESSION`."""
    identity = {name: row[name] for name in Session.__struct_fields__ if name != "fold"}
    return Session(**identity, fold=_decode_fold(row["fold"]))


def _link(recorded: Recorded) -> tuple[str, int | None, str]:
    return recorded.session.station_id, recorded.event.remote_start_id, recorded.session.session_id

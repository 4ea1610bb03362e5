"""Set-based queries on the tables: readings stored once, found by session; what the session told of places."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec
from chargebus_events.public import MeterReadings, Reading
from chargebus_runtime.columns import columns

from chargebus_metering.domain.identity import Place, Transaction
from chargebus_metering.domain.readings import SetAside
from chargebus_metering.session_events import KnownSession

# COPY fills columns by name, so this order is only that of the tuples below.
_READING_COLUMNS = (
    "reading_id",
    "station_id",
    "evse_id",
    "connector_id",
    "transaction_id",
    "received_at",
    "sampled_at",
    "measurand",
    "phase",
    "location",
    "context",
    "value",
    "unit",
    "original_value",
    "original_unit",
    "multiplier",
)
_STAGED = "staged_reading"
_STAGE = f"CREATE TEMP TABLE IF NOT EXISTS {_STAGED} (LIKE meter_reading) ON COMMIT DELETE ROWS"
_INSERT_STAGED = f"""
INSERT INTO meter_reading ({", ".join(_READING_COLUMNS)}) SELECT {", ".join(_READING_COLUMNS)} FROM {_STAGED}
ON CONFLICT (reading_id) DO NOTHING RETURNING reading_id
"""  # noqa: S608 (names from above)

# The readings of a transaction that came before anybody told its EVSE get it in the same statement.
_REMEMBER_SESSIONS = """
WITH told AS (
    INSERT INTO charging_session AS known (session_id, station_id, transaction_id, evse_id, connector_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[])
    ON CONFLICT (session_id) DO UPDATE
    SET transaction_id = excluded.transaction_id, evse_id = excluded.evse_id, connector_id = excluded.connector_id
    WHERE (known.transaction_id, known.evse_id, known.connector_id)
    IS DISTINCT FROM (excluded.transaction_id, excluded.evse_id, excluded.connector_id)
    RETURNING station_id, transaction_id, evse_id, connector_id
)
UPDATE meter_reading AS r SET evse_id = told.evse_id, connector_id = told.connector_id FROM told
WHERE told.evse_id <> 0 AND r.station_id = told.station_id AND r.transaction_id = told.transaction_id
AND r.evse_id = 0 AND r.transaction_id <> ''
"""
# LATERAL with a LIMIT: an index probe for each, whatever the planner believes of the tables' sizes. A reading of the
# same transaction knows, too, and may be here before its session is.
_FIND_PLACES = """
SELECT t.station_id, t.transaction_id, s.evse_id, s.connector_id
FROM unnest($1::text[], $2::text[]) AS t (station_id, transaction_id) CROSS JOIN LATERAL (
    (SELECT evse_id, connector_id FROM charging_session
    WHERE station_id = t.station_id AND transaction_id = t.transaction_id AND evse_id <> 0 LIMIT 1)
    UNION ALL
    (SELECT evse_id, connector_id FROM meter_reading
    WHERE station_id = t.station_id AND transaction_id = t.transaction_id AND evse_id <> 0 LIMIT 1)
    LIMIT 1
) AS s
"""
_INSERT_SET_ASIDE = """
INSERT INTO set_aside_value
(value_id, station_id, evse_id, connector_id, transaction_id, received_at, timestamp, reason, original)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::text[]
)
ON CONFLICT (value_id) DO NOTHING RETURNING station_id, reason
"""
_FIND_SESSION = "SELECT station_id, transaction_id FROM charging_session WHERE session_id = $1"
_LIST_READINGS = """
SELECT * FROM meter_reading
WHERE station_id = $1 AND transaction_id = $2 AND reading_id > $3 AND reading_id < $4
AND ($5::timestamptz IS NULL OR sampled_at >= $5) AND ($6::timestamptz IS NULL OR sampled_at < $6)
AND ($7::text IS NULL OR measurand = $7) AND ($8::text IS NULL OR phase = $8) AND ($9::text IS NULL OR context = $9)
ORDER BY reading_id LIMIT $10
"""


async def remember_sessions(connection: asyncpg.Connection, sessions: Sequence[KnownSession]) -> None:
    """Keep whose transactions these sessions are."""
    if sessions:
        await connection.execute(
            _REMEMBER_SESSIONS,
            [session.session_id for session in sessions],
            [session.station_id for session in sessions],
            [session.transaction_id for session in sessions],
            [session.evse_id for session in sessions],
            [session.connector_id for session in sessions],
        )


async def find_places(
    connection: asyncpg.Connection, transactions: Collection[Transaction]
) -> dict[Transaction, Place]:
    """Return the places of those transactions that a session, or an earlier reading, told of."""
    if not transactions:
        return {}
    rows = await connection.fetch(_FIND_PLACES, *columns(transactions))
    return {
        (row["station_id"], row["transaction_id"]): Place(
            row["station_id"], row["evse_id"], row["connector_id"], row["transaction_id"]
        )
        for row in rows
    }


async def insert_readings(connection: asyncpg.Connection, messages: Sequence[MeterReadings]) -> list[MeterReadings]:
    """Store readings, each once, and return every message with only those of its readings that were new.

    A reading that several of the messages bring belongs to the first of them.
    """
    rows: dict[str, tuple[MeterReadings, Reading]] = {}
    for message in messages:
        for reading in message.readings:
            rows.setdefault(reading.reading_id, (message, reading))
    if not rows:
        return list(messages)
    await connection.execute(_STAGE)
    await connection.copy_records_to_table(
        _STAGED, columns=_READING_COLUMNS, records=[_row(message, reading) for message, reading in rows.values()]
    )
    stored = await connection.fetch(_INSERT_STAGED)
    if len(stored) == sum(len(message.readings) for message in messages):
        return list(messages)
    return _only(messages, {str(row["reading_id"]) for row in stored})


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that is set aside, and where it came from."""

    place: Place
    received_at: datetime
    value: SetAside


async def insert_set_aside(connection: asyncpg.Connection, kept: Sequence[Kept]) -> Counter[tuple[str, str]]:
    """Keep values that are set aside, each once; return how many were new by station and reason."""
    rows = [
        (
            each.value.value_id,
            each.place.station_id,
            each.place.evse_id or 0,
            each.place.connector_id,
            each.place.transaction_id,
            each.received_at,
            each.value.timestamp,
            each.value.reason,
            each.value.original,
        )
        for each in kept
    ]
    if not rows:
        return Counter()
    stored = await connection.fetch(_INSERT_SET_ASIDE, *columns(rows))
    return Counter((row["station_id"], row["reason"]) for row in stored)


@dataclass(frozen=True)
class ReadingQuery:
    """Which readings of a transaction to list, in the order of their ids; None filters nothing.

    `after_id` and `before_id` bound the ids, both exclusive; `sampled_from` is inclusive, `sampled_to` exclusive.
    """

    transaction: Transaction
    after_id: str
    before_id: str
    limit: int
    sampled_from: datetime | None = None
    sampled_to: datetime | None = None
    measurand: str | None = None
    phase: str | None = None
    context: str | None = None


async def find_session(pool: asyncpg.Pool, session_id: str) -> Transaction | None:
    """Return the transaction of a session, or None if nobody told of that session."""
    row = await pool.fetchrow(_FIND_SESSION, session_id)
    return None if row is None else (row["station_id"], row["transaction_id"])


async def list_readings(pool: asyncpg.Pool, query: ReadingQuery) -> list[asyncpg.Record]:
    """Return rows of `meter_reading`."""
    rows: list[asyncpg.Record] = await pool.fetch(
        _LIST_READINGS,
        *query.transaction,
        query.after_id,
        query.before_id,
        query.sampled_from,
        query.sampled_to,
        query.measurand,
        query.phase,
        query.context,
        query.limit,
    )
    return rows


def _row(message: MeterReadings, reading: Reading) -> tuple[object, ...]:
    return (
        reading.reading_id,
        message.station_id,
        message.evse_id,
        message.connector_id,
        message.transaction_id,
        message.received_at,
        reading.sampled_at,
        reading.measurand,
        reading.phase,
        reading.location,
        reading.context,
        reading.value,
        reading.unit,
        reading.original_value,
        reading.original_unit,
        reading.multiplier,
    )


def _only(messages: Sequence[MeterReadings], new: set[str]) -> list[MeterReadings]:
    """Keep the first occurrence of each new reading."""
    return [msgspec.structs.replace(message, readings=tuple(_take(message.readings, new))) for message in messages]


def _take(readings: Sequence[Reading], new: set[str]) -> Iterator[Reading]:
    for reading in readings:
        if reading.reading_id in new:
            new.remove(reading.reading_id)
            yield reading

"""Readings: stored once, listed by transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import msgspec
from chargebus_events.public import MeterReadings, Reading
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_metering.domain.identity import Transaction
from chargebus_metering.store.tables import MeterReading


class _Told(NamedTuple):
    """A reading and the message that brought it."""

    message: MeterReadings
    reading: Reading


_ROWS: Final = Rows(MeterReading, sources={"reading": Reading, "message": MeterReadings})
_INSERT: Final = f"{_ROWS.insert_new()} RETURNING reading_id"


async def insert(connection: asyncpg.Connection, messages: Sequence[MeterReadings]) -> list[MeterReadings]:
    """Store readings, each once, and return every message with only those of its readings that were new.

    A reading that several of the messages bring belongs to the first of them.
    """
    told: dict[str, _Told] = {}
    for message in messages:
        for reading in message.readings:
            told.setdefault(reading.reading_id, _Told(message, reading))
    if not told:
        return list(messages)
    stored = await connection.fetch(_INSERT, *_ROWS.arguments(told.values()))
    if len(stored) == sum(len(message.readings) for message in messages):
        return list(messages)
    return _only(messages, {str(row["reading_id"]) for row in stored})


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


async def listed(pool: asyncpg.Pool, query: ReadingQuery) -> list[MeterReading]:
    """Return the readings that are asked for."""
    where = Conditions()
    where.add("station_id = {}", query.transaction[0])
    where.add("transaction_id = {}", query.transaction[1])
    where.add("reading_id > {}", query.after_id)
    where.add("reading_id < {}", query.before_id)
    where.add("sampled_at >= {}", query.sampled_from)
    where.add("sampled_at < {}", query.sampled_to)
    where.add("measurand = {}", query.measurand)
    where.add("phase = {}", query.phase)
    where.add("context = {}", query.context)
    sql = f"SELECT {_ROWS.select()} FROM meter_reading {where.sql} ORDER BY reading_id LIMIT {query.limit:d}"  # noqa: S608
    return [_ROWS.read(row) for row in await pool.fetch(sql, *where.arguments)]


def _only(messages: Sequence[MeterReadings], new: set[str]) -> list[MeterReadings]:
    """Keep the first occurrence of each new reading."""
    return [msgspec.structs.replace(message, readings=tuple(_take(message.readings, new))) for message in messages]


def _take(readings: Sequence[Reading], new: set[str]) -> Iterator[Reading]:
    for reading in readings:
        if reading.reading_id in new:
            new.remove(reading.reading_id)
            yield reading

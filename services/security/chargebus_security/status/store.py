"""Answers that still count, and the calls of stations that wait for one."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.frames import Frame
from chargebus_runtime.rows import Rows
from sqlmodel import Field

from chargebus_security.status.domain.asked import Found, Question, Status
from chargebus_security.tables import ID, TIME, Tables


class StatusAnswerRow(Tables, table=True):
    """What is known of the status of a certificate, and until when; `key` is of the question."""

    __tablename__ = "status_answer"

    key: str = Field(primary_key=True, sa_type=ID)
    status: str
    checked_at: datetime = Field(sa_type=TIME)
    next_update: datetime = Field(sa_type=TIME, index=True)
    response: bytes


class StatusCallRow(Tables, table=True):
    """A call of a station that waits: `frame` and `questions` (MessagePack), and until when a copy is about it."""

    __tablename__ = "status_call"

    call_id: str = Field(primary_key=True, sa_type=ID)
    received_at: datetime = Field(sa_type=TIME)
    claimed_until: datetime = Field(sa_type=TIME, index=True)
    frame: bytes
    questions: bytes


class WaitingCall(msgspec.Struct, frozen=True):
    """A call that waits, and what it asks."""

    frame: Frame
    questions: tuple[Question, ...]


class _Answer(msgspec.Struct, frozen=True):
    key: str
    found: Found


class _Call(msgspec.Struct, frozen=True):
    call_id: str
    received_at: datetime
    claimed_until: datetime
    frame: bytes
    questions: bytes


_ANSWERS: Final = Rows(StatusAnswerRow, sources={"found": Found})
_CALLS: Final = Rows(StatusCallRow)
_FRESH: Final = f"SELECT {_ANSWERS.select()} FROM status_answer WHERE key = ANY($1) AND next_update > $2"  # noqa: S608
_KEEP: Final = _ANSWERS.upsert()
_PRUNE: Final = "DELETE FROM status_answer WHERE next_update < $1"
_ADD: Final = _CALLS.insert_new()
_CLAIM: Final = """
UPDATE status_call SET claimed_until = $2 WHERE call_id IN (
    SELECT call_id FROM status_call WHERE claimed_until <= $1 ORDER BY claimed_until LIMIT $3 FOR UPDATE SKIP LOCKED
) RETURNING frame, questions
"""
_END: Final = "DELETE FROM status_call WHERE call_id = $1 RETURNING call_id"
_EXPIRE: Final = "DELETE FROM status_call WHERE received_at < $1 RETURNING call_id"

_encode: Final = msgspec.msgpack.Encoder().encode
_frame: Final = msgspec.msgpack.Decoder(Frame).decode
_questions: Final = msgspec.msgpack.Decoder(tuple[Question, ...]).decode


async def fresh(connection: asyncpg.Connection, questions: Collection[Question], now: datetime) -> dict[str, Found]:
    """Return what is known and still counts, by the keys of questions."""
    by_hash = {_hash(each): each.key for each in questions}
    return {
        by_hash[row["key"]]: Found(_status(row["status"]), row["checked_at"], row["next_update"], row["response"])
        for row in await connection.fetch(_FRESH, list(by_hash), now)
    }


async def keep(connection: asyncpg.Connection, found: Mapping[Question, Found]) -> None:
    """Keep what counts for some time."""
    rows = {_hash(question): _Answer(_hash(question), each) for question, each in found.items()}
    if rows:
        await connection.execute(_KEEP, *_ANSWERS.arguments(rows.values()))


async def add_calls(connection: asyncpg.Connection, calls: Iterable[WaitingCall], now: datetime) -> None:
    """Have calls wait, for any copy to take them."""
    rows = [
        _Call(each.frame.id, each.frame.received_at, now, _encode(each.frame), _encode(each.questions))
        for each in calls
    ]
    if rows:
        await connection.execute(_ADD, *_CALLS.arguments(rows))


async def claim(connection: asyncpg.Connection, now: datetime, until: datetime, limit: int) -> Sequence[WaitingCall]:
    """Return up to `limit` calls that no copy is about; until then they are this one's."""
    rows = await connection.fetch(_CLAIM, now, until, limit)
    return [WaitingCall(_frame(row["frame"]), _questions(row["questions"])) for row in rows]


async def end(connection: asyncpg.Connection, call: WaitingCall) -> bool:
    """Have a call wait no longer; tell whether it still did."""
    return await connection.fetchval(_END, call.frame.id) is not None


async def expire(connection: asyncpg.Connection, before: datetime) -> int:
    """Drop calls that came before then: nobody waits for their answers; return how many."""
    return len(await connection.fetch(_EXPIRE, before))


async def prune(connection: asyncpg.Connection, now: datetime) -> None:
    """Drop answers that do not count any more."""
    await connection.execute(_PRUNE, now)


def _hash(question: Question) -> str:
    return hashlib.sha256(question.key.encode()).hexdigest()


def _status(text: str) -> Status:
    status: Status = msgspec.convert(text, Status)
    return status

"""Answers of responders that still count."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
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


class _Answer(msgspec.Struct, frozen=True):
    key: str
    found: Found


_ANSWERS: Final = Rows(StatusAnswerRow, sources={"found": Found})
_FRESH: Final = f"SELECT {_ANSWERS.select()} FROM status_answer WHERE key = ANY($1) AND next_update > $2"  # noqa: S608
_KEEP: Final = _ANSWERS.upsert()
_PRUNE: Final = "DELETE FROM status_answer WHERE next_update < $1"


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


async def prune(connection: asyncpg.Connection, now: datetime) -> None:
    """Drop answers that do not count any more."""
    await connection.execute(_PRUNE, now)


def _hash(question: Question) -> str:
    return hashlib.sha256(question.key.encode()).hexdigest()


def _status(text: str) -> Status:
    status: Status = msgspec.convert(text, Status)
    return status

"""Subscriptions, and how far each is; whoever delivers to one holds it by a claim that is written in its row."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.delivery.domain.subscription import Wanted
from chargebus_notification.delivery.store.tables import SubscriptionRow

_ROWS: Final = Rows(SubscriptionRow, sources={"wanted": Wanted})
_CHANGED: Final = Rows(
    SubscriptionRow,
    only=["subscription_id", *Wanted.__struct_fields__, "sealed", "updated_at"],
    sources={"wanted": Wanted},
)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM subscription"  # noqa: S608 - names of columns
_PAGE: Final = f"{_SELECT} WHERE subscription_id > $1 ORDER BY subscription_id LIMIT $2"
_FIND: Final = f"{_SELECT} WHERE subscription_id = $1"
_LOCK: Final = f"{_SELECT} WHERE subscription_id = $1 FOR NO KEY UPDATE"
_DUE: Final = f"""
{_SELECT} WHERE status = 'active' AND next_at <= $1 AND busy_until <= $1 AND ($3::uuid IS NULL OR subscription_id = $3)
ORDER BY next_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""
_ADD: Final = _ROWS.insert()
_CHANGE: Final = _CHANGED.update()
_REMOVE: Final = "DELETE FROM subscription WHERE subscription_id = $1"
_WAKE: Final = """
UPDATE subscription AS s SET next_at = least(s.next_at, n.due_at)
FROM (
    SELECT g.* FROM unnest($1::uuid[], $2::timestamptz[]) AS g (subscription_id, due_at)
    JOIN subscription AS l USING (subscription_id) ORDER BY g.subscription_id FOR NO KEY UPDATE OF l
) AS n
WHERE s.subscription_id = n.subscription_id
"""
_CLAIM: Final = """
UPDATE subscription SET claim = $2, busy_until = $3, message_id = $4 WHERE subscription_id = $1
"""
_LOOK_AGAIN: Final = """
UPDATE subscription SET claim = NULL, busy_until = $2, message_id = NULL, attempts = 0, failing_since = NULL,
    remaining = NULL, next_at = (SELECT min(due_at) FROM delivery WHERE subscription_id = $1 AND state = 'waiting')
WHERE subscription_id = $1
"""
_TROUBLE: Final = "UPDATE subscription SET trouble = $2 WHERE subscription_id = $1"
_FAIL: Final = """
UPDATE subscription SET claim = NULL, busy_until = $2, attempts = attempts + 1,
    failing_since = coalesce(failing_since, $3), remaining = $4, trouble = $5
WHERE subscription_id = $1
"""
_PARK: Final = """
UPDATE subscription SET claim = NULL, status = 'parked', reason = $2, status_at = $3, trouble = $2
WHERE subscription_id = $1
"""
_RESUME: Final = """
UPDATE subscription SET claim = NULL, status = 'active', reason = '', status_at = $2, trouble = '', busy_until = $2,
    attempts = 0, failing_since = NULL, next_at = $2
WHERE subscription_id = $1
"""
_RESTART: Final = """
UPDATE subscription SET claim = NULL, busy_until = $2, attempts = 0, failing_since = NULL, remaining = NULL,
    trouble = ''
WHERE subscription_id = $1
"""
_LOOK_SOON: Final = "UPDATE subscription SET next_at = $2 WHERE subscription_id = $1"
_RESEAL: Final = (
    f"{_SELECT} WHERE sealed IS NOT NULL AND NOT starts_with(sealed, $1) LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
)
_SEALED: Final = "UPDATE subscription SET sealed = $2 WHERE subscription_id = $1"
_PARKED: Final = "SELECT count(*) FROM subscription WHERE status = 'parked'"

_encode_json = msgspec.json.Encoder().encode


class Subscription(msgspec.Struct, frozen=True):
    """A subscription as it is kept."""

    subscription_id: UUID
    wanted: Wanted
    created_at: datetime
    updated_at: datetime
    status_at: datetime
    busy_until: datetime
    sealed: str | None = None
    status: str = "active"
    reason: str = ""
    trouble: str = ""
    next_at: datetime | None = None
    claim: UUID | None = None
    message_id: UUID | None = None
    attempts: int = 0
    failing_since: datetime | None = None
    remaining: tuple[str, ...] | None = None


class Failure(msgspec.Struct, frozen=True):
    """A failed attempt; `remaining` are the addresses that the next one is for, None: all."""

    retry_at: datetime
    at: datetime
    remaining: tuple[str, ...] | None
    error: str


async def add(connection: asyncpg.Connection, subscription: Subscription) -> None:
    """Keep a new one."""
    await connection.execute(_ADD, *_ROWS.arguments([subscription]))


async def page(connection: asyncpg.Connection, after: UUID, limit: int) -> list[Subscription]:
    """Return up to `limit` in the order of their ids."""
    return [_subscription(row) for row in await connection.fetch(_PAGE, after, limit)]


async def all_of_them(connection: asyncpg.Connection) -> list[Subscription]:
    """Return every subscription."""
    return [_subscription(row) for row in await connection.fetch(_SELECT)]


async def find(connection: asyncpg.Connection, subscription_id: UUID) -> Subscription | None:
    """Return one."""
    row = await connection.fetchrow(_FIND, subscription_id)
    return None if row is None else _subscription(row)


async def lock(connection: asyncpg.Connection, subscription_id: UUID) -> Subscription | None:
    """Return one, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, subscription_id)
    return None if row is None else _subscription(row)


async def change(connection: asyncpg.Connection, changed: Subscription) -> None:
    """Keep what is wanted now."""
    await connection.execute(_CHANGE, *_CHANGED.arguments([changed]))


async def remove(connection: asyncpg.Connection, subscription_id: UUID) -> None:
    """Drop one."""
    await connection.execute(_REMOVE, subscription_id)


async def wake(connection: asyncpg.Connection, due: Mapping[UUID, datetime]) -> None:
    """Have subscriptions looked at when they are due; the last thing that a batch does here."""
    await connection.execute(_WAKE, list(due), list(due.values()))


async def take_due(
    connection: asyncpg.Connection, now: datetime, limit: int, only: UUID | None = None
) -> list[Subscription]:
    """Return up to `limit` that are due and that nobody delivers to, locked; those that others hold are passed over."""
    return [_subscription(row) for row in await connection.fetch(_DUE, now, limit, only)]


async def claim(
    connection: asyncpg.Connection, subscription_id: UUID, claim_id: UUID, until: datetime, message_id: UUID
) -> None:
    """Note who delivers which message, and until when nobody else does."""
    await connection.execute(_CLAIM, subscription_id, claim_id, until, message_id)


async def look_again(connection: asyncpg.Connection, subscription_id: UUID, now: datetime) -> None:
    """Note that nothing is under way; the row must be locked before, so that nothing is missed that waits."""
    await connection.execute(_LOOK_AGAIN, subscription_id, now)


async def note(connection: asyncpg.Connection, subscription_id: UUID, trouble: str) -> None:
    """Keep what an operator should know of the receiver; empty: nothing."""
    await connection.execute(_TROUBLE, subscription_id, trouble)


async def fail(connection: asyncpg.Connection, subscription_id: UUID, failure: Failure) -> None:
    """Note a failed attempt, and when the next one is."""
    remaining = None if failure.remaining is None else _encode_json(failure.remaining).decode()
    await connection.execute(_FAIL, subscription_id, failure.retry_at, failure.at, remaining, failure.error)


async def park(connection: asyncpg.Connection, subscription_id: UUID, reason: str, now: datetime) -> None:
    """Give a receiver up until somebody resumes it."""
    await connection.execute(_PARK, subscription_id, reason, now)


async def resume(connection: asyncpg.Connection, subscription_id: UUID, now: datetime) -> None:
    """Deliver again, as of now."""
    await connection.execute(_RESUME, subscription_id, now)


async def restart(connection: asyncpg.Connection, subscription_id: UUID, now: datetime) -> None:
    """Begin anew with what is under way: the receiver is another one."""
    await connection.execute(_RESTART, subscription_id, now)


async def look_soon(connection: asyncpg.Connection, subscription_id: UUID, now: datetime) -> None:
    """Have a subscription looked at: what waits for it may be due now."""
    await connection.execute(_LOOK_SOON, subscription_id, now)


async def sealed_otherwise(connection: asyncpg.Connection, prefix: str, limit: int) -> list[Subscription]:
    """Return up to `limit` whose secrets were sealed with another key than the one that `prefix` names, locked."""
    return [_subscription(row) for row in await connection.fetch(_RESEAL, prefix, limit)]


async def keep_sealed(connection: asyncpg.Connection, sealed: Iterable[tuple[UUID, str]]) -> None:
    """Keep secrets, sealed anew."""
    await connection.executemany(_SEALED, list(sealed))


async def parked(connection: asyncpg.Connection) -> int:
    """Return how many are parked."""
    count: int = await connection.fetchval(_PARKED)
    return count


def _subscription(row: asyncpg.Record) -> Subscription:
    read: Any = _ROWS.read(row)
    wanted = msgspec.convert({name: getattr(read, name) for name in Wanted.__struct_fields__}, Wanted)
    return Subscription(
        wanted=wanted,
        **{name: getattr(read, name) for name in Subscription.__struct_fields__ if name != "wanted"},
    )

"""What subscriptions are told, in its order, and the log of it; read and written in sets."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.delivery.domain.subscription import Told
from chargebus_notification.delivery.store.tables import AttemptRow, DeliveryRow

_NEW: Final = Rows(DeliveryRow, without=["number"], sources={"told": Told}, in_given_order=True)
_ROWS: Final = Rows(DeliveryRow)
_ATTEMPT: Final = Rows(AttemptRow, without=["number"], in_given_order=True)
_ADD: Final = f"{_NEW.insert_new()} RETURNING subscription_id, due_at"
_SELECT: Final = f"SELECT {_ROWS.select()} FROM delivery"  # noqa: S608 - names of columns
_OF_MESSAGE: Final = f"{_SELECT} WHERE message_id = $1 AND state = 'waiting' ORDER BY due_at, number"
_WAITING: Final = f"""
{_SELECT} WHERE subscription_id = $1 AND state = 'waiting' AND due_at <= $2 ORDER BY due_at, number LIMIT $3
"""
_GATHER: Final = "UPDATE delivery SET message_id = $2 WHERE delivery_id = ANY($1)"
# What is critical takes along what its alert told before: changes of one alert keep their order.
_DUE_AT: Final = """
CASE WHEN d.severity = 'critical' OR EXISTS (
    SELECT FROM delivery AS l WHERE l.alert_id = d.alert_id AND l.number > d.number
        AND l.subscription_id = d.subscription_id AND l.state = 'waiting' AND l.severity = 'critical'
) THEN $2::timestamptz ELSE $3::timestamptz END
"""
_PUT_OFF: Final = f"""
UPDATE delivery AS d SET due_at = {_DUE_AT}
WHERE d.subscription_id = $1 AND d.state = 'waiting' AND d.message_id IS NULL
    AND d.due_at <= $4 AND d.due_at < {_DUE_AT}
"""  # noqa: S608
_RESCHEDULE: Final = f"""
UPDATE delivery AS d SET due_at = {_DUE_AT}
WHERE d.subscription_id = $1 AND d.state = 'waiting' AND d.message_id IS NULL
"""  # noqa: S608
_TAKE_ALONG: Final = """
UPDATE delivery AS d SET due_at = n.due_at FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])
    AS n (subscription_id, alert_id, due_at)
WHERE d.subscription_id = n.subscription_id AND d.alert_id = n.alert_id AND d.state = 'waiting'
    AND d.message_id IS NULL AND d.due_at > n.due_at
"""
_TRIED: Final = "UPDATE delivery SET attempts = attempts + 1, error = $2 WHERE message_id = $1 AND state = 'waiting'"
_END: Final = """
UPDATE delivery SET state = 'delivered', attempts = attempts + 1, error = $2, ended_at = $3
WHERE message_id = $1 AND state = 'waiting'
"""
_CANCEL: Final = """
UPDATE delivery SET state = 'cancelled', ended_at = $2, error = $3 WHERE subscription_id = $1 AND state = 'waiting'
"""
_ATTEMPTED: Final = _ATTEMPT.insert()
_ATTEMPTS: Final = f"SELECT {_ATTEMPT.select()} FROM delivery_attempt WHERE message_id = $1 ORDER BY number LIMIT $2"  # noqa: S608
_FIND: Final = f"{_SELECT} WHERE delivery_id = $1"
_EXPIRE: Final = """
UPDATE delivery SET state = 'expired', ended_at = $2, error = 'it waited for longer than deliveries are kept'
WHERE delivery_id IN (SELECT delivery_id FROM delivery WHERE state = 'waiting' AND received_at < $1 LIMIT $3)
"""
_ORPHANS: Final = """
UPDATE delivery AS d SET state = 'cancelled', ended_at = $1, error = 'its subscription was removed'
WHERE d.state = 'waiting' AND NOT EXISTS (SELECT FROM subscription AS s WHERE s.subscription_id = d.subscription_id)
"""
_FORGET: Final = """
DELETE FROM delivery WHERE delivery_id IN (
    SELECT delivery_id FROM delivery WHERE state <> 'waiting' AND received_at < $1 AND ended_at < $1 LIMIT $2
)
"""
_FORGET_ATTEMPTS: Final = """
DELETE FROM delivery_attempt WHERE number IN (SELECT number FROM delivery_attempt WHERE at < $1 LIMIT $2)
"""
_OLDEST: Final = """
SELECT min(d.due_at) FROM delivery AS d JOIN subscription AS s USING (subscription_id)
WHERE d.state = 'waiting' AND s.status = 'active' AND d.due_at <= $1
"""
_LAST: Final = """
SELECT DISTINCT ON (subscription_id, alert_id) subscription_id, alert_id, change, severity
FROM delivery WHERE alert_id = ANY($1) ORDER BY subscription_id, alert_id, number DESC
"""
_FILTERS: Final = ("subscription_id", "alert_id", "state")


class NewDelivery(msgspec.Struct, frozen=True):
    """A change of an alert that a subscription is to be told of."""

    delivery_id: UUID
    subscription_id: UUID
    told: Told
    received_at: datetime
    due_at: datetime
    message_id: UUID | None = None
    state: str = "waiting"
    attempts: int = 0
    ended_at: datetime | None = None
    error: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """An attempt to deliver a message."""

    message_id: UUID
    at: datetime
    took_ms: int
    outcome: str
    status: int | None
    error: str
    next_at: datetime | None


async def add(connection: asyncpg.Connection, deliveries: Iterable[NewDelivery]) -> list[tuple[UUID, datetime]]:
    """Keep what is to be told; what is kept already is not told twice. Return the subscriptions of what is new.

    What waits of an alert goes with what passes it: nobody is told of an end before its beginning.
    """
    added = list(deliveries)
    rows = [tuple(row) for row in await connection.fetch(_ADD, *_NEW.arguments(added))]
    passing: dict[tuple[UUID, str], datetime] = {}
    for each in added:
        key = (each.subscription_id, each.told.alert_id)
        passing[key] = min(each.due_at, passing.get(key, each.due_at))
    ids, alerts = [key[0] for key in passing], [key[1] for key in passing]
    await connection.execute(_TAKE_ALONG, ids, alerts, list(passing.values()))
    return rows


async def last(connection: asyncpg.Connection, alert_ids: Collection[str]) -> dict[tuple[UUID, str], tuple[str, str]]:
    """Return what subscriptions were told of alerts last, by subscription and alert: a state and a severity."""
    rows = await connection.fetch(_LAST, list(alert_ids))
    return {(row["subscription_id"], row["alert_id"]): (row["change"], row["severity"]) for row in rows}


async def of_message(connection: asyncpg.Connection, message_id: UUID) -> list[DeliveryRow]:
    """Return what a message that is under way is made of."""
    return [_ROWS.read(row) for row in await connection.fetch(_OF_MESSAGE, message_id)]


async def due(connection: asyncpg.Connection, subscription_id: UUID, now: datetime, limit: int) -> list[DeliveryRow]:
    """Return up to `limit` that are to be told now, in their order."""
    return [_ROWS.read(row) for row in await connection.fetch(_WAITING, subscription_id, now, limit)]


async def gather(connection: asyncpg.Connection, rows: Sequence[DeliveryRow], message_id: UUID) -> None:
    """Make one message of deliveries; it keeps its id however often it is tried."""
    await connection.execute(_GATHER, [row.delivery_id for row in rows], message_id)


async def put_off(
    connection: asyncpg.Connection, subscription_id: UUID, critical_at: datetime, other_at: datetime, now: datetime
) -> None:
    """Have what is due now wait until then, such as for the end of quiet hours that it did not come in."""
    await connection.execute(_PUT_OFF, subscription_id, critical_at, other_at, now)


async def reschedule(
    connection: asyncpg.Connection, subscription_id: UUID, critical_at: datetime, other_at: datetime
) -> None:
    """Have what waits wait until then, as its subscription was changed."""
    await connection.execute(_RESCHEDULE, subscription_id, critical_at, other_at)


async def attempted(connection: asyncpg.Connection, attempt: Attempt) -> None:
    """Keep an attempt."""
    await connection.execute(_ATTEMPTED, *_ATTEMPT.arguments([attempt]))


async def tried(connection: asyncpg.Connection, message_id: UUID, error: str, _now: datetime) -> None:
    """Note that a message was tried in vain."""
    await connection.execute(_TRIED, message_id, error)


async def delivered(connection: asyncpg.Connection, message_id: UUID, note: str, now: datetime) -> None:
    """Note that a message was delivered; `note` says to whom not."""
    await connection.execute(_END, message_id, note, now)


async def cancel(connection: asyncpg.Connection, subscription_id: UUID, now: datetime, why: str) -> None:
    """Give up all that waits for a subscription."""
    await connection.execute(_CANCEL, subscription_id, now, why)


async def page(
    connection: asyncpg.Connection, filters: dict[str, object], before: int | None, limit: int
) -> list[DeliveryRow]:
    """Return up to `limit`, the newest first; filters are those of `_FILTERS` that are given."""
    given = [(name, filters[name]) for name in _FILTERS if filters.get(name) is not None]
    where = [f"{name} = ${number}" for number, (name, _) in enumerate(given, 3)]
    query = " AND ".join(["number < $1", *where])
    values = [value for _, value in given]
    rows = await connection.fetch(
        f"{_SELECT} WHERE {query} ORDER BY number DESC LIMIT $2", before or 2**63 - 1, limit, *values
    )
    return [_ROWS.read(row) for row in rows]


async def find(connection: asyncpg.Connection, delivery_id: UUID) -> DeliveryRow | None:
    """Return a delivery."""
    row = await connection.fetchrow(_FIND, delivery_id)
    return None if row is None else _ROWS.read(row)


async def attempts(connection: asyncpg.Connection, message_id: UUID, limit: int) -> list[Attempt]:
    """Return the attempts of a message, the first ones first."""
    return [Attempt(**row) for row in await connection.fetch(_ATTEMPTS, message_id, limit)]


async def expire(connection: asyncpg.Connection, since: datetime, now: datetime, limit: int) -> int:
    """End what has waited since then; and what waits for nobody."""
    await connection.execute(_ORPHANS, now)
    return _count(await connection.execute(_EXPIRE, since, now, limit))


async def forget(connection: asyncpg.Connection, since: datetime, limit: int) -> int:
    """Drop what was told before; return how much."""
    await connection.execute(_FORGET_ATTEMPTS, since, limit)
    return _count(await connection.execute(_FORGET, since, limit))


async def oldest_due(connection: asyncpg.Connection, now: datetime) -> datetime | None:
    """Return since when what waits longest could have been told."""
    found: datetime | None = await connection.fetchval(_OLDEST, now)
    return found


def _count(tag: Any) -> int:  # noqa: ANN401 - PostgreSQL's word on what it did
    return int(str(tag).rpartition(" ")[2])

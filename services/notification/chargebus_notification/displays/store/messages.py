"""Messages that are wanted, and for which stations."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.displays.domain.message import Face, Message, Target
from chargebus_notification.displays.store.tables import DisplayMessageRow

_ROWS: Final = Rows(DisplayMessageRow, sources={"target": Target, "message": Message})
_SELECT: Final = f"SELECT {_ROWS.select('m')} FROM display_message m "  # noqa: S608 - names of columns
_KEEP: Final = _ROWS.upsert()
_LOCK: Final = _SELECT + "WHERE message_id = $1 FOR NO KEY UPDATE"
_FIND: Final = _SELECT + "WHERE message_id = ANY($1)"
_OF_TRANSACTIONS: Final = (
    _SELECT + "JOIN unnest($1::text[], $2::text[]) AS n (station_id, transaction_id) USING (transaction_id) "
    "WHERE m.transaction_id <> '' AND m.removed_at IS NULL AND n.station_id = ANY(m.station_ids) "
    "ORDER BY m.message_id FOR NO KEY UPDATE OF m"
)
_PAGE: Final = _SELECT + "WHERE removed_at IS NULL AND message_id > $1 ORDER BY message_id LIMIT $2"
_STATIONS: Final = """
SELECT unnest($1::text[]) AS station_id UNION SELECT station_id FROM known_station
WHERE $2::jsonb <> '{}'::jsonb AND labels @> $2::jsonb AND NOT removed
"""
_OF_STATIONS: Final = """
SELECT s.station_id, m.message_id FROM unnest($1::text[]) AS s (station_id)
LEFT JOIN known_station k ON k.station_id = s.station_id AND NOT k.removed
JOIN display_message m ON m.removed_at IS NULL
AND (s.station_id = ANY(m.station_ids) OR (m.labels <> '{}'::jsonb AND k.labels @> m.labels))
"""
_REMOVED: Final = """
SELECT m.message_id FROM display_message m WHERE m.removed_at < $1 AND NOT EXISTS (
    SELECT FROM shown_message s WHERE s.message_id = m.message_id AND s.status NOT IN ('gone', 'over', 'unsupported')
    AND s.changed_at > $1
) ORDER BY m.removed_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_DELETE: Final = (
    "DELETE FROM shown_message WHERE message_id = ANY($1)",
    "DELETE FROM display_message WHERE message_id = ANY($1)",
)


class _Kept(NamedTuple):
    message: Message
    target: Target
    face: Face
    transaction_id: str


async def keep(connection: asyncpg.Connection, message: Message) -> None:
    """Keep a message as it is now."""
    await connection.execute(
        _KEEP, *_ROWS.arguments([_Kept(message, message.target, message.face, message.face.transaction_id)])
    )


async def lock(connection: asyncpg.Connection, message_id: str) -> Message | None:
    """Return a message, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, message_id)
    return None if row is None else _message(row)


async def find(connection: asyncpg.Connection, message_ids: Collection[str]) -> dict[str, Message]:
    """Return messages by their ids, whether they are wanted or not."""
    return {row["message_id"]: _message(row) for row in await connection.fetch(_FIND, list(message_ids))}


async def of_transactions(connection: asyncpg.Connection, ended: Collection[tuple[str, str]]) -> list[Message]:
    """Return the messages that are wanted for transactions, as (station, transaction); locked."""
    stations, transactions = [station for station, _ in ended], [transaction for _, transaction in ended]
    return [_message(row) for row in await connection.fetch(_OF_TRANSACTIONS, stations, transactions)]


async def page(connection: asyncpg.Connection, after: str, limit: int) -> list[Message]:
    """Return up to `limit` messages that are wanted, in the order of their ids."""
    return [_message(row) for row in await connection.fetch(_PAGE, after, limit)]


async def stations_of(connection: asyncpg.Connection, target: Target) -> set[str]:
    """Return the stations for which a message is now."""
    labels = msgspec.json.encode(target.labels).decode()
    return {row["station_id"] for row in await connection.fetch(_STATIONS, list(target.station_ids), labels)}


async def of_stations(connection: asyncpg.Connection, station_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Return which messages are for which of these stations now, as (station, message)."""
    return {(row["station_id"], row["message_id"]) for row in await connection.fetch(_OF_STATIONS, list(station_ids))}


async def take_removed(connection: asyncpg.Connection, before: datetime, limit: int) -> list[str]:
    """Return up to `limit` messages that were removed before then, and are on no station any more; locked."""
    return [row["message_id"] for row in await connection.fetch(_REMOVED, before, limit)]


async def delete(connection: asyncpg.Connection, message_ids: Sequence[str]) -> None:
    """Drop messages, and what is known of them on stations."""
    for sql in _DELETE:
        await connection.execute(sql, list(message_ids))


def _message(row: asyncpg.Record) -> Message:
    read = _ROWS.read(row)
    face: Any = read.face
    return Message(
        read.message_id,
        Target(tuple(read.station_ids), read.labels),
        msgspec.convert(face, Face),
        read.created_at,
        read.changed_at,
        read.removed_at,
    )

"""Messages on stations, in sets; whoever changes them locks them in the order of station and message."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.displays.domain.message import Face
from chargebus_notification.displays.domain.reports import FIRST_NUMBER
from chargebus_notification.displays.domain.shown import Shown
from chargebus_notification.displays.store.tables import ReportedRow, ShownRow

_ROWS: Final = Rows(ShownRow)
_REPORTED: Final = Rows(ReportedRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM shown_message "  # noqa: S608 - names of columns
_OF_STATIONS: Final = _SELECT + "WHERE station_id = ANY($1) ORDER BY station_id, message_id"
_OF_MESSAGE: Final = _SELECT + "WHERE message_id = $1 ORDER BY station_id, message_id FOR NO KEY UPDATE"
_PAIRS: Final = (
    f"SELECT {_ROWS.select('s')} FROM shown_message s "  # noqa: S608
    "JOIN unnest($1::text[], $2::text[]) AS n (station_id, message_id) USING (station_id, message_id) "
    "ORDER BY station_id, message_id FOR NO KEY UPDATE OF s"
)
_DUE: Final = _SELECT + "WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
_OVER: Final = (
    _SELECT
    + "WHERE is_wanted AND status <> 'over' AND ends_at <= $1 ORDER BY ends_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
)
_PAGE: Final = _SELECT + "WHERE message_id = $1 AND station_id > $2 ORDER BY station_id LIMIT $3"
_NUMBERS: Final = """
SELECT number FROM (
    SELECT number FROM shown_message WHERE station_id = $1 AND number > $2
    UNION SELECT number FROM reported_message WHERE station_id = $1 AND number > $2
) AS n ORDER BY number LIMIT $3
"""
_NUMBERED: Final = _SELECT + "WHERE station_id = $1 AND number = ANY($2) ORDER BY number"
_COUNT: Final = """
SELECT message_id, status, count(*) AS stations FROM shown_message WHERE message_id = ANY($1)
GROUP BY message_id, status
"""
# The first is `Shown.is_held`.
_HELD: Final = """
SELECT station_id, count(*) AS held FROM (
    SELECT station_id, number FROM shown_message WHERE station_id = ANY($1) AND (told <> '' OR status = 'telling')
    UNION SELECT station_id, number FROM reported_message WHERE station_id = ANY($1) AND number < $2
) AS h GROUP BY station_id
"""
_WAKE: Final = """
UPDATE shown_message SET status = 'waiting', due_at = $2 WHERE (station_id, message_id) IN (
    SELECT station_id, message_id FROM shown_message
    WHERE station_id = ANY($1) AND is_wanted AND asking = '' AND status = $3 AND reason = $4
    ORDER BY station_id, message_id FOR NO KEY UPDATE
)
"""
_KEEP: Final = _ROWS.upsert()
_KEEP_REPORTED: Final = _REPORTED.upsert()
_LOAD_REPORTED: Final = (
    f"SELECT {_REPORTED.select()} FROM reported_message WHERE station_id = ANY($1) ORDER BY station_id, number"  # noqa: S608
)
_FORGET_REPORTED: Final = """
DELETE FROM reported_message r USING unnest($1::text[], $2::bigint[]) AS n (station_id, request_id)
WHERE r.station_id = n.station_id AND r.request_id <> n.request_id
"""


class Reported(msgspec.Struct, frozen=True):
    """A message that a station reported, under which request."""

    station_id: str
    number: int
    request_id: int
    face: Face


async def of_stations(connection: asyncpg.Connection, station_ids: Iterable[str], *, lock: bool = True) -> list[Shown]:
    """Return what is known of the messages on stations, locked until the transaction ends, or only to be read."""
    sql = f"{_OF_STATIONS} FOR NO KEY UPDATE" if lock else _OF_STATIONS
    return [_shown(row) for row in await connection.fetch(sql, list(station_ids))]


async def of_message(connection: asyncpg.Connection, message_id: str) -> list[Shown]:
    """Return what is known of a message on all its stations, locked until the transaction ends."""
    return [_shown(row) for row in await connection.fetch(_OF_MESSAGE, message_id)]


async def lock(connection: asyncpg.Connection, pairs: Collection[tuple[str, str]]) -> list[Shown]:
    """Return what is known of (station, message), locked until the transaction ends."""
    stations, messages = [station for station, _ in pairs], [message for _, message in pairs]
    return [_shown(row) for row in await connection.fetch(_PAIRS, stations, messages)]


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Shown]:
    """Return up to `limit` for which something is to be asked of a station, locked; those that others hold wait."""
    return [_shown(row) for row in await connection.fetch(_DUE, now, limit)]


async def take_over(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Shown]:
    """Return up to `limit` whose end has come, locked; those that others hold are passed over."""
    return [_shown(row) for row in await connection.fetch(_OVER, now, limit)]


async def keep(connection: asyncpg.Connection, shown: Collection[Shown]) -> None:
    """Keep what is known now."""
    if shown:
        await connection.execute(_KEEP, *_ROWS.arguments(shown))


async def held(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, int]:
    """Return how many messages displays have, as far as known: ours, and those of others that were reported."""
    rows = await connection.fetch(_HELD, list(station_ids), FIRST_NUMBER)
    return {row["station_id"]: row["held"] for row in rows}


async def wake(
    connection: asyncpg.Connection, station_ids: Collection[str], status: str, reason: str, now: datetime
) -> None:
    """Have messages that are in a status for a reason told now."""
    if station_ids:
        await connection.execute(_WAKE, list(station_ids), now, status, reason)


async def page(connection: asyncpg.Connection, message_id: str, after: str, limit: int) -> list[Shown]:
    """Return up to `limit` stations of a message, in the order of their ids."""
    return [_shown(row) for row in await connection.fetch(_PAGE, message_id, after, limit)]


async def numbers(connection: asyncpg.Connection, station_id: str, after: int, limit: int) -> list[int]:
    """Return up to `limit` numbers under which a station has, had or reported a message, in order."""
    return [row["number"] for row in await connection.fetch(_NUMBERS, station_id, after, limit)]


async def numbered(connection: asyncpg.Connection, station_id: str, wanted: Collection[int]) -> list[Shown]:
    """Return what is known of the messages under these numbers of a station, only to be read."""
    return [_shown(row) for row in await connection.fetch(_NUMBERED, station_id, list(wanted))]


async def counted(connection: asyncpg.Connection, message_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return on how many stations each message is in each status."""
    found: dict[str, dict[str, int]] = {message_id: {} for message_id in message_ids}
    for row in await connection.fetch(_COUNT, list(message_ids)):
        found[row["message_id"]][row["status"]] = row["stations"]
    return found


async def keep_reported(connection: asyncpg.Connection, reported: Collection[Reported]) -> None:
    """Keep what stations reported."""
    if reported:
        await connection.execute(_KEEP_REPORTED, *_REPORTED.arguments(reported))


async def reported(connection: asyncpg.Connection, station_ids: Iterable[str]) -> list[Reported]:
    """Return what stations reported, of the report before, too, while the next one is not complete."""
    rows = [_REPORTED.read(row) for row in await connection.fetch(_LOAD_REPORTED, list(station_ids))]
    return [Reported(row.station_id, row.number, row.request_id, msgspec.convert(row.face, Face)) for row in rows]


async def forget_reported(connection: asyncpg.Connection, complete: Collection[tuple[str, int]]) -> None:
    """Drop what stations reported before the reports that are complete, as (station, request)."""
    await connection.execute(_FORGET_REPORTED, [station for station, _ in complete], [one for _, one in complete])


def _shown(row: asyncpg.Record) -> Shown:
    return Shown(**row)

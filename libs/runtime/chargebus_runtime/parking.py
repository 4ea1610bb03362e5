"""Records that our code could not handle: set aside with the reason, listed, replayed or dismissed.

The topic `<service>.parked` has them whole; the service's database knows how many are still parked.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
from chargebus_events.record import Received, Record, timestamp
from chargebus_events.topics import parked_topic

from chargebus_runtime.batch import Batch

_PREFIX = "parked_"
TOPIC, PARTITION, OFFSET, REASON, AT = (f"{_PREFIX}{name}" for name in ("topic", "partition", "offset", "reason", "at"))
REPLAYED, DISMISSED = (f"{_PREFIX}{name}" for name in ("replayed", "dismissed"))
_REPLAY = "replay_of"  # the offset in the parked topic; it stays with the record, even if it is parked again
REFUSED = "refused: "
_REASON_BYTES = 2000
_SHORT = 200

_NOTE = """
INSERT INTO parked_record (topic, partition, record_offset, reason, parked_at) VALUES ($1, $2, $3, $4, $5)
"""
_FORGET = """
DELETE FROM parked_record USING unnest($1::text[], $2::int[], $3::bigint[]) AS p (topic, partition, record_offset)
WHERE parked_record.topic = p.topic AND parked_record.partition = p.partition
AND parked_record.record_offset = p.record_offset
"""
_COUNT = """
SELECT count(*) AS count, (SELECT reason FROM parked_record ORDER BY id DESC LIMIT 1) AS reason FROM parked_record
"""


def parked(service: str, received: Received, reason: str, now: datetime) -> Record:
    """Return the record that sets `received` aside: its value, key and headers, and why."""
    headers = (
        *received.headers.items(),
        (TOPIC, received.topic.encode()),
        (PARTITION, b"%d" % received.partition),
        (OFFSET, b"%d" % received.offset),
        (REASON, reason.encode()),
        (AT, timestamp(now).encode()),
    )
    return Record(parked_topic(service), received.key, received.value, headers)


def reason_of(error: BaseException) -> str:
    """Return an error as a reason: text that every place takes where it is kept or shown."""
    text = f"{type(error).__name__}: {error}".replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace")[:_REASON_BYTES].decode("utf-8", "ignore")


def in_short(reason: str) -> str:
    """Return a reason as health shows it, to anybody: its first line; PostgreSQL tells of data in the others.

    Of what was refused, only with which error: the rest tells what the station had said.
    """
    line = reason.partition("\n")[0][:_SHORT]
    return ": ".join(line.split(": ")[:2]) if line.startswith(REFUSED) else line


def replay(record: Received) -> Record:
    """Return the record as it was before it was parked, marked as a replay, for the topic it came from.

    Raises:
        ValueError: the record is not a parked one.
    """
    topic = record.text(TOPIC)
    if not topic:
        raise ValueError("not a parked record: it has no header parked_topic")
    kept = {name: value for name, value in record.headers.items() if not name.startswith(_PREFIX)}
    headers = (kept | {_REPLAY: b"%d" % record.offset}).items()
    return Record(topic, record.key, record.value, tuple(headers))


def is_replay(record: Received) -> bool:
    """Whether the record was parked once, by the service that reads it now: whoever waited for it was refused then."""
    return _REPLAY in record.headers


def replayed(service: str, record: Received, now: datetime) -> Record:
    """Return the note, in the parked topic, that the record at this offset was replayed."""
    return _settled(REPLAYED, service, record, now)


def dismissed(service: str, record: Received, now: datetime) -> Record:
    """Return the note, in the parked topic, that the record at this offset is not wanted any more."""
    return _settled(DISMISSED, service, record, now)


def _settled(how: str, service: str, record: Received, now: datetime) -> Record:
    headers = ((how, b"%d" % record.offset), (AT, timestamp(now).encode()))
    return Record(parked_topic(service), record.key, b"", headers)


def still_parked(records: Iterable[Received]) -> list[Received]:
    """Return the parked ones among `records` (a parked topic from its beginning), neither replayed nor dismissed."""
    waiting: dict[int, Received] = {}
    for record in records:
        settled = record.text(REPLAYED) or record.text(DISMISSED)
        if settled:
            waiting.pop(int(settled), None)
        elif TOPIC in record.headers:
            waiting[record.offset] = record
    return list(waiting.values())


async def note(connection: asyncpg.Connection, record: Received, reason: str, now: datetime) -> None:
    """Count a record as parked, in the transaction that parks it."""
    await connection.execute(_NOTE, record.topic, record.partition, record.offset, reason, now)


async def set_aside(service: str, batch: Batch, record: Received, reason: str) -> None:
    """Park a record of a batch in the transaction of that batch, for a reason that is not our fault."""
    batch.send(parked(service, record, reason, batch.now), because=record)
    await note(batch.connection, record, reason, batch.now)


async def forget(connection: asyncpg.Connection | asyncpg.Pool, records: Sequence[Received]) -> None:
    """Count parked records, as the topic has them, no longer: they were replayed or dismissed."""
    places = [(r.text(TOPIC), int(r.text(PARTITION)), int(r.text(OFFSET))) for r in records]
    await connection.execute(_FORGET, *([place[column] for place in places] for column in range(3)))


async def forget_older(pool: asyncpg.Pool, than: datetime) -> None:
    """Count no record as parked any more that was parked before, not even those that the topic no longer has."""
    await pool.execute("DELETE FROM parked_record WHERE parked_at < $1", than)


async def count(pool: asyncpg.Pool) -> tuple[int, str]:
    """Return how many records are parked, and why the last of them is."""
    row = await pool.fetchrow(_COUNT)
    return row["count"], row["reason"] or ""

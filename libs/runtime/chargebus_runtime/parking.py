"""Records that our code could not handle: set aside with the reason, listed, replayed."""

from collections.abc import Iterable
from datetime import datetime

from chargebus_events.record import Received, Record, timestamp
from chargebus_events.topics import parked_topic

_PREFIX = "parked_"
TOPIC, PARTITION, OFFSET, REASON, AT = (f"{_PREFIX}{name}" for name in ("topic", "partition", "offset", "reason", "at"))
REPLAYED = f"{_PREFIX}replayed"
_REPLAY = "replay_of"  # the offset in the parked topic; it stays with the record, even if it is parked again
_REASON_BYTES = 2000


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
    headers = ((REPLAYED, b"%d" % record.offset), (AT, timestamp(now).encode()))
    return Record(parked_topic(service), record.key, b"", headers)


def still_parked(records: Iterable[Received]) -> list[Received]:
    """Return the parked records among `records` (a parked topic from its beginning) that were not replayed yet."""
    waiting: dict[int, Received] = {}
    for record in records:
        if REPLAYED in record.headers:
            waiting.pop(int(record.text(REPLAYED)), None)
        elif TOPIC in record.headers:
            waiting[record.offset] = record
    return list(waiting.values())

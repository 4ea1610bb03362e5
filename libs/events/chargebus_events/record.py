"""The one envelope: a CloudEvent in Kafka's binary mode, going out and coming in.

Spec: CloudEvents 1.0.2, Kafka protocol binding, section 3.2 (binary content mode)
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

Headers = tuple[tuple[str, bytes], ...]

_SPEC_VERSION: Final = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Final = ("content-type", b"application/json")


class Record(msgspec.Struct, frozen=True):
    """A record on its way to Kafka.

    `partition` is set only where the partition is an address (the downlink); elsewhere the key decides.
    A `value` of None is a tombstone: it deletes the key from a compacted topic.
    """

    topic: str
    key: str
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Received(msgspec.Struct, frozen=True):
    """A record as a consumer got it; `offset` counts from 0 in its partition.

    `timestamp_ms` is the producer's, or where the topic is so set (`stamped_by_kafka`) the broker's on appending it.
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: dict[str, bytes]
    timestamp_ms: int = 0
    stamped_by_kafka: bool = False

    @property
    def type(self) -> str:
        """The CloudEvents type, or an empty string for a record that is no CloudEvent."""
        return self.text("ce_type")

    def text(self, header: str, default: str = "") -> str:
        """Return a header as text; undecodable bytes show as replacement characters."""
        value = self.headers.get(header)
        return default if value is None else value.decode("utf-8", "replace")


class Envelope(msgspec.Struct, frozen=True):
    """The CloudEvents attributes of one record; `source` is a path such as `/edge/0`."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime

    def headers(self, *more: tuple[str, bytes]) -> Headers:
        """Return the Kafka headers: the attributes first, then `more`."""
        return (
            _SPEC_VERSION,
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", self.subject.encode()),
            _time(self.time),
            _CONTENT_TYPE,
            *more,
        )


@lru_cache(maxsize=16)
def _time(moment: datetime) -> tuple[str, bytes]:
    """Return a time as a header: all that comes of a batch has the same."""
    return "ce_time", timestamp(moment).encode()


@lru_cache(maxsize=16)
def timestamp(moment: datetime) -> str:
    """Format an aware datetime as RFC 3339 in UTC with milliseconds and a `Z`, the way OCPP stations accept it."""
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return in_utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

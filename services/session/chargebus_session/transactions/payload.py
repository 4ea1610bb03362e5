"""Owns what is the same in every version: whole numbers and times of stations, and what tells contents apart."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_session.transactions.domain.events import TIMESTAMP_UNREADABLE, clock_flags

_DIGEST_BYTES: Final = 12

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that PostgreSQL can hold."""


def moment(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return a station's time and what is wrong with it; one that cannot be read is when we received it."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,)
    return at, clock_flags(at, received_at)


def moment_text(value: str) -> str:
    """Return a timestamp for comparing: the same for the same moment however it is written."""
    try:
        return parse_timestamp(value).isoformat()
    except ValueError:
        return clean(value)


def fingerprint(content: object) -> str:
    """Return what stands for a content: of JSON's types, whatever the order of its members."""
    encoded = msgspec.json.encode(content, order="sorted")
    return hashlib.blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()


def members(payload: bytes) -> dict[str, Any]:
    """Return the members of a payload that was read before."""
    found: dict[str, Any] = msgspec.json.decode(payload)
    return found

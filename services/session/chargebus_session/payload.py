"""Owns what is the same in every version: whole numbers and times of stations, and how answers are written."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp

from chargebus_session.transactions.domain.events import TIMESTAMP_UNREADABLE, clock_flags

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that PostgreSQL can hold."""


class Answer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A response: members in the order of the schema, those without a value left out."""


encode: Callable[[Answer], bytes] = msgspec.json.Encoder().encode


def moment(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return a station's time and what is wrong with it; one that cannot be read is when we received it."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,)
    return at, clock_flags(at, received_at)


def timestamp(at: datetime | None) -> str | None:
    """Return a time as stations read it."""
    return None if at is None else format_timestamp(at)

"""Owns what is the same in every version: whole numbers and times of stations."""

from datetime import datetime
from typing import Annotated

import msgspec
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_session.transactions.domain.events import TIMESTAMP_UNREADABLE, clock_flags

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that PostgreSQL can hold."""


def moment(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return a station's time and what is wrong with it; one that cannot be read is when we received it."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,)
    return at, clock_flags(at, received_at)

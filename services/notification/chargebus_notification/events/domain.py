"""Which event a station tells: when it was, and under which name it is known, however often it is sent."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import msgspec

STALE_CLOCK: Final = timedelta(days=30)
AHEAD: Final = timedelta(minutes=5)
_EVENTS: Final = UUID("5f0c6d0e-0d4b-4f3a-9d0c-6a2f5a0f7c11")


def counts_from(said_at: datetime | None, received_at: datetime) -> datetime:
    """Return when an event was: as the station says, unless its clock cannot be right.

    Stations keep events for as long as they are offline. A time ahead of ours, or more than `STALE_CLOCK` ago, is
    replaced by the time of receipt.
    """
    if said_at is None or said_at > received_at + AHEAD or received_at - said_at > STALE_CLOCK:
        return received_at
    return min(said_at, received_at).astimezone(UTC)


def identity(station_id: str, *said: object) -> str:
    """Return the name of an event by what the station said of it: sent again it is the same."""
    return str(uuid5(_EVENTS, msgspec.json.encode((station_id, *said)).decode()))

"""Owns what stations report of what their EVSEs are built for: in parts, the newest of each counts."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from chargebus_events.registry import Rating

MOST: Final = 100
"""EVSEs and connectors of one station of which reports are kept: each goes with every record of the station."""

TYPE_LIMIT: Final = 50
"""Characters of a connector's type that are kept."""

LEAST_W: Final = 1_000.0
MOST_W: Final = 10_000_000.0
"""A reported power beyond these is a slip of the unit."""


class RatingReport(msgspec.Struct, frozen=True):
    """What a message of a station says of its EVSEs."""

    station_id: str
    ratings: tuple[Rating, ...] = ()


def with_reported(known: Sequence[Rating], told: Iterable[Rating]) -> tuple[Rating, ...]:
    """Return what a station has reported, with what it reports now."""
    ratings = {(rating.evse_id, rating.connector_id): rating for rating in known}
    for rating in told:
        place = rating.evse_id, rating.connector_id
        before = ratings.get(place, Rating(*place))
        ratings[place] = Rating(
            *place,
            before.max_power_w if rating.max_power_w is None else rating.max_power_w,
            rating.connector_type or before.connector_type,
            before.phases if rating.phases is None else rating.phases,
        )
    return tuple(ratings[place] for place in sorted(ratings)[:MOST])

"""The time that a plan looks ahead: until all have left, by quarter hours, as prices and calendars go."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Final

from chargebus_smart_charging.allocation.domain.problem import HOUR_S, Horizon

QUARTER_S: Final = 900.0
LEAST_S: Final = HOUR_S
MOST_S: Final = 24 * HOUR_S

_SHORTEST_S: Final = 60.0


def horizon_of(now: datetime, departures: Iterable[datetime]) -> Horizon:
    """Return the horizon of a plan: the first interval ends with the quarter hour, or with the next if that is near."""
    wanted_s = max(((each - now).total_seconds() for each in departures), default=LEAST_S)
    ahead_s = min(max(wanted_s, LEAST_S), MOST_S)
    first_s = QUARTER_S - now.timestamp() % QUARTER_S
    if first_s < _SHORTEST_S:
        first_s += QUARTER_S
    more = ceil(max(0.0, ahead_s - first_s) / QUARTER_S)
    return Horizon(now, (first_s, *[QUARTER_S] * more))


@lru_cache(maxsize=64)
def starts(horizon: Horizon) -> tuple[datetime, ...]:
    """Return when each interval begins."""
    found, at = [], horizon.starts_at
    for length_s in horizon.lengths_s:
        found.append(at)
        at += timedelta(seconds=length_s)
    return tuple(found)

"""Which of several limits decides: of those on one place the lowest, of each unit."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from chargebus_smart_charging.limits.domain.limit import KnownLimit
from chargebus_smart_charging.limits.domain.placing import Parts, unplaced
from chargebus_smart_charging.sites.domain.site import Capacity, Site

State: TypeAlias = Literal["holds", "fallback holds", "to come", "over", "only shown", "nowhere"]

_MOMENT = timedelta(microseconds=1)


class Standing(msgspec.Struct, frozen=True):
    """A limit now: what it allows, and whether it decides on its place about amperes or about power."""

    limit: KnownLimit
    state: State
    allows: Capacity = Capacity()
    is_silent: bool = False
    decides: tuple[str, ...] = ()


def standings(limits: Iterable[KnownLimit], site: Site, now: datetime) -> list[Standing]:
    """Return how limits stand now, in the order in which they are given."""
    known, parts = list(limits), Parts.of(site)
    nowhere = [bool(unplaced(limit, parts)) for limit in known]
    allowed = [Capacity() if each else _allowed(limit, now) for limit, each in zip(known, nowhere, strict=True)]
    lowest: defaultdict[tuple[object, ...], list[float]] = defaultdict(list)
    for limit, capacity in zip(known, allowed, strict=True):
        for unit, value in _values(capacity):
            lowest[_place(limit), unit].append(value)
    return [
        Standing(
            limit,
            "nowhere" if is_nowhere else _state(limit, capacity, now),
            capacity,
            limit.is_silent(now),
            tuple(unit for unit, value in _values(capacity) if value <= min(lowest[_place(limit), unit])),
        )
        for limit, capacity, is_nowhere in zip(known, allowed, nowhere, strict=True)
    ]


def _allowed(limit: KnownLimit, now: datetime) -> Capacity:
    holding = [period.capacity for period in limit.holds(now) if period.overlaps(now, now + _MOMENT)]
    return Capacity(
        min((each.phase_a for each in holding if each.phase_a is not None), default=None),
        min((each.total_w for each in holding if each.total_w is not None), default=None),
        min((each.total_va for each in holding if each.total_va is not None), default=None),
    )


def _values(capacity: Capacity) -> Iterator[tuple[str, float]]:
    if capacity.phase_a is not None:
        yield "current", capacity.phase_a
    powers = [power for power in (capacity.total_w, capacity.total_va) if power is not None]
    if powers:
        yield "power", min(powers)


def _place(limit: KnownLimit) -> tuple[str, str, int]:
    return limit.node_id, limit.station_id, limit.evse_id


def _state(limit: KnownLimit, allows: Capacity, now: datetime) -> State:
    if not limit.counts:
        return "only shown"
    if allows != Capacity():
        return "fallback holds" if limit.is_silent(now) and limit.fallback != Capacity() else "holds"
    begins = [period.valid_from for period in limit.periods if period.valid_from is not None]
    return "to come" if any(begin > now for begin in begins) else "over"

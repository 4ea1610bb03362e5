"""Limits that others set on a part of a site: who set it, where, for how long, and what holds when they fall silent."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.sites.domain.site import Capacity
from chargebus_smart_charging.sites.errors import Objection

ToldBy: TypeAlias = Literal["http", "topic", "frame"]
Covers: TypeAlias = Literal["everything", "charging"]

CURTAILMENT: Final = "curtailment"
"""The source of the switch for a grid operator's emergency, and the id of its one limit."""

MOST_PERIODS: Final = 200

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_LONGEST_S: Final = 31 * 86_400.0
_END: Final = datetime.max.replace(tzinfo=UTC)


class Period(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a limit is from one time until another; None: from the beginning, or until it is cleared."""

    capacity: Capacity
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def overlaps(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Tell whether it holds at some time from `starts_at` until `ends_at`."""
        return (self.valid_from or _BEGINNING) < ends_at and starts_at < (self.valid_until or _END)


class KnownLimit(msgspec.Struct, frozen=True):
    """A limit as it was told last.

    Attributes:
        source, limit_id: whose it is, and its name there; together they say which.
        told_at: when it was told.
        told_by: how.
        node_id, station_id, evse_id: where it stands; empty and 0 for the whole site.
        periods: what it is, and when; none: that there is a limit is all that is known.
        floor: what it leaves at least of itself, whatever else draws there.
        renewed_every_s: its source says it again so often; if it does not, `fallback` holds from then on.
        covers: whether it is for all that flows there, or for what charges only.
        is_critical: its source says that the grid needs it.
        counts: False where it is only shown.
    """

    site_id: str
    source: str
    limit_id: str
    told_at: datetime
    told_by: ToldBy = "http"
    node_id: str = ""
    station_id: str = ""
    evse_id: int = 0
    periods: tuple[Period, ...] = ()
    floor: Capacity = Capacity()
    renewed_every_s: float | None = None
    fallback: Capacity = Capacity()
    covers: Covers = "everything"
    is_critical: bool = False
    counts: bool = True

    @property
    def silent_from(self) -> datetime | None:
        """When its source will have been silent for too long; None: it need not say it again."""
        return None if self.renewed_every_s is None else self.told_at + timedelta(seconds=self.renewed_every_s)

    @property
    def over_at(self) -> datetime | None:
        """When it holds no more, whatever its source does; None: that is not known. A fallback outlives all periods."""
        if not self.periods or (self.renewed_every_s is not None and self.fallback != Capacity()):
            return None
        ends = [period.valid_until for period in self.periods]
        return None if None in ends else max(end for end in ends if end is not None)

    def is_silent(self, now: datetime) -> bool:
        """Tell whether its source should have said it again."""
        return self.silent_from is not None and self.silent_from < now

    def holds(self, now: datetime) -> tuple[Period, ...]:
        """Return what is reckoned with from `now` on: its periods, or its fallback while its source is silent."""
        if not self.counts:
            return ()
        if self.is_silent(now) and self.fallback != Capacity():
            return (Period(self.fallback),)
        return self.periods


def silent(limits: Sequence[KnownLimit], now: datetime) -> list[KnownLimit]:
    """Return those whose source has fallen silent while they should hold."""
    return [
        limit
        for limit in limits
        if limit.counts and limit.is_silent(now) and (limit.over_at is None or limit.over_at > now)
    ]


def objections(limit: KnownLimit) -> list[Objection]:
    """Return why a limit is refused: it contradicts itself, or says nothing."""
    if len(limit.periods) > MOST_PERIODS:
        return [Objection("periods", f"{MOST_PERIODS} at most, not {len(limit.periods)}")]
    return [*_place(limit), *_periods(limit), *_floor(limit), *_fallback(limit)]


def _place(limit: KnownLimit) -> Iterator[Objection]:
    if limit.node_id and limit.station_id:
        yield Objection("node_id", "it stands on a node or on a station, not on both")
    if limit.evse_id and not limit.station_id:
        yield Objection("station_id", f"EVSE {limit.evse_id} of which station?")


def _periods(limit: KnownLimit) -> Iterator[Objection]:
    if not limit.periods:
        yield Objection("periods", "it says no value")
    for number, period in enumerate(limit.periods):
        where = f"periods.{number}"
        if period.capacity == Capacity():
            yield Objection(where, "it limits nothing: give phase_a, total_w or total_va")
        yield from _negative(where, period.capacity)
        starts, ends = period.valid_from, period.valid_until
        if starts is not None and ends is not None and ends <= starts:
            what = f"it ends at {ends.isoformat()}, before it begins at {starts.isoformat()}"
            yield Objection(f"{where}.valid_until", what)
    for (one, first), (other, second) in combinations(enumerate(limit.periods), 2):
        if first.capacity != second.capacity and first.overlaps(
            second.valid_from or _BEGINNING, second.valid_until or _END
        ):
            what = f"it contradicts period {one}: another value for the same time"
            yield Objection(f"periods.{other}", what)


def _negative(where: str, capacity: Capacity) -> Iterator[Objection]:
    for value in (capacity.phase_a, capacity.total_w, capacity.total_va):
        if value is not None and not value >= 0:
            yield Objection(where, f"{value:g} is no limit: it is 0 or more")


def _floor(limit: KnownLimit) -> Iterator[Objection]:
    for name, unit in (("phase_a", "A"), ("total_w", "W")):
        floor = getattr(limit.floor, name)
        for number, period in enumerate(limit.periods):
            value = getattr(period.capacity, name)
            if floor is not None and value is not None and floor > value:
                what = f"its floor, {floor:g} {unit}, is above the limit of period {number}, {value:g} {unit}"
                yield Objection("floor", what)
                return


def _fallback(limit: KnownLimit) -> Iterator[Objection]:
    yield from _negative("fallback", limit.fallback)
    yield from _negative("floor", limit.floor)
    if limit.renewed_every_s is not None and not 0 < limit.renewed_every_s <= _LONGEST_S:
        yield Objection("renewed_every_s", f"nobody renews a limit every {limit.renewed_every_s:g} s")
    if limit.fallback != Capacity() and limit.renewed_every_s is None:
        yield Objection("renewed_every_s", "a fallback needs to know after how long its source counts as silent")
    for name, unit in (("phase_a", "A"), ("total_w", "W")):
        floor, fallback = getattr(limit.floor, name), getattr(limit.fallback, name)
        if floor is not None and fallback is not None and floor > fallback:
            yield Objection("floor", f"its floor, {floor:g} {unit}, is above its fallback, {fallback:g} {unit}")

"""Owns what is kept of values of Energy.Active.Import.Interval: each is what was taken since the one before it.

They count where no register tells anything, so they are kept only until one does.
"""

from datetime import datetime
from typing import Final

import msgspec

from chargebus_session.transactions.domain.events import BEGIN, Event
from chargebus_session.transactions.domain.registers import Registers, rank

KEPT: Final = 500
"""How many of a series are kept: the first."""

_CLOCK: Final = "Sample.Clock"


class Interval(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """What was taken up to a time, since the interval before it."""

    at: datetime
    wh: float


Intervals = dict[str, tuple[Interval, ...]]
"""In the order of time, by location; those by the clock have a series of their own, as they may overlap with others."""


def read(intervals: Intervals, registers: Registers, event: Event) -> Intervals:
    """Return the intervals with those of one event; the order of events does not matter, nor what is told twice."""
    if any(register.has_run for register in registers.values()):
        return {}
    read_so_far = dict(intervals)
    for sample in event.samples:
        if sample.interval and sample.context != BEGIN and not sample.phase:
            name = f"{sample.location}/{_CLOCK}" if sample.context == _CLOCK else sample.location
            read_so_far[name] = _with(read_so_far.get(name, ()), Interval(sample.at, sample.wh))
    return read_so_far


def added(intervals: Intervals, started_at: datetime | None) -> float | None:
    """Return what was taken in all intervals of a transaction that are known, None without any."""
    for name in sorted(intervals, key=_order):
        within = [interval.wh for interval in intervals[name] if started_at is None or interval.at > started_at]
        if within:
            return round(sum(within), 3)
    return None


def _order(name: str) -> tuple[tuple[int, str], bool]:
    location, _, clock = name.partition("/")
    return rank(location), bool(clock)


def _with(known: tuple[Interval, ...], new: Interval) -> tuple[Interval, ...]:
    by_time = {interval.at: interval for interval in known}
    by_time[new.at] = max(new, by_time.get(new.at, new))
    return tuple(sorted(by_time.values())[:KEPT])

"""Intervals put together where little is lost, so that a plan far ahead is small enough to be solved in time."""

from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.problem import Costs
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Floats, Integers, Tree

_FEWEST: Final = 24
_VARIABLES: Final = 24_000
"""So many blocks there may be at least, and so many of them times vehicles."""

_ALONE: Final = 2
"""So many intervals at the start are not put together with others."""


class Blocks(msgspec.Struct, frozen=True):
    """Runs of intervals.

    Attributes:
        first: the first interval of each block.
        seconds: for how long of each block each vehicle is there: blocks x vehicles.
        capacity: the least of any interval of a block: blocks x rows x nodes; never below 0.
        cost: of a kilowatt hour, from 0 (the least ahead) to 1 (the most); 0 throughout where nothing is known.
        ends_s: when each block ends, in seconds from the start.
        reserve: how deep each vehicle is in its reserve, from 0 (not at all) to 3: blocks x vehicles.
    """

    first: Integers
    seconds: Floats
    capacity: Floats
    cost: Floats
    ends_s: Floats
    reserve: Floats

    @classmethod
    def of(cls, tree: Tree, stays: Stays, capacity: Floats, costs: Costs | None) -> "Blocks":
        """Return blocks of intervals whose costs and capacities differ least, few enough for a solver."""
        cost = scaled(costs, len(stays.lengths_s))
        most = max(_FEWEST, _VARIABLES // max(1, tree.size))
        first = _joined(cost, capacity, most)
        lengths_s = np.add.reduceat(stays.lengths_s, first)
        seconds = np.add.reduceat(stays.seconds, first, axis=0)
        return cls(
            first=first,
            seconds=seconds,
            capacity=np.maximum(np.minimum.reduceat(capacity, first, axis=0), 0.0),
            cost=np.add.reduceat(cost * stays.lengths_s, first) / lengths_s,
            ends_s=np.cumsum(lengths_s),
            reserve=np.add.reduceat(stays.reserve_s, first, axis=0) / np.maximum(seconds, 1.0),
        )

    def spread(self, amperes: Floats, intervals: int) -> Floats:
        """Return the amperes of blocks for each of their intervals."""
        return np.repeat(amperes, np.diff(self.first, append=intervals), axis=0)


def scaled(costs: Costs | None, intervals: int) -> Floats:
    """Return costs from 0 to 1; an interval whose cost is not known counts as the mean of those that are known."""
    known = [each for each in costs.per_kwh if each is not None] if costs is not None else []
    if costs is None or not known or max(known) <= min(known):
        return np.zeros(intervals)
    mean = sum(known) / len(known)
    values = np.array([mean if each is None else each for each in costs.per_kwh[:intervals]], dtype=np.float64)
    values = np.concatenate((values, np.full(intervals - len(values), mean)))
    return (values - min(known)) / (max(known) - min(known))


def _joined(cost: Floats, capacity: Floats, most: int) -> Integers:
    """Return the first interval of each of at most so many blocks; what differs least is put together first."""
    intervals = len(cost)
    if intervals <= most:
        return np.arange(intervals, dtype=np.intp)
    finite = np.where(np.isfinite(capacity), capacity, 0.0).reshape(intervals, -1)
    relative = np.abs(np.diff(finite, axis=0)) / np.maximum(np.abs(finite).max(axis=0), 1.0)
    apart = np.abs(np.diff(cost)) + relative.max(axis=1, initial=0.0)
    length = -(-intervals // most)
    # A border is worth more where costs or capacities change, and, where nothing does, at even distances.
    worth = apart * intervals + (np.arange(1, intervals) % length == 0)
    worth[:_ALONE] = np.inf
    borders = np.sort(np.argsort(-worth, kind="stable")[: most - 1]) + 1
    return np.concatenate((np.zeros(1, dtype=np.intp), borders)).astype(np.intp)

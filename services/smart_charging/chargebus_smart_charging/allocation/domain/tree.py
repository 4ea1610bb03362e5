"""A problem's tree as arrays: which vehicle loads what, how much room there is in each interval, what is overloaded.

Vehicles are put in the order of their nodes, depth first, so that those under a node are neighbours. What is limited
at a node are its rows: L1, L2, L3, volt-amperes, and where a site bounds how far phases may be apart, for each pair of
phases what loads the one and not the other.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property, lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chargebus_smart_charging.allocation.domain.problem import HOUR_S, PHASES, Fixed, PlanProblem
from chargebus_smart_charging.sites.domain.site import PerPhase

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]

TOLERANCE: Final = 1e-9
"""How much of itself a sum may be off for being one of floating-point numbers."""

LEAST_A: Final = 1e-6
"""What is less is not worth a change, of one that takes any current."""

VA: Final = 3
PAIRS: Final = tuple((one, other) for one in range(PHASES) for other in range(PHASES) if one != other)
_TOTALS: Final = PHASES + 1


class Shape:
    """Who hangs under what, and what they put on each row of a node: the same until somebody comes or goes.

    Its attributes are those of a `Tree`.
    """

    def __init__(self, parents: Sequence[int | None], vehicles: Sequence["_Static"], *, is_bounded: bool) -> None:
        self.rows = _TOTALS + (len(PAIRS) if is_bounded else 0)
        self._parents = parents
        place, last = _depth_first(parents)
        places = np.array([place[each.node] for each in vehicles], dtype=np.intp)
        self.order: Integers = np.argsort(places, kind="stable")
        self._vehicles = tuple(vehicles[index] for index in self.order.tolist())
        places = places[self.order]
        self.start: Integers = np.searchsorted(places, np.array(place, dtype=np.intp))
        self.end: Integers = np.searchsorted(places, np.array(last, dtype=np.intp))
        self.node: Integers = np.array([each.node for each in self._vehicles], dtype=np.intp)
        self.minimum = floats([each.min_a for each in self._vehicles])
        self.step = floats([each.step_a for each in self._vehicles])
        self.has_step = self.step > 0
        self.whole_step = np.where(self.has_step, self.step, 1.0)
        least_step = np.where(self.has_step, self.step, LEAST_A)
        self.least: Floats = np.where(self.minimum > 0, self.minimum, least_step)
        self.maximum = self.stepped(floats([each.max_a for each in self._vehicles]))
        self.wh_per_ampere_s = floats([each.voltage_v * len(each.phases) / HOUR_S for each in self._vehicles])
        self.sure_wh_per_ampere_s = floats(
            [each.voltage_v * (each.sure_phases or len(each.phases)) / HOUR_S for each in self._vehicles]
        )
        self.loads_of: Floats = np.zeros((self.rows, len(vehicles)))
        for phase in range(PHASES):
            self.loads_of[phase] = [phase in each.phases for each in self._vehicles]
        self.loads_of[VA] = [each.voltage_v * len(each.phases) for each in self._vehicles]
        for row, (one, other) in enumerate(PAIRS[: self.rows - _TOTALS], _TOTALS):
            self.loads_of[row] = self.loads_of[one] * (1 - self.loads_of[other])
        self._rows_of: list[tuple[tuple[int, int, float], ...] | None] = [None] * len(vehicles)

    @cached_property
    def ancestors(self) -> tuple[tuple[int, ...], ...]:
        """For each node itself and those above it, up to the root."""
        found: list[tuple[int, ...]] = []
        for index, parent in enumerate(self._parents):
            found.append((index, *(found[parent] if parent is not None else ())))
        return tuple(found)

    @cached_property
    def _loads(self) -> list[list[float]]:
        """What one ampere of each vehicle puts on each row."""
        found: list[list[float]] = self.loads_of.T.tolist()
        return found

    @cached_property
    def alike(self) -> tuple[int, ...]:
        """For each vehicle a number that it shares with those who load the same rows alike, and have the same least."""
        known: dict[tuple[int, tuple[int, ...], float, float], int] = {}
        return tuple(
            known.setdefault((each.node, each.phases, each.voltage_v, each.min_a), len(known))
            for each in self._vehicles
        )

    def rows_of(self, vehicle: int) -> tuple[tuple[int, int, float], ...]:
        """Return (row, node, load of one ampere) of all that a vehicle loads, from its own node up."""
        known = self._rows_of[vehicle]
        if known is None:
            loads = [(row, load) for row, load in enumerate(self._loads[vehicle]) if load]
            nodes = self.ancestors[int(self.node[vehicle])]
            known = self._rows_of[vehicle] = tuple((row, node, load) for node in nodes for row, load in loads)
        return known

    @cached_property
    def members(self) -> dict[tuple[int, int], Integers]:
        """For each (row, node) the vehicles that load it."""
        return {
            (row, node): np.flatnonzero(self.loads_of[row, start:end]) + start
            for row in range(self.rows)
            for node, (start, end) in enumerate(zip(self.start.tolist(), self.end.tolist(), strict=True))
        }

    @cached_property
    def loaded(self) -> tuple[Mask, Floats]:
        """Which rows each vehicle loads, rows x vehicles, and by how much; 1 where it does not."""
        loaded = self.loads_of > 0
        return loaded, np.where(loaded, self.loads_of, 1.0)

    def stepped(self, amperes: Floats) -> Floats:
        """Return the next smaller values that vehicles may get: 0, or their minimum and whole steps on top of it."""
        above = amperes - self.minimum
        whole = np.where(self.has_step, np.floor(above / self.whole_step + TOLERANCE) * self.whole_step, above)
        return np.where(above >= -TOLERANCE, self.minimum + np.maximum(whole, 0.0), 0.0)


class _Static(NamedTuple):
    """What of a vehicle makes out a shape."""

    node: int
    phases: tuple[int, ...]
    voltage_v: float
    min_a: float
    max_a: float
    step_a: float
    sure_phases: int


@lru_cache(maxsize=1024)
def _shape(parents: tuple[int | None, ...], vehicles: tuple[_Static, ...], is_bounded: bool) -> Shape:  # noqa: FBT001 - a fact
    """Return the shape of a site, which is planned again and again."""
    return Shape(parents, vehicles, is_bounded=is_bounded)


class Tree:
    """Who hangs under what, and what they put on each row of a node.

    Attributes:
        order: the place among the problem's demands of each vehicle of the arrays.
        node: the node of each vehicle.
        minimum, maximum, step: what each vehicle may get, in amperes; a maximum below the minimum is 0.
        least: the least that is more than nothing, also of one that takes any current.
        weight: of each vehicle.
        wh_per_ampere_s: what a vehicle is given by one ampere in one second.
        sure_wh_per_ampere_s: what it is given surely, as it may use fewer phases than is known.
        loads_of: rows x vehicles, what one ampere puts on a row.
    """

    def __init__(self, problem: PlanProblem) -> None:
        nodes, demands = problem.nodes, problem.demands
        self.problem = problem
        self.nodes = nodes
        self.shape = shape = _shape(
            tuple([node.parent for node in nodes]),
            tuple(
                [
                    _Static(
                        each.node, each.phases, each.voltage_v, each.min_a, each.max_a, each.step_a, each.sure_phases
                    )
                    for each in demands
                ]
            ),
            any(node.unbalance_a is not None for node in nodes),
        )
        self.rows, self.order, self.start, self.end = shape.rows, shape.order, shape.start, shape.end
        self.demands = tuple([demands[index] for index in shape.order.tolist()])
        self.node, self.minimum, self.maximum, self.step = shape.node, shape.minimum, shape.maximum, shape.step
        self.least, self.loads_of = shape.least, shape.loads_of
        self.wh_per_ampere_s, self.sure_wh_per_ampere_s = shape.wh_per_ampere_s, shape.sure_wh_per_ampere_s
        self.weight = floats([max(demand.weight, TOLERANCE) for demand in self.demands])
        self._sums: Floats = np.zeros((self.rows, self.size + 1))

    @property
    def size(self) -> int:
        """How many vehicles there are."""
        return len(self.demands)

    @property
    def ancestors(self) -> tuple[tuple[int, ...], ...]:
        """For each node itself and those above it, up to the root."""
        return self.shape.ancestors

    @property
    def alike(self) -> tuple[int, ...]:
        """For each vehicle a number that it shares with those who load the same rows alike, and have the same least."""
        return self.shape.alike

    @property
    def members(self) -> dict[tuple[int, int], Integers]:
        """For each (row, node) the vehicles that load it."""
        return self.shape.members

    def rows_of(self, vehicle: int) -> tuple[tuple[int, int, float], ...]:
        """Return (row, node, load of one ampere) of all that a vehicle loads, from its own node up."""
        return self.shape.rows_of(vehicle)

    @cached_property
    def capacities(self) -> Floats:
        """What vehicles may put on each row in each interval: intervals x rows x nodes; below 0 is an overload.

        What limits the difference of two phases is not among them: it depends on what is given on the other phase.
        """
        intervals = len(self.problem.horizon.lengths_s)
        found: Floats = np.full((intervals, self.rows, len(self.nodes)), np.inf)
        for index, node in enumerate(self.nodes):
            for bound in node.bounds:
                part = found[bound.first : bound.last, :, index]
                if bound.phase_a is not None:
                    np.minimum(part[:, :PHASES], bound.phase_a, out=part[:, :PHASES])
                if bound.total_va is not None:
                    np.minimum(part[:, VA], bound.total_va, out=part[:, VA])
        found[:, :_TOTALS] -= fixed_loads(self, [load for load in self.problem.fixed if load.last is None])
        for load in self.problem.fixed:
            if load.last is not None:
                found[: load.last, :_TOTALS] -= fixed_loads(self, [load])
        return found

    def loads(self, amperes: Floats) -> Floats:
        """Return what the vehicles put on each row of each node: rows x nodes."""
        np.cumsum(self.loads_of * amperes, axis=1, out=self._sums[:, 1:])
        return self._sums[:, self.end] - self._sums[:, self.start]

    def loads_each(self, amperes: Floats) -> Floats:
        """Return the same for each of several: several x rows x nodes."""
        sums = np.zeros((len(amperes), self.rows, self.size + 1))
        np.cumsum(self.loads_of * amperes[:, None, :], axis=2, out=sums[:, :, 1:])
        return sums[:, :, self.end] - sums[:, :, self.start]

    def stepped(self, amperes: Floats) -> Floats:
        """Return the next smaller values that vehicles may get: 0, or their minimum and whole steps on top of it."""
        return self.shape.stepped(amperes)

    def stepped_up(self, amperes: Floats) -> Floats:
        """Return the next larger values that vehicles may get, but no more than their most."""
        above = np.maximum(amperes - self.minimum, 0.0)
        has_step, step = self.shape.has_step, self.shape.whole_step
        whole = np.where(has_step, np.ceil(above / step - TOLERANCE) * step, above)
        return np.minimum(self.minimum + whole, self.maximum)

    def room_a(self, room: Floats) -> Floats:
        """Return how many amperes more each vehicle could have where rows of nodes have so much room."""
        least = room.copy()
        for index, node in enumerate(self.nodes):
            if node.parent is not None:
                np.minimum(least[:, index], least[:, node.parent], out=least[:, index])
        loaded, loads = self.shape.loaded
        amperes: Floats = np.where(loaded, least[:, self.node] / loads, np.inf).min(axis=0)
        return amperes


def floats(values: Sequence[float]) -> Floats:
    """Return values as an array."""
    return np.array(values, dtype=np.float64)


def planted(problem: PlanProblem) -> Callable[[], Tree]:
    """Return what gives a problem's tree, made when somebody asks for it first: most decisions need none."""
    return cache(lambda: Tree(problem))


def near(capacity: Floats) -> Floats:
    """Return by how much a sum may be over a capacity, or under it, for being a sum of floating-point numbers."""
    return np.maximum(np.where(np.isfinite(capacity), np.abs(capacity), 0.0), 1.0) * TOLERANCE


def fixed_loads(tree: Tree, fixed: Sequence[Fixed]) -> Floats:
    """Return what flows whatever is planned, on L1, L2, L3 and in volt-amperes: 4 x nodes."""
    found = np.zeros((_TOTALS, len(tree.nodes)))
    for load in fixed:
        for node in tree.ancestors[load.node]:
            found[:PHASES, node] += load.phase_a
            found[VA, node] += sum(load.phase_a) * tree.nodes[load.node].voltage_v
    return found


def apart(phase_a: PerPhase | Floats) -> float:
    """Return how far phases are apart."""
    return float(max(phase_a) - min(phase_a))


def _depth_first(parents: Sequence[int | None]) -> tuple[list[int], list[int]]:
    """Return for each node its place when the tree is walked depth first, and the place after the last one below it."""
    below: list[list[int]] = [[] for _ in parents]
    size = [1] * len(parents)
    for index in range(len(parents) - 1, -1, -1):
        parent = parents[index]
        if parent is not None:
            below[parent].insert(0, index)
            size[parent] += size[index]
    place = [0] * len(parents)
    following = 0
    for index, parent in enumerate(parents):
        if parent is None:
            place[index] = following
            following += size[index]
        inner = place[index] + 1
        for child in below[index]:
            place[child] = inner
            inner += size[child]
    return place, [begin + count for begin, count in zip(place, size, strict=True)]

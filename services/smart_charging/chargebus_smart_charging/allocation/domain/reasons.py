"""Why a vehicle has not more now, in words for people."""

from datetime import timedelta
from functools import cached_property

import numpy as np

from chargebus_smart_charging.allocation.domain.problem import PHASES, Bound, Costs, Demand, PlanProblem
from chargebus_smart_charging.allocation.domain.tree import PAIRS, TOLERANCE, VA, Floats, Tree

_PHASE_NAMES = ("L1", "L2", "L3")
_ROUNDING_A = 1e-3
_KEEPS = "has what it needs, and keeps its least current, as its station takes no 0"
_FIRST_PAIR = VA + 1


class Reasons:
    """What bounds the first interval of a plan: `amperes` are intervals x vehicles, `capacity` what they may share."""

    def __init__(self, problem: PlanProblem, tree: Tree, capacity: Floats, amperes: Floats) -> None:
        self._problem = problem
        self._tree = tree
        self._amperes = amperes
        self._now = amperes[0]
        self._capacity = capacity
        self._tightest_of: dict[tuple[int, tuple[int, ...], float], tuple[int, int]] = {}
        self._texts: dict[tuple[int, int], str] = {}

    @cached_property
    def _loads(self) -> Floats:
        return self._tree.loads(self._now)

    @cached_property
    def _room(self) -> Floats:
        room: Floats = self._capacity - self._loads
        return room

    @cached_property
    def _least(self) -> Floats:
        return _least(self._tree, self._now)

    @cached_property
    def _fits(self) -> list[bool]:
        """Whether what is left is room for the next step of each vehicle."""
        fits: list[bool] = (self._tree.room_a(self._room) >= self._least - TOLERANCE).tolist()
        return fits

    def of(self, vehicle: int) -> tuple[str, ...]:
        """Return what bounds a vehicle, the strongest first."""
        demand = self._tree.demands[vehicle]
        now = float(self._now[vehicle])
        most = float(self._tree.maximum[vehicle])
        if demand.energy_wh is not None and demand.energy_wh <= 0 and (now > 0 or not demand.must_charge):
            return (_KEEPS if now > 0 else "has what it needs",)
        if most <= 0:
            return (f"{_most(demand)} is less than the {demand.min_a:g} A that it takes at least",)
        if now >= most - _ROUNDING_A:
            return (_most(demand),)
        if not self._fits[vehicle]:
            return self._bounded(vehicle, now)
        apart = self._apart(vehicle)
        if apart:
            return (apart,)
        return (self._later(vehicle),)

    def _bounded(self, vehicle: int, now: float) -> tuple[str, ...]:
        """Return the row that leaves the least room for its next step."""
        row, node = self._tightest(vehicle)
        bound = self._bound(row, node)
        demand = self._tree.demands[vehicle]
        if now > 0:
            return (bound,)
        if demand.must_charge:
            return (f"keeps {demand.min_a:g} A though they do not fit, as its station does not take 0", bound)
        return (f"waits for its turn: its {demand.min_a:g} A do not fit beside those of others", bound)

    def _tightest(self, vehicle: int) -> tuple[int, int]:
        """Return the row and node that leave a vehicle the least room; the same for all that are connected alike."""
        demand = self._tree.demands[vehicle]
        alike = demand.node, demand.phases, demand.voltage_v
        known = self._tightest_of.get(alike)
        if known is None:
            loads = self._tree.rows_of(vehicle)
            known = min((self._room[row, node] / load, row, node) for row, node, load in loads)[1:]
            self._tightest_of[alike] = known
        return known

    def _bound(self, row: int, node: int) -> str:
        """Return in words what bounds a row of a node, with what is fixed taken off, and how many share the rest."""
        known = self._texts.get((row, node))
        if known is None:
            known = self._texts[row, node] = self._described(row, node)
        return known

    def _described(self, row: int, node: int) -> str:
        about = self._problem.nodes[node]
        bounds = [bound for bound in about.bounds if bound.first == 0 and _value(bound, row) is not None]
        lowest = min(bounds, key=lambda bound: _value(bound, row) or 0.0)
        head, colon, tail = lowest.reason.partition(":")
        text = f"{head or about.node_id}, {_PHASE_NAMES[row]}{colon}{tail}" if row < PHASES else lowest.reason
        for fixed in self._problem.fixed:
            taken = fixed.phase_a[row] if row < PHASES else sum(fixed.phase_a)
            if taken and node in self._tree.ancestors[fixed.node]:
                text += f" - {taken:g} A {fixed.reason or 'that is not planned'}"
        sharing = int((self._now[self._tree.members[row, node]] > 0).sum())
        return f"{text}, shared by {sharing}" if sharing > 1 else text

    def _apart(self, vehicle: int) -> str:
        """Return whose phases would be too far apart, if that is what bounds it."""
        loads = [(row, node) for row, node, _ in self._tree.rows_of(vehicle) if row >= _FIRST_PAIR]
        for row, node in loads:
            bound = self._problem.nodes[node].unbalance_a
            one, other = PAIRS[row - _FIRST_PAIR]
            ahead = self._loads[one, node] - self._loads[other, node] + self._fixed_ahead(node, one, other)
            if bound is not None and ahead + self._least[vehicle] > bound + TOLERANCE:
                return (
                    f"{self._problem.nodes[node].node_id}: phases may be {bound:g} A apart,"
                    f" {_PHASE_NAMES[one]} is {ahead:.3g} A ahead of {_PHASE_NAMES[other]}"
                )
        return ""

    def _fixed_ahead(self, node: int, one: int, other: int) -> float:
        return sum(
            fixed.phase_a[one] - fixed.phase_a[other]
            for fixed in self._problem.fixed
            if node in self._tree.ancestors[fixed.node]
        )

    def _later(self, vehicle: int) -> str:
        """Return that it gets more later, and what that saves if it does."""
        later = int(np.argmax(self._amperes[:, vehicle] > self._now[vehicle] + _ROUNDING_A))
        if not later:
            return "has enough at this current"
        horizon = self._problem.horizon
        at = horizon.starts_at + timedelta(seconds=sum(horizon.lengths_s[:later]))
        costs = self._problem.costs
        return f"gets more at {at:%H:%M}{_saving(costs, later) if costs is not None else ''}"


def _least(tree: Tree, now: Floats) -> Floats:
    """Return by how much each vehicle could be raised at least."""
    return np.where(now > 0, np.where(tree.step > 0, tree.step, _ROUNDING_A), tree.least)


def _value(bound: Bound, row: int) -> float | None:
    """Return what a bound allows on a row."""
    if row == VA:
        return bound.total_va
    return bound.phase_a[row] if bound.phase_a is not None and row < PHASES else None


def _most(demand: Demand) -> str:
    return demand.cap_reason or f"its most, {demand.max_a:g} A"


def _saving(costs: Costs, later: int) -> str:
    now, then = costs.per_kwh[0], costs.per_kwh[later]
    if now is None or then is None or then >= now:
        return ""
    return f": {costs.name} {then:g} then, {now:g} now"

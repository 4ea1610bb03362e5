"""What of a plan may be told now, so that power is never promised twice."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.balance import FIRST_PAIR, Balance
from chargebus_smart_charging.allocation.domain.filling import Rise, fill
from chargebus_smart_charging.allocation.domain.plans import DECIMALS
from chargebus_smart_charging.allocation.domain.plenty import Plenty
from chargebus_smart_charging.allocation.domain.problem import PHASES, Plan, PlanProblem, on_phases
from chargebus_smart_charging.allocation.domain.tree import TOLERANCE, Floats, Mask, Tree, near, planted
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

_ATTEMPTS: Final = 16
_NEAR_A: Final = 1e-6


def release(
    problem: PlanProblem, plan: Plan, counted: Mapping[EvseKey, PerPhase], tree: Callable[[], Tree] | None = None
) -> dict[EvseKey, float]:
    """Return the limit in amperes that each EVSE of the plan may be told now.

    Reductions are told at once, but what they free is not free before it is seen: a raise is told only as far as what
    all others are counted at leaves room on every phase of every node. Who cannot be raised yet keeps what it is
    counted at, or 0 if that is below its least. Nor does a raise take phases further apart than a node allows: of
    what is ahead counts the most that it may draw, of what is behind what it is told; what is told at once counts
    together, as one phase has to be first.

    Args:
        problem: with bounds and fixed loads as they are known now; they may have changed since the plan was made.
        plan: of which the first interval is told; vehicles that it does not know get 0.
        counted: the most that each EVSE may draw now, on each phase of the site; of those that are not given, what
            they are told at present. EVSEs that no vehicle of the problem has are to be among its `fixed` loads.
        tree: gives the problem's, where somebody else may need it, too.
    """
    return released(problem, {each.key: each.limits_a[0] for each in plan.allocations}, counted, tree)


def released(
    problem: PlanProblem,
    first_a: Mapping[EvseKey, float],
    counted: Mapping[EvseKey, PerPhase],
    tree: Callable[[], Tree] | None = None,
) -> dict[EvseKey, float]:
    """Return the same of a plan of which the first interval is given."""
    if not problem.demands:
        return {}
    at_once = Plenty(problem).told(first_a, counted)
    return weighed(problem, first_a, counted, (tree or planted(problem))()) if at_once is None else at_once


def weighed(
    problem: PlanProblem, first_a: Mapping[EvseKey, float], counted: Mapping[EvseKey, PerPhase], tree: Tree
) -> dict[EvseKey, float]:
    """Return the same where some have to wait for others."""
    wanted = tree.stepped(np.minimum([first_a.get(demand.key, 0.0) for demand in tree.demands], tree.maximum))
    draws = np.array(
        [counted.get(each.key, on_phases(each, each.present_a)) for each in tree.demands], dtype=np.float64
    ).reshape(tree.size, PHASES)
    draws_at_most = draws.max(axis=1, initial=0.0)
    told = tree.stepped(np.minimum(wanted, draws_at_most))
    rises = _Rises(tree, tree.capacities[0], draws)
    wants = _Wanted(np.maximum(tree.minimum, draws_at_most), wanted, wanted > draws_at_most + TOLERANCE, told)
    limits_a = np.round(rises.balanced(wants, Balance(tree, problem.fixed)), DECIMALS).tolist()
    return {demand.key: limit_a for demand, limit_a in zip(tree.demands, limits_a, strict=True)}


class _Wanted(msgspec.Struct, frozen=True):
    """What vehicles are wanted to have that are to be raised, from their least on; `told` is what all may have now."""

    least: Floats
    most: Floats
    rises: Mask
    told: Floats


class _Rises:
    """Raises within what is left of the capacity when all is taken off that may be drawn now: vehicles x phases."""

    def __init__(self, tree: Tree, capacity: Floats, draws: Floats) -> None:
        self._tree = tree
        self._capacity = capacity
        self._most = draws.max(axis=1, initial=0.0)
        self._rows = self._on_rows(draws.T)
        self._own = self._on_rows(draws.T * (tree.loads_of[:PHASES] > 0))
        """What of that takes the place of what they are raised to: on other phases they may go on to draw."""

    def _on_rows(self, phase_a: Floats) -> Floats:
        """Return what vehicles put on each row that may draw so much on each phase: rows x vehicles."""
        voltage_v = np.array([demand.voltage_v for demand in self._tree.demands])
        pairs = self._tree.loads_of[FIRST_PAIR:] * self._most
        return np.vstack((phase_a, phase_a.sum(axis=0) * voltage_v, pairs))

    def balanced(self, wanted: _Wanted, balance: Balance) -> Floats:
        """Return what all may be told: who is raised as far as that leaves phases near enough, others what they may."""
        pairs = np.full((self._tree.rows - FIRST_PAIR, len(self._tree.nodes)), np.inf)
        for attempt in range(_ATTEMPTS):
            room = np.vstack((self._capacity[:FIRST_PAIR], pairs)) - self._drawn(self._rows)
            admitted = self._admitted(room, wanted)
            limits_a = np.where(admitted, self._raised(room, wanted, admitted), wanted.told)
            if not balance.bounded:
                break
            allowed = balance.allowed(limits_a)
            too_far = self._too_far(limits_a, allowed)
            if not too_far.any():
                break
            pairs = np.where(too_far, np.minimum(pairs, allowed), pairs)
            if attempt >= _ATTEMPTS - 2:
                pairs[:, too_far.any(axis=0)] = -np.inf
        return limits_a

    def _too_far(self, limits_a: Floats, allowed: Floats) -> Mask:
        """Return which pairs of phases of which nodes are further apart than is allowed, by what is raised."""
        most = self._tree.loads(np.maximum(limits_a, self._most))[FIRST_PAIR:]
        raised = self._tree.loads(np.maximum(limits_a - self._most, 0.0))[FIRST_PAIR:]
        found: Mask = (raised > TOLERANCE) & (most > allowed + _NEAR_A)
        return found

    def _admitted(self, room_of: Floats, wanted: _Wanted) -> Mask:
        """Return who can be given its least beside all others: who has nothing first, the longest wait first."""
        tree = self._tree
        admitted = np.zeros(tree.size, dtype=bool)
        room: list[list[float]] = (room_of + near(room_of)).tolist()
        own = self._own.T
        waiting = np.array([demand.paused_s for demand in tree.demands]) * tree.weight
        for vehicle in np.lexsort((-waiting, self._most)).tolist():
            if not wanted.rises[vehicle]:
                continue
            more = [
                (row, node, load * wanted.least[vehicle] - own[vehicle, row])
                for row, node, load in tree.rows_of(vehicle)
            ]
            if all(room[row][node] >= amount for row, node, amount in more):
                admitted[vehicle] = True
                for row, node, amount in more:
                    room[row][node] -= amount
        return admitted

    def _raised(self, room: Floats, wanted: _Wanted, admitted: Mask) -> Floats:
        """Return how far they are raised: all by the same level, until a row above them is full."""
        tree = self._tree
        low = np.where(admitted, wanted.least, 0.0)
        high = np.where(admitted, wanted.most, 0.0)
        full = room + self._drawn(np.where(admitted, self._own, 0.0))
        return tree.stepped(fill(tree, full, Rise(low, high, tree.weight, np.zeros(tree.size))))

    def _drawn(self, rows: Floats) -> Floats:
        """Return what vehicles that put so much on each row put on those of each node: rows x nodes."""
        sums = np.zeros((self._tree.rows, self._tree.size + 1))
        np.cumsum(rows, axis=1, out=sums[:, 1:])
        return sums[:, self._tree.end] - sums[:, self._tree.start]

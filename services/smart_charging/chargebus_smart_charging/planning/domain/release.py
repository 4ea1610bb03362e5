"""What of a plan may be told now, so that power is never promised twice."""

from collections.abc import Mapping

import numpy as np

from chargebus_smart_charging.planning.domain.filling import Rise, fill
from chargebus_smart_charging.planning.domain.plans import DECIMALS
from chargebus_smart_charging.planning.domain.problem import PHASES, Plan, Problem, on_phases
from chargebus_smart_charging.planning.domain.tree import TOLERANCE, VA, Floats, Mask, Tree, near
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase


def release(
    problem: Problem, plan: Plan, counted: Mapping[EvseKey, PerPhase], tree: Tree | None = None
) -> dict[EvseKey, float]:
    """Return the limit in amperes that each EVSE of the plan may be told now.

    Reductions are told at once, but what they free is not free before it is seen: a raise is told only as far as what
    all others are counted at leaves room on every phase of every node. Who cannot be raised yet keeps what it is
    counted at, or 0 if that is below its least. How far phases are apart is for the plan alone: on the way to it, one
    phase has to be first.

    Args:
        problem: with bounds and fixed loads as they are known now; they may have changed since the plan was made.
        plan: of which the first interval is told; vehicles that it does not know get 0.
        counted: the most that each EVSE may draw now, on each phase of the site; of those that are not given, what
            they are told at present. EVSEs that no vehicle of the problem has are to be among its `fixed` loads.
        tree: the problem's, where it is there already.
    """
    if not problem.demands:
        return {}
    tree = tree or Tree(problem)
    first = {allocation.key: allocation.limits_a[0] for allocation in plan.allocations}
    wanted = tree.stepped(np.minimum([first.get(demand.key, 0.0) for demand in tree.demands], tree.maximum))
    draws = np.array(
        [counted.get(each.key, on_phases(each, each.present_a)) for each in tree.demands], dtype=np.float64
    ).reshape(tree.size, PHASES)
    draws_at_most = draws.max(axis=1, initial=0.0)
    told = tree.stepped(np.minimum(wanted, draws_at_most))
    rises = _Rises(tree, tree.capacities[0], draws)
    least = np.maximum(tree.minimum, draws_at_most)
    admitted = rises.admitted(least, wanted > draws_at_most + TOLERANCE)
    raised = rises.raised(least, wanted, admitted)
    limits_a = np.round(np.where(admitted, raised, told), DECIMALS).tolist()
    return {demand.key: limit_a for demand, limit_a in zip(tree.demands, limits_a, strict=True)}


class _Rises:
    """Raises within what is left of the capacity when all is taken off that may be drawn now: vehicles x phases."""

    def __init__(self, tree: Tree, capacity: Floats, draws: Floats) -> None:
        self._tree = tree
        self._draws = draws
        self._voltage = np.array([demand.voltage_v for demand in tree.demands])
        self._room = capacity[: PHASES + 1] - self._drawn(np.ones(tree.size, dtype=bool))

    def admitted(self, least: Floats, wants: Mask) -> Mask:
        """Return who can be given its least beside all others: who has nothing first, the longest wait first."""
        tree = self._tree
        admitted = np.zeros(tree.size, dtype=bool)
        room: list[list[float]] = (self._room + near(self._room)).tolist()
        drawn = np.column_stack((self._draws, self._draws.sum(axis=1) * self._voltage))
        waiting = np.array([demand.paused_s for demand in tree.demands]) * tree.weight
        for vehicle in np.lexsort((-waiting, self._draws.max(axis=1, initial=0.0))).tolist():
            if not wants[vehicle]:
                continue
            more = [
                (row, node, load * least[vehicle] - drawn[vehicle, row])
                for row, node, load in tree.rows_of(vehicle)
                if row <= VA
            ]
            if all(room[row][node] >= amount for row, node, amount in more):
                admitted[vehicle] = True
                for row, node, amount in more:
                    room[row][node] -= amount
        return admitted

    def raised(self, least: Floats, wanted: Floats, admitted: Mask) -> Floats:
        """Return how far they are raised: all by the same level, until a row above them is full."""
        tree = self._tree
        room = np.full((tree.rows, len(tree.nodes)), np.inf)
        room[: PHASES + 1] = self._room + self._drawn(admitted)
        low = np.where(admitted, least, 0.0)
        high = np.where(admitted, wanted, 0.0)
        return tree.stepped(fill(tree, room, Rise(low, high, tree.weight, np.zeros(tree.size))))

    def _drawn(self, which: Mask) -> Floats:
        """Return what some draw, on L1, L2, L3 and in volt-amperes: 4 x nodes."""
        draws = np.where(which[:, None], self._draws, 0.0)
        rows = np.vstack((draws.T, draws.sum(axis=1) * self._voltage))
        sums = np.zeros((PHASES + 1, self._tree.size + 1))
        np.cumsum(rows, axis=1, out=sums[:, 1:])
        return sums[:, self._tree.end] - sums[:, self._tree.start]

"""Where there is enough for all now: what each gets, and may be told, without weighing one against another.

What is found here is to the last digit what the allocator and the release find: they are only asked where somebody is
bounded, as arrays of a few vehicles cost more than all that is reckoned with them.
"""

import math
from collections.abc import Mapping, Sequence

from chargebus_smart_charging.allocation.domain.plans import rounded
from chargebus_smart_charging.allocation.domain.problem import ENOUGH_WH, Demand, PlanNode, PlanProblem, on_phases
from chargebus_smart_charging.allocation.domain.tree import TOLERANCE
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase


class Plenty:
    """What there is for all in the first interval of a problem."""

    def __init__(self, problem: PlanProblem) -> None:
        self._problem = problem
        self._is_bounded = any(node.unbalance_a is not None for node in problem.nodes)

    def most_a(self) -> dict[EvseKey, float] | None:
        """Return what each vehicle gets in the first interval if all can have their most at once; None: they cannot."""
        if self._is_bounded:
            return None
        starts_at = self._problem.horizon.starts_at
        found: dict[EvseKey, float] = {}
        drawn: list[tuple[int, PerPhase, float]] = []
        for demand in self._problem.demands:
            if demand.departs_at is not None and 0 < (demand.departs_at - starts_at).total_seconds() <= TOLERANCE:
                return None
            amperes = _most(demand)
            found[demand.key] = rounded(amperes)
            if amperes:
                drawn.append(_drawing(demand, amperes))
        return found if self._holds(drawn) else None

    def told(
        self, first_a: Mapping[EvseKey, float], counted: Mapping[EvseKey, PerPhase]
    ) -> dict[EvseKey, float] | None:
        """Return what each may be told if all who are to be raised can be at once; None: somebody has to wait.

        `first_a` is what is planned, `counted` what each may draw now; who is not raised may draw on as it does.
        """
        found: dict[EvseKey, float] = {}
        drawn: list[tuple[int, PerPhase, float]] = []
        rises = False
        for demand in self._problem.demands:
            present = counted.get(demand.key) or on_phases(demand, demand.present_a)
            at_most = max(present)
            wanted = stepped(demand, min(first_a.get(demand.key, 0.0), stepped(demand, demand.max_a)))
            if wanted > at_most + TOLERANCE:
                rises = True
                found[demand.key] = rounded(stepped(demand, wanted))
                drawn.append(_raising(demand, wanted, present))
            else:
                found[demand.key] = rounded(stepped(demand, min(wanted, at_most)))
                drawn.append((demand.node, present, sum(present) * demand.voltage_v))
        if rises and (self._is_bounded or not self._holds(drawn)):
            return None
        return found

    def _holds(self, drawn: Sequence[tuple[int, PerPhase, float]]) -> bool:
        """Tell whether all nodes can carry what is drawn at them: amperes on each phase, and volt-amperes."""
        nodes = self._problem.nodes
        flows = [[0.0, 0.0, 0.0, 0.0] for _ in nodes]
        for place, (first, second, third), va in drawn:
            _add(flows[place], first, second, third, va)
        for fixed in self._problem.fixed:
            first, second, third = fixed.phase_a
            if fixed.last is None or fixed.last > 0:
                _add(flows[fixed.node], first, second, third, sum(fixed.phase_a) * nodes[fixed.node].voltage_v)
        for place in range(len(nodes) - 1, -1, -1):
            node, flow = nodes[place], flows[place]
            if not _carries(node, flow):
                return False
            if node.parent is not None:
                _add(flows[node.parent], *flow)
        return True


def stepped(demand: Demand, amperes: float) -> float:
    """Return the next smaller value that a vehicle may get (`Tree.stepped`)."""
    above = amperes - demand.min_a
    if above < -TOLERANCE:
        return 0.0
    whole = math.floor(above / demand.step_a + TOLERANCE) * demand.step_a if demand.step_a > 0 else above
    return demand.min_a + max(whole, 0.0)


def _most(demand: Demand) -> float:
    """Return what a vehicle gets that nobody bounds: its most while it needs more, or its least if it takes no 0."""
    most = stepped(demand, demand.max_a)
    needs = demand.energy_wh is None or demand.energy_wh > ENOUGH_WH
    if most > 0 and needs:
        return max(most, demand.min_a) if demand.must_charge else most
    return demand.min_a if most > 0 and demand.must_charge else 0.0


def _drawing(demand: Demand, amperes: float) -> tuple[int, PerPhase, float]:
    return demand.node, on_phases(demand, amperes), amperes * demand.voltage_v * len(demand.phases)


def _raising(demand: Demand, amperes: float, present: PerPhase) -> tuple[int, PerPhase, float]:
    """Return what one that is raised may draw at most meanwhile."""
    first, second, third = map(max, on_phases(demand, amperes), present)
    return demand.node, (first, second, third), (first + second + third) * demand.voltage_v


def _add(flow: list[float], first: float, second: float, third: float, va: float) -> None:
    flow[0] += first
    flow[1] += second
    flow[2] += third
    flow[3] += va


def _carries(node: PlanNode, flow: Sequence[float]) -> bool:
    for bound in node.bounds:
        if bound.first or bound.last == 0:
            continue
        most = bound.phase_a
        if most is not None and (flow[0] > most[0] or flow[1] > most[1] or flow[2] > most[2]):
            return False
        if bound.total_va is not None and flow[3] > bound.total_va:
            return False
    return True

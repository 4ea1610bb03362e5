"""Ways of sharing a connection that others know, each as one function: who gets how many amperes now."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from chargebus_smart_charging.allocation.domain.problem import HOUR_S, PHASES, Demand, PlanProblem
from chargebus_smart_charging.sites.domain.site import EvseKey

Shares: TypeAlias = dict[EvseKey, float]
Policy: TypeAlias = Callable[[PlanProblem], Shares]
"""A problem's demands stand in the order in which their vehicles came."""

_NOTHING_A: Final = 0.01


def uncontrolled(problem: PlanProblem) -> Shares:
    """Give everyone all that it takes."""
    return {demand.key: demand.max_a for demand in problem.demands}


def equal_share(problem: PlanProblem) -> Shares:
    """Give everyone the same on each node; where that is less than a vehicle can use, to those that came first."""
    waiting = list(problem.demands)
    while waiting:
        room = _Room(problem)
        shares = {demand.key: min(demand.max_a, room.equal_a(demand, waiting)) for demand in waiting}
        short = [demand for demand in waiting if shares[demand.key] < demand.min_a]
        if not short:
            return shares
        waiting.remove(short[-1])
    return {}


def first_come_first_served(problem: PlanProblem) -> Shares:
    """Serve who came first."""
    return _in_turn(problem, problem.demands)


def earliest_deadline_first(problem: PlanProblem) -> Shares:
    """Serve who leaves first."""
    return _in_turn(problem, sorted(problem.demands, key=lambda demand: _left_s(problem, demand)))


def least_laxity_first(problem: PlanProblem) -> Shares:
    """Serve who can wait least: the time until it leaves, less the time that it needs at full power."""
    return _in_turn(problem, sorted(problem.demands, key=lambda demand: _laxity_s(problem, demand)))


POLICIES: Final[dict[str, Policy]] = {
    "uncontrolled": uncontrolled,
    "equal share": equal_share,
    "first come, first served": first_come_first_served,
    "earliest deadline first": earliest_deadline_first,
    "least laxity first": least_laxity_first,
}


def _left_s(problem: PlanProblem, demand: Demand) -> float:
    if demand.departs_at is None:
        return float("inf")
    return (demand.departs_at - problem.horizon.starts_at).total_seconds()


def _laxity_s(problem: PlanProblem, demand: Demand) -> float:
    full_w = demand.max_a * demand.voltage_v * len(demand.phases)
    return _left_s(problem, demand) - (demand.energy_wh or 0.0) / full_w * HOUR_S


def _in_turn(problem: PlanProblem, demands: Iterable[Demand]) -> Shares:
    room = _Room(problem)
    shares = {}
    for demand in demands:
        given_a = min(demand.max_a, room.left_a(demand))
        if given_a >= demand.min_a - _NOTHING_A:
            room.take(demand, given_a)
            shares[demand.key] = given_a
    return shares


class _Room:
    """What is left on each phase of each node, in the first interval."""

    def __init__(self, problem: PlanProblem) -> None:
        self._nodes = problem.nodes
        self._left: list[list[float]] = []
        for node in problem.nodes:
            left = [float("inf")] * PHASES
            for bound in node.bounds:
                if bound.first == 0 and bound.phase_a is not None:
                    left = [min(a, b) for a, b in zip(left, bound.phase_a, strict=True)]
            self._left.append(left)

    def _path(self, demand: Demand) -> Iterable[int]:
        place: int | None = demand.node
        while place is not None:
            yield place
            place = self._nodes[place].parent

    def left_a(self, demand: Demand) -> float:
        """Return what it could have."""
        return min(self._left[place][phase] for place in self._path(demand) for phase in demand.phases)

    def equal_a(self, demand: Demand, among: Iterable[Demand]) -> float:
        """Return its share, if all on each phase of each of its nodes get the same."""
        shares = []
        for place in self._path(demand):
            for phase in demand.phases:
                others = sum(phase in each.phases and place in self._path(each) for each in among)
                shares.append(self._left[place][phase] / others)
        return min(shares)

    def take(self, demand: Demand, amperes: float) -> None:
        """Take from what is left."""
        for place in self._path(demand):
            for phase in demand.phases:
                self._left[place][phase] -= amperes

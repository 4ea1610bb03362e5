"""The planners of production, as policies of the comparison."""

from datetime import timedelta
from typing import Final

from chargebus_smart_charging.allocation.domain.allocator import allocate
from chargebus_smart_charging.allocation.domain.ease import is_easy
from chargebus_smart_charging.allocation.domain.fitting import fits
from chargebus_smart_charging.allocation.domain.guiding import Guide
from chargebus_smart_charging.allocation.domain.optimiser import SolverError, optimise
from chargebus_smart_charging.allocation.domain.problem import Plan, Problem

from chargebus_simulation.comparison import Contender
from chargebus_simulation.policies import Shares

_WITHIN_S: Final = 20.0
_FOLLOWED_FOR: Final = timedelta(hours=1)


def allocator(problem: Problem) -> Shares:
    """Share by the fast allocator."""
    return _first(allocate(problem))


def optimiser(problem: Problem) -> Shares:
    """Share by the optimiser, and where that is late by the allocator, as in production."""
    if not problem.demands:
        return {}
    try:
        return _first(optimise(problem, _WITHIN_S))
    except SolverError:
        return allocator(problem)


class Guided:
    """Shares by the optimiser, whose plan is followed for as long as the same vehicles are there, an hour at most."""

    def __init__(self) -> None:
        self._guide: Guide | None = None

    def __call__(self, problem: Problem) -> Shares:
        """Share by the plan that is followed, or by a new one; by the allocator where that is late."""
        if not problem.demands or is_easy(problem):
            return allocator(problem)
        at, guide = problem.horizon.starts_at, self._guide
        if guide is not None and guide.at <= at < guide.at + _FOLLOWED_FOR:
            plan = guide.shifted(problem)
            if plan is not None and fits(problem, plan):
                return _first(plan)
        try:
            plan = optimise(problem, _WITHIN_S)
        except SolverError:
            return allocator(problem)
        self._guide = Guide(plan, at, problem.horizon)
        return _first(plan)


def _first(plan: Plan) -> Shares:
    return {each.key: each.limits_a[0] for each in plan.allocations}


OURS: Final = (
    Contender("allocator", allocator),
    Contender("optimiser", Guided()),
)
OURS_FOR_COST: Final = (
    Contender("optimiser, by price", Guided(), "price"),
    Contender("optimiser, by CO₂", Guided(), "co2"),
)

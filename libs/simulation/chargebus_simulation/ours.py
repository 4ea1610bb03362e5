"""The planners of production, as policies of the comparison."""

from typing import Final

from chargebus_smart_charging.planning.domain.allocator import allocate
from chargebus_smart_charging.planning.domain.optimiser import SolverError, optimise
from chargebus_smart_charging.planning.domain.problem import Plan, Problem

from chargebus_simulation.comparison import Contender
from chargebus_simulation.policies import Shares

_WITHIN_S: Final = 2.0


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


def _first(plan: Plan) -> Shares:
    return {each.key: each.limits_a[0] for each in plan.allocations}


OURS: Final = (
    Contender("allocator", allocator),
    Contender("optimiser", optimiser),
)
OURS_FOR_COST: Final = (
    Contender("optimiser, by price", optimiser, "price"),
    Contender("optimiser, by CO₂", optimiser, "co2"),
)

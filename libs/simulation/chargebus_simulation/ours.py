"""The planners of production, as policies of the comparison."""

from typing import Final

from chargebus_smart_charging.allocation.domain.allocator import allocate
from chargebus_smart_charging.allocation.domain.ease import is_easy
from chargebus_smart_charging.allocation.domain.optimiser import SolverError, optimise
from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem

from chargebus_simulation.comparison import Contender
from chargebus_simulation.policies import Shares

_WITHIN_S: Final = 20.0


def allocator(problem: PlanProblem) -> Shares:
    """Share by the fast allocator."""
    return _first(allocate(problem))


def optimiser(problem: PlanProblem) -> Shares:
    """Share by the optimiser, and by the allocator where that is late or nothing is to be thought about.

    A plan is made anew each time: production follows one for some minutes only.
    """
    if not problem.demands or is_easy(problem):
        return allocator(problem)
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

"""The planners of production, as policies of the comparison."""

from typing import Final

from chargebus_smart_charging.planning.domain.allocator import allocate
from chargebus_smart_charging.planning.domain.optimiser import optimise
from chargebus_smart_charging.planning.domain.problem import Plan, Problem

from chargebus_simulation.comparison import Contender
from chargebus_simulation.policies import Shares

_WITHIN_S: Final = 30.0
"""Long enough for a machine that others use: the comparison is of plans, not of how fast they come."""


def allocator(problem: Problem) -> Shares:
    """Share by the fast allocator."""
    return _first(allocate(problem))


def optimiser(problem: Problem) -> Shares:
    """Share by the optimiser."""
    return _first(optimise(problem, _WITHIN_S)) if problem.demands else {}


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

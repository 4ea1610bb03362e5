"""The planners of production, as policies of the comparison."""

from typing import Final

from chargebus_smart_charging.planning.domain.allocator import allocate
from chargebus_smart_charging.planning.domain.problem import Plan, Problem

from chargebus_simulation.comparison import Contender
from chargebus_simulation.policies import Shares


def allocator(problem: Problem) -> Shares:
    """Share by the fast allocator."""
    return _first(allocate(problem))


def _first(plan: Plan) -> Shares:
    return {each.key: each.limits_a[0] for each in plan.allocations}


OURS: Final = (Contender("allocator", allocator),)

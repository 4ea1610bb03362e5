"""A plan out of amperes: each vehicle's schedule, what it lacks, and in words what bounds its first interval."""

from typing import Final

import numpy as np

from chargebus_smart_charging.planning.domain.problem import Allocation, Method, Plan, Problem
from chargebus_smart_charging.planning.domain.reasons import Reasons
from chargebus_smart_charging.planning.domain.stays import Stays
from chargebus_smart_charging.planning.domain.tree import Floats, Tree, capacities, overloads

DECIMALS: Final = 9
"""What amperes are rounded to: far below any bound's tolerance, so that 7 A are 7 A."""


def planned(problem: Problem, tree: Tree, stays: Stays, amperes: Floats, method: Method) -> Plan:
    """Return the plan that gives so many amperes: intervals x vehicles, in the tree's order."""
    given = np.where(stays.seconds > 0, np.round(amperes, DECIMALS), 0.0)
    served_wh = (given * stays.seconds).sum(axis=0) * tree.wh_per_ampere_s
    unserved_wh = np.where(np.isfinite(stays.energy_wh), np.maximum(stays.energy_wh - served_wh, 0.0), 0.0).tolist()
    capacity = capacities(tree, problem)[0]
    reasons = Reasons(problem, tree, capacity, given)
    limits_a = [tuple(each) for each in given.T.tolist()]
    allocations: list[Allocation | None] = [None] * tree.size
    for vehicle, place in enumerate(tree.order.tolist()):
        allocations[place] = Allocation(
            tree.demands[vehicle].key, limits_a[vehicle], reasons.of(vehicle), unserved_wh[vehicle]
        )
    return Plan(method, tuple(each for each in allocations if each is not None), overload_a=overloads(tree, capacity))

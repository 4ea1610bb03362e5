"""A plan out of amperes: each vehicle's schedule, what it lacks, and in words what bounds its first interval."""

from typing import Final

import numpy as np

from chargebus_smart_charging.allocation.domain.flows import through
from chargebus_smart_charging.allocation.domain.problem import PHASES, Allocation, Method, Plan, PlanProblem
from chargebus_smart_charging.allocation.domain.reasons import Reasons
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import TOLERANCE, Floats, Tree

DECIMALS: Final = 9
"""What amperes are rounded to: far below any bound's tolerance, so that 7 A are 7 A."""

_SCALE: Final = 10.0**DECIMALS


def rounded(amperes: float) -> float:
    """Return amperes as a plan has them: to the last digit as arrays are rounded."""
    return round(amperes * _SCALE) / _SCALE


def planned(problem: PlanProblem, tree: Tree, stays: Stays, amperes: Floats, method: Method) -> Plan:
    """Return the plan that gives so many amperes: intervals x vehicles, in the tree's order."""
    given = np.where(stays.seconds > 0, np.round(amperes, DECIMALS), 0.0)
    served_wh = (given * stays.seconds).sum(axis=0) * tree.wh_per_ampere_s
    unserved_wh = np.where(np.isfinite(stays.energy_wh), np.maximum(stays.energy_wh - served_wh, 0.0), 0.0).tolist()
    capacity = tree.capacities[0]
    reasons = Reasons(problem, tree, capacity, given)
    limits_a = [tuple(each) for each in given.T.tolist()]
    allocations: list[Allocation | None] = [None] * tree.size
    for vehicle, place in enumerate(tree.order.tolist()):
        allocations[place] = Allocation(
            tree.demands[vehicle].key, limits_a[vehicle], reasons.of(vehicle), unserved_wh[vehicle]
        )
    return Plan(method, tuple(each for each in allocations if each is not None), overload_a=overloads(problem))


def overloads(problem: PlanProblem) -> tuple[tuple[str, float], ...]:
    """Return by how many amperes nodes are over their bounds on their worst phase now, by what is fixed alone."""
    flows = through(problem.nodes, [(each.node, each.phase_a) for each in problem.fixed])
    found = []
    for node, flow in zip(problem.nodes, flows, strict=True):
        over = [TOLERANCE]
        for bound in node.bounds:
            if bound.first == 0 and bound.phase_a is not None:
                over += [amperes - most for amperes, most in zip(flow, bound.phase_a, strict=True)]
            if bound.first == 0 and bound.total_va is not None:
                over.append((sum(flow) * node.voltage_v - bound.total_va) / (PHASES * node.voltage_v))
        if max(over) > TOLERANCE:
            found.append((node.node_id, max(over)))
    return tuple(found)

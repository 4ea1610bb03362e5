"""Whether a problem needs no thought: everybody may have all that he can take, and nothing is gained by waiting."""

from chargebus_smart_charging.allocation.domain.flows import through
from chargebus_smart_charging.allocation.domain.problem import PlanProblem, on_phases
from chargebus_smart_charging.sites.domain.bound import Bound, PlanNode
from chargebus_smart_charging.sites.domain.site import PerPhase


def is_easy(problem: PlanProblem) -> bool:
    """Tell whether all vehicles can charge at their most all the time, and what that costs does not count."""
    if problem.costs is not None:
        return False
    drawn = [(demand.node, on_phases(demand, demand.max_a)) for demand in problem.demands]
    drawn += [(fixed.node, fixed.phase_a) for fixed in problem.fixed]
    flows = through(problem.nodes, drawn)
    if problem.peak_va is not None and sum(flows[0]) * problem.nodes[0].voltage_v > problem.peak_va:
        return False
    return all(
        _holds(bound, node, flow) and _is_balanced(node, flow)
        for node, flow in zip(problem.nodes, flows, strict=True)
        for bound in node.bounds or (Bound(""),)
    )


def _holds(bound: Bound, node: PlanNode, flow: PerPhase) -> bool:
    if bound.phase_a is not None and any(a > most for a, most in zip(flow, bound.phase_a, strict=True)):
        return False
    return bound.total_va is None or sum(flow) * node.voltage_v <= bound.total_va


def _is_balanced(node: PlanNode, flow: PerPhase) -> bool:
    return node.unbalance_a is None or max(flow) - min(flow) <= node.unbalance_a

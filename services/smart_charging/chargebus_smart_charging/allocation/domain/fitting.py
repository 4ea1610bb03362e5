"""Whether a plan that was made a moment ago still fits what is to be planned now."""

from collections.abc import Mapping
from typing import Final

from chargebus_smart_charging.allocation.domain.flows import through
from chargebus_smart_charging.allocation.domain.problem import Demand, Plan, PlanProblem, on_phases
from chargebus_smart_charging.sites.domain.bound import Bound, PlanNode
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

_NEAR_A: Final = 0.01


def fits(problem: PlanProblem, plan: Plan) -> bool:
    """Tell whether a plan gives each vehicle what it may be given, and keeps every bound in the first interval."""
    given = {each.key: each.limits_a for each in plan.allocations}
    if given.keys() != {demand.key for demand in problem.demands}:
        return False
    if any(len(limits_a) != len(problem.horizon.lengths_s) for limits_a in given.values()):
        return False
    return all(_is_possible(demand, given[demand.key][0]) for demand in problem.demands) and _keeps(problem, given)


def _is_possible(demand: Demand, amperes: float) -> bool:
    if amperes <= _NEAR_A:
        return not demand.must_charge
    return demand.min_a - _NEAR_A <= amperes <= demand.max_a + _NEAR_A


def _keeps(problem: PlanProblem, given: Mapping[EvseKey, tuple[float, ...]]) -> bool:
    drawn = [(demand.node, on_phases(demand, given[demand.key][0])) for demand in problem.demands]
    drawn += [(fixed.node, fixed.phase_a) for fixed in problem.fixed]
    return all(
        _is_within(bound, node, flow)
        for node, flow in zip(problem.nodes, through(problem.nodes, drawn), strict=True)
        for bound in node.bounds
        if bound.first == 0
    )


def _is_within(bound: Bound, node: PlanNode, flow: PerPhase) -> bool:
    if bound.phase_a is not None and any(
        amperes > most + _NEAR_A for amperes, most in zip(flow, bound.phase_a, strict=True)
    ):
        return False
    return bound.total_va is None or sum(flow) * node.voltage_v <= bound.total_va + _NEAR_A * node.voltage_v

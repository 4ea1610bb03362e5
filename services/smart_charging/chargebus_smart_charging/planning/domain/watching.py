"""What nodes carry: planned, measured, reckoned with; and for how long one has been measured above its bound."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from chargebus_smart_charging.allocation.domain.flows import through
from chargebus_smart_charging.allocation.domain.problem import Bound, PlanNode, PlanProblem, on_phases
from chargebus_smart_charging.planning.domain.evses import Found
from chargebus_smart_charging.planning.domain.known import NodeState
from chargebus_smart_charging.planning.domain.memory import Overload
from chargebus_smart_charging.sites.domain.site import NOTHING, EvseKey, PerPhase
from chargebus_smart_charging.vehicles.domain.drawing import USUAL_V

TOLERANCE_A: Final = 0.5
TOLERANCE: Final = 0.02
"""A node above its bound by less than the larger of these, in amperes and as a share, is the meters'."""


def node_states(
    problem: PlanProblem,
    first_a: Mapping[EvseKey, float],
    found: Sequence[Found],
    over: Sequence[Overload],
    now: datetime,
) -> tuple[NodeState, ...]:
    """Return the nodes as they are now, in the order of the problem.

    `first_a` is what is planned for each EVSE now, `over` are the nodes above their bounds.
    """
    over_s = {each.node_id: since_s(each, now) for each in over}
    planned = through(problem.nodes, [(each.node, _planned(each, first_a)) for each in found])
    counted = through(problem.nodes, [(each.node, each.counted) for each in found])
    measured = through(problem.nodes, [(each.node, each.measured or NOTHING) for each in found])
    silent = _silent(problem.nodes, found)
    return tuple(
        msgspec.structs.replace(
            _state(node, planned[place], counted[place], None if place in silent else measured[place]),
            overload_s=over_s.get(node.node_id, 0.0),
        )
        for place, node in enumerate(problem.nodes)
    )


def _state(node: PlanNode, planned: PerPhase, counted: PerPhase, measured: PerPhase | None) -> NodeState:
    bounds = _holding(node, 0)
    limit = bound_a(node, 0)
    return NodeState(
        node.node_id,
        limit,
        planned,
        measured,
        counted,
        None if limit is None else _minus(limit, counted),
        "; ".join(bound.reason for bound in bounds),
    )


def bound_a(node: PlanNode, interval: int) -> PerPhase | None:
    """Return what may flow through a node in an interval, on each phase; None: nothing bounds it."""
    return _limit(_holding(node, interval), node.voltage_v)


def _holding(node: PlanNode, interval: int) -> list[Bound]:
    return [bound for bound in node.bounds if bound.first <= interval and (bound.last is None or bound.last > interval)]


def _limit(bounds: Sequence[Bound], voltage_v: float) -> PerPhase | None:
    """Return the strictest bound of each phase; one for all phases together is shared out evenly to be shown."""
    limits = [bound.phase_a for bound in bounds if bound.phase_a is not None]
    thirds = (bound.total_va / voltage_v / 3 for bound in bounds if bound.total_va is not None)
    limits += [(each, each, each) for each in thirds]
    if not limits:
        return None
    first, second, third = (min(limit[phase] for limit in limits) for phase in range(3))
    return first, second, third


def _planned(found: Found, given: Mapping[EvseKey, float]) -> PerPhase:
    if found.demand is None:
        return found.counted
    return on_phases(found.demand, given.get(found.key, 0.0))


def _silent(nodes: Sequence[PlanNode], found: Sequence[Found]) -> set[int]:
    """Return the places of nodes below which something may be drawn that nobody measures."""
    silent: set[int] = set()
    for each in found:
        if each.measured is None and each.counted != NOTHING:
            at: int | None = each.node
            while at is not None:
                silent.add(at)
                at = nodes[at].parent
    return silent


def _minus(limit: PerPhase, counted: PerPhase) -> PerPhase:
    first, second, third = (of - less for of, less in zip(limit, counted, strict=True))
    return first, second, third


def overloaded(
    problem: PlanProblem, found: Sequence[Found], before: Sequence[Overload], now: datetime
) -> tuple[Overload, ...]:
    """Return the nodes that are measured above their bounds now, each since when."""
    since = {each.node_id: each.since for each in before}
    measured = through(problem.nodes, [(each.node, each.measured or NOTHING) for each in found])
    return tuple(
        Overload(node.node_id, since.get(node.node_id, now))
        for node, drawn in zip(problem.nodes, measured, strict=True)
        if _is_over(node, drawn)
    )


def _is_over(node: PlanNode, drawn: PerPhase) -> bool:
    """Tell whether what flows at least is more than a node's bounds; what nobody measures only adds to it."""
    return any(
        (bound.phase_a is not None and any(map(_is_above, drawn, bound.phase_a)))
        or (bound.total_va is not None and _is_above(sum(drawn) * node.voltage_v, bound.total_va, 3 * node.voltage_v))
        for bound in node.bounds
        if bound.first == 0
    )


def _is_above(drawn: float, limit: float, unit: float = 1.0) -> bool:
    return drawn > limit + max(TOLERANCE_A * unit, TOLERANCE * limit)


def vehicles_va(found: Sequence[Found]) -> float:
    """Return what EVSEs draw in all, in volt-amperes; one of which nothing is measured draws what it counts for."""
    return sum(
        sum(each.counted if each.measured is None else each.measured) * (each.evse.voltage_v or USUAL_V)
        for each in found
    )


def since_s(overload: Overload, now: datetime) -> float:
    """Return for how long a node has been overloaded."""
    return (now - overload.since).total_seconds()


def lasts(overload: Overload, now: datetime, interval_s: float) -> bool:
    """Tell whether a node has been overloaded for longer than one interval."""
    return since_s(overload, now) > interval_s

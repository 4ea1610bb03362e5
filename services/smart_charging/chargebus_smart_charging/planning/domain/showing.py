"""What people see of an EVSE: what it may draw, how that goes on, and why."""

from datetime import datetime
from typing import Final

from chargebus_smart_charging.allocation.domain.ahead import starts
from chargebus_smart_charging.allocation.domain.problem import Allocation, PlanProblem
from chargebus_smart_charging.planning.domain.evses import Found
from chargebus_smart_charging.planning.domain.known import EvseState, Levels

_SAME_A: Final = 0.05


def evse_state(found: Found, told_a: float | None, allocation: Allocation | None, problem: PlanProblem) -> EvseState:
    """Return an EVSE as it is now; `told_a` is what it is told, `allocation` what the plan gives it."""
    return EvseState(
        station_id=found.evse.station_id,
        evse_id=found.evse.evse_id,
        node_id=problem.nodes[found.node].node_id,
        session_id=found.session.session_id if found.session is not None else "",
        limit_a=told_a,
        planned_a=_planned(allocation),
        schedule=_changes(allocation, problem),
        counted_a=found.counted,
        measured_a=found.measured,
        unserved_wh=allocation.unserved_wh if allocation is not None else 0.0,
        reasons=_reasons(found, told_a, allocation),
    )


def _planned(allocation: Allocation | None) -> float:
    return allocation.limits_a[0] if allocation is not None else 0.0


def _reasons(found: Found, told_a: float | None, allocation: Allocation | None) -> tuple[str, ...]:
    if found.session is None:
        return ()
    if allocation is None:
        return (found.why,)
    awaited_a = _planned(allocation) - (told_a or 0.0)
    if awaited_a <= _SAME_A:
        return allocation.reasons
    return (
        *allocation.reasons,
        f"{awaited_a:.1f} A of it are still counted for others, until these are seen to draw less",
    )


def _changes(allocation: Allocation | None, problem: PlanProblem) -> Levels:
    """Return a schedule as the times at which it changes."""
    changes: list[tuple[datetime, float]] = []
    for since, amperes in zip(starts(problem.horizon), allocation.limits_a if allocation else (), strict=False):
        if not changes or abs(changes[-1][1] - amperes) > _SAME_A:
            changes.append((since, amperes))
    return tuple(changes)

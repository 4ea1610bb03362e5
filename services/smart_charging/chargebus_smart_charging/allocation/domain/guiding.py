"""A plan of the optimiser that is followed for a while, as time goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf, isclose
from typing import Final, Self

import msgspec

from chargebus_smart_charging.allocation.domain.ahead import starts
from chargebus_smart_charging.allocation.domain.flows import through
from chargebus_smart_charging.allocation.domain.problem import Costs, Horizon, Plan, PlanNode, PlanProblem
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

_MORE: Final = 0.1
_MORE_A: Final = 2.0
"""Room that is larger by no more than the larger of these, as a share and in amperes of a phase, can wait."""


class Need(msgspec.Struct, frozen=True):
    """What the vehicle at an EVSE needs in its whole session, by when, the weight of its share, and its phases."""

    key: EvseKey
    energy_wh: float
    departs_at: datetime
    weight: float
    phases: tuple[int, ...]


class Room(msgspec.Struct, frozen=True):
    """What a node has for vehicles now: amperes on each phase, and volt-amperes in all; endless where not bounded."""

    phase_a: PerPhase
    total_va: float

    def is_larger(self, before: Self, voltage_v: float) -> bool:
        """Tell whether it is clearly larger than it was."""
        return _is_more(self.total_va, before.total_va, 3 * voltage_v) or any(
            _is_more(now, was) for now, was in zip(self.phase_a, before.phase_a, strict=True)
        )


class Guide(msgspec.Struct, frozen=True):
    """A plan, when it was made and for which time, and what was known then: costs, needs, and the room of each node."""

    plan: Plan
    at: datetime
    horizon: Horizon
    costs: Costs | None = None
    needs: tuple[Need, ...] = ()
    rooms: tuple[Room, ...] = ()

    def shifted(self, problem: PlanProblem, needs: tuple[Need, ...]) -> Plan | None:
        """Return what is left of the plan in the intervals of a problem.

        None: it does not reach so far, a kilowatt hour costs, or a vehicle needs, something else than it was made with,
        or there is room now that it knows nothing of.
        """
        places = _places(self.horizon, problem.horizon)
        if places is None or needs != self.needs or not _are_same(self.costs, problem.costs, places):
            return None
        if _have_grown(self.rooms, problem):
            return None
        allocations = tuple(
            msgspec.structs.replace(each, limits_a=tuple(each.limits_a[place] for place in places))
            for each in self.plan.allocations
        )
        return msgspec.structs.replace(self.plan, allocations=allocations)


def rooms_of(problem: PlanProblem) -> tuple[Room, ...]:
    """Return what each node of a problem has for vehicles in the first interval."""
    flows = through(problem.nodes, [(fixed.node, fixed.phase_a) for fixed in problem.fixed])
    return tuple(_room(node, flow) for node, flow in zip(problem.nodes, flows, strict=True))


def _room(node: PlanNode, drawn: PerPhase) -> Room:
    bounds = [bound for bound in node.bounds if bound.first == 0]
    first, second, third = (
        min((bound.phase_a[phase] for bound in bounds if bound.phase_a is not None), default=inf) - drawn[phase]
        for phase in range(len(drawn))
    )
    total_va = min((bound.total_va for bound in bounds if bound.total_va is not None), default=inf)
    return Room((first, second, third), total_va - sum(drawn) * node.voltage_v)


def _have_grown(before: Sequence[Room], problem: PlanProblem) -> bool:
    now = rooms_of(problem)
    return len(now) != len(before) or any(
        room.is_larger(was, node.voltage_v) for room, was, node in zip(now, before, problem.nodes, strict=True)
    )


def _is_more(now: float, before: float, unit: float = 1.0) -> bool:
    return now > before + max(_MORE * abs(before), _MORE_A * unit)


def _places(before: Horizon, now: Horizon) -> list[int] | None:
    """Return in which interval of a horizon each interval of a later one lies."""
    begins = starts(before)
    ends_at = begins[-1] + timedelta(seconds=before.lengths_s[-1])
    places, place = [], 0
    for at in starts(now):
        if not begins[0] <= at < ends_at:
            return None
        while place + 1 < len(begins) and begins[place + 1] <= at:
            place += 1
        places.append(place)
    return places


def _are_same(before: Costs | None, now: Costs | None, places: Sequence[int]) -> bool:
    if before is None or now is None:
        return before is now
    said = (before.per_kwh[place] for place in places)
    return before.name == now.name and all(map(_is_same, said, now.per_kwh))


def _is_same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else isclose(one, other, abs_tol=1e-9)

"""A plan of the optimiser that is followed for a while, as time goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isclose

import msgspec

from chargebus_smart_charging.allocation.domain.ahead import starts
from chargebus_smart_charging.allocation.domain.problem import Costs, Horizon, Plan, PlanProblem
from chargebus_smart_charging.sites.domain.site import EvseKey


class Need(msgspec.Struct, frozen=True):
    """What the vehicle at an EVSE needs in its whole session, by when, and the weight of its share."""

    key: EvseKey
    energy_wh: float
    departs_at: datetime
    weight: float


class Guide(msgspec.Struct, frozen=True):
    """A plan, when it was made and for which time, and what was said then: costs, and what vehicles need."""

    plan: Plan
    at: datetime
    horizon: Horizon
    costs: Costs | None = None
    needs: tuple[Need, ...] = ()

    def shifted(self, problem: PlanProblem, needs: tuple[Need, ...]) -> Plan | None:
        """Return what is left of the plan in the intervals of a problem.

        None: it does not reach so far, or a kilowatt hour costs, or a vehicle needs, something else than it was made
        with.
        """
        places = _places(self.horizon, problem.horizon)
        if places is None or needs != self.needs or not _are_same(self.costs, problem.costs, places):
            return None
        allocations = tuple(
            msgspec.structs.replace(each, limits_a=tuple(each.limits_a[place] for place in places))
            for each in self.plan.allocations
        )
        return msgspec.structs.replace(self.plan, allocations=allocations)


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

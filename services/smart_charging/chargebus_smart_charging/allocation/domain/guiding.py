"""A plan of the optimiser that is followed for a while, as time goes on."""

from datetime import datetime, timedelta

import msgspec

from chargebus_smart_charging.allocation.domain.ahead import starts
from chargebus_smart_charging.allocation.domain.problem import Horizon, Plan, Problem


class Guide(msgspec.Struct, frozen=True):
    """A plan, when it was made, and the time that it was made for."""

    plan: Plan
    at: datetime
    horizon: Horizon

    def shifted(self, problem: Problem) -> Plan | None:
        """Return what is left of the plan in the intervals of a problem; None: it does not reach so far."""
        places = _places(self.horizon, problem.horizon)
        if places is None:
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

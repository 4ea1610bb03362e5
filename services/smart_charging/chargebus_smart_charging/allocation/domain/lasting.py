"""Vehicles whose stations take no 0: they draw at least their least as long as they are there, whatever is planned."""

from datetime import timedelta

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.problem import HOUR_S, Demand, Fixed, PlanProblem, on_phases
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Floats, Tree


def base_a(tree: Tree, stays: Stays, allocated: Floats) -> Floats:
    """Return what such vehicles draw at least: intervals x vehicles; nothing from when on there is no room for it."""
    must = np.array([demand.must_charge for demand in tree.demands], dtype=bool)
    fits = np.logical_and.accumulate((allocated > 0) & (stays.seconds > 0), axis=0)
    return np.where(must & fits, tree.minimum, 0.0)


def on_top(problem: PlanProblem, tree: Tree, base: Floats) -> PlanProblem:
    """Return the problem of what is planned on top of what they draw at least; the vehicles keep their order.

    Who finds no room gets nothing.
    """
    lasts = dict(zip((demand.key for demand in tree.demands), (base > 0).sum(axis=0).tolist(), strict=True))
    fixed = [
        Fixed(each.node, on_phases(each, each.min_a), last=lasts[each.key])
        for each in problem.demands
        if lasts[each.key]
    ]
    return msgspec.structs.replace(
        problem,
        demands=tuple(_rest(problem, each, lasts[each.key]) for each in problem.demands),
        fixed=(*problem.fixed, *fixed),
    )


def _rest(problem: PlanProblem, demand: Demand, intervals: int) -> Demand:
    """Return what is planned of a vehicle that draws at least its least for so many intervals."""
    if not demand.must_charge:
        return demand
    if not intervals:
        return msgspec.structs.replace(demand, max_a=0.0)
    horizon = problem.horizon
    ends_at = horizon.starts_at + timedelta(seconds=sum(horizon.lengths_s[:intervals]))
    departs_at = demand.departs_at
    if departs_at is not None and horizon.starts_at < departs_at < ends_at:
        ends_at = departs_at
    stays_s = (ends_at - horizon.starts_at).total_seconds()
    base_wh = demand.min_a * demand.voltage_v * len(demand.phases) * stays_s / HOUR_S
    return msgspec.structs.replace(
        demand,
        min_a=0.0,
        max_a=demand.max_a - demand.min_a,
        energy_wh=None if demand.energy_wh is None else max(0.0, demand.energy_wh - base_wh),
        departs_at=departs_at if intervals == len(horizon.lengths_s) else ends_at,
        present_a=max(0.0, demand.present_a - demand.min_a),
    )

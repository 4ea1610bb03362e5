"""What is decided about a site: the one place where bounds, vehicles, plan and steering meet. Pure.

`decide` is all that the service does about a site at a time, and all that the simulator does.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from chargebus_smart_charging.allocation.domain.ahead import horizon_of, starts
from chargebus_smart_charging.allocation.domain.allocator import allocate
from chargebus_smart_charging.allocation.domain.fitting import fits
from chargebus_smart_charging.allocation.domain.problem import Allocation, Costs, Horizon, Plan, Problem
from chargebus_smart_charging.allocation.domain.release import release
from chargebus_smart_charging.allocation.domain.tree import Tree
from chargebus_smart_charging.limits.domain.bounds import bounded, hanging
from chargebus_smart_charging.limits.domain.meters import Meters, drawn_by_others, remainders
from chargebus_smart_charging.limits.domain.usual import learned
from chargebus_smart_charging.planning.domain.defaults import defaults_of
from chargebus_smart_charging.planning.domain.demands import needs_of
from chargebus_smart_charging.planning.domain.evses import Found, drawn_at, find, held, measured_at
from chargebus_smart_charging.planning.domain.grouping import group_steps
from chargebus_smart_charging.planning.domain.known import Decision, SiteKnown
from chargebus_smart_charging.planning.domain.peaks import loads_va, risen
from chargebus_smart_charging.planning.domain.remembering import is_news, notices_of, passed_s, remembered, tally
from chargebus_smart_charging.planning.domain.showing import evse_state
from chargebus_smart_charging.planning.domain.watching import node_states, overloads, vehicles_va
from chargebus_smart_charging.series.domain.timeline import per_kwh
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.stepping import step


class Sighted(msgspec.Struct, frozen=True):
    """A site as it is found at a moment, and what is to be planned of it; `loads_va` is what other loads draw."""

    known: SiteKnown
    at: datetime
    problem: Problem
    found: tuple[Found, ...]
    meters: Meters
    loads_va: float


def sight(known: SiteKnown, now: datetime) -> Sighted:
    """Return what is to be planned of a site now."""
    site = known.site
    horizon = horizon_of(now, _departures(known))
    drawn = drawn_at(known, now)
    meters = Meters(known.readings, drawn, measured_at(known, drawn), known.memory.remainders, known.memory.usual)
    nodes = bounded(site, known.limits, meters, now, horizon)
    present_va, most_va = loads_va(site, meters, now, horizon)
    found = find(known, hanging(site, nodes), defaults_of(site), now)
    problem = Problem(
        horizon,
        nodes,
        tuple(each.demand for each in found if each.demand is not None),
        tuple(each.fixed for each in found if each.fixed is not None),
        _costs(known, horizon),
        _peak_va(known, now, most_va),
    )
    return Sighted(known, now, problem, tuple(found), meters, present_va)


def _peak_va(known: SiteKnown, now: datetime, loads_va: float) -> float | None:
    """Return what EVSEs may draw before the site's peak is higher than ever in its billing period, if that costs."""
    policy = known.site.policy
    if not policy.peak_costs:
        return None
    return max(0.0, risen(known.site, known.memory.peak, 0.0, now, 0.0).va - loads_va)


def _costs(known: SiteKnown, horizon: Horizon) -> Costs | None:
    """Return what a kilowatt hour costs ahead; None: that does not count, or nobody knows anything of it."""
    objective = known.site.policy.objective
    if objective == "none":
        return None
    found = per_kwh(known.site, known.spans, horizon)
    return Costs(found, objective) if any(each is not None for each in found) else None


def decide(known: SiteKnown, now: datetime, given: Plan | None = None, fallback: str = "") -> Decision:
    """Return what is to be done about a site now.

    Args:
        known: all that is known of it.
        now: the time.
        given: a plan that was made of it a moment ago, which is taken if it still fits.
        fallback: why there is none where the optimiser should have given one.
    """
    return decided(sight(known, now), given, fallback)


def decided(sighted: Sighted, given: Plan | None = None, fallback: str = "") -> Decision:
    """Return what is to be done about a site as it was found."""
    known, now, problem, found = sighted.known, sighted.at, sighted.problem, sighted.found
    tree = Tree(problem) if problem.demands else None
    if given is not None and fits(problem, given):
        plan = given
    else:
        why = fallback or ("" if given is None else "what it was planned for has changed")
        plan = msgspec.structs.replace(allocate(problem, tree), fallback=why)
    released = release(problem, plan, {each.key: each.counted for each in found}, tree)
    allocations = {each.key: each for each in plan.allocations}
    over = {node_id for node_id, _ in plan.overload_a}
    told = {each.key: _told(each, released, problem, over) for each in found}
    ahead = starts(problem.horizon)
    steps = {
        each.key: step(each.steered, told[each.key], each.steerable, now, _ahead(allocations.get(each.key), ahead))
        for each in found
    }
    groups = group_steps(known, problem, now)
    steps |= {key: done for key, (_, done) in groups.items()}
    steerables = {each.key: each.steerable for each in found} | {key: each for key, (each, _) in groups.items()}
    over_now = overloads(problem, found, known.memory.overloads, now)
    notices = tuple(notices_of(known, sighted.meters, over_now, now))
    memory = remembered(known, found, told, over_now, notices, now)
    lasted_s = passed_s(known, now)
    memory = msgspec.structs.replace(
        memory,
        remainders=remainders(known.site, sighted.meters),
        usual=learned(known.memory.usual, drawn_by_others(known.site, sighted.meters, now), known.site, now),
        peak=risen(known.site, known.memory.peak, vehicles_va(found) + sighted.loads_va, now, lasted_s),
    )
    return Decision(
        at=now,
        problem=problem,
        plan=plan,
        steps=steps,
        steerables=steerables,
        held={each.key: amperes for each in found if (amperes := held(each, now)) is not None},
        nodes=node_states(problem, plan, found, over_now, now),
        evses=tuple(evse_state(each, told[each.key], allocations.get(each.key), problem) for each in found),
        notices=notices,
        memory=memory,
        tally=tally(known, found, over_now, steps.values(), now),
        is_news=is_news(known.memory, memory),
    )


def _departures(known: SiteKnown) -> Iterator[datetime]:
    for vehicle in known.vehicles.values():
        if vehicle.present is not None:
            yield needs_of(vehicle, vehicle.present, known.classes, known.site.policy).departs_at


def _told(found: Found, released: Mapping[EvseKey, float], problem: Problem, over: set[str]) -> float | None:
    """Return what an EVSE is to draw at most now; None: nothing charges there, and its default is enough.

    One that is not planned, as it does not obey, keeps its limit, or loses it where its node is over its bound.
    """
    if found.session is None:
        return None
    if found.demand is not None:
        return max(released[found.key], found.demand.min_a if found.demand.must_charge else 0.0)
    if found.barred:
        return 0.0
    newest = found.steered.limit.newest
    if _is_under(problem, found.node, over) or newest is None or not newest.levels:
        return 0.0
    return newest.amperes_at(problem.horizon.starts_at)


def _is_under(problem: Problem, place: int, over: set[str]) -> bool:
    at: int | None = place
    while at is not None:
        if problem.nodes[at].node_id in over:
            return True
        at = problem.nodes[at].parent
    return False


def _ahead(allocation: Allocation | None, at: Sequence[datetime]) -> tuple[tuple[datetime, float], ...]:
    if allocation is None:
        return ()
    return tuple(zip(at[1:], allocation.limits_a[1:], strict=True))

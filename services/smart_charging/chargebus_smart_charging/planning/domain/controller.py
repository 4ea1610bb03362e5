"""What is decided about a site: the one place where bounds, vehicles, plan and steering meet. Pure.

`decide` is all that the service does about a site at a time, and all that the simulator does.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec

from chargebus_smart_charging.allocation.domain.ahead import horizon_of, starts
from chargebus_smart_charging.allocation.domain.allocator import Allocated
from chargebus_smart_charging.allocation.domain.fitting import fits
from chargebus_smart_charging.allocation.domain.guiding import Guide, Need, rooms_of
from chargebus_smart_charging.allocation.domain.plans import overloads
from chargebus_smart_charging.allocation.domain.problem import (
    Costs,
    Demand,
    Fixed,
    Horizon,
    Plan,
    PlanProblem,
    on_phases,
)
from chargebus_smart_charging.allocation.domain.release import released
from chargebus_smart_charging.allocation.domain.tree import Tree, planted
from chargebus_smart_charging.limits.domain.bounds import bounded, hanging
from chargebus_smart_charging.limits.domain.meters import Meters, drawn_by_others, other_loads, remainders
from chargebus_smart_charging.limits.domain.usual import learned
from chargebus_smart_charging.planning.domain.decision import Decision, Given, Outlook, Picture
from chargebus_smart_charging.planning.domain.defaults import defaults_of
from chargebus_smart_charging.planning.domain.demands import weight_of
from chargebus_smart_charging.planning.domain.evses import (
    Found,
    Hanging,
    drawn_at,
    find,
    held,
    measured_at,
    present_needs,
)
from chargebus_smart_charging.planning.domain.grouping import group_steps
from chargebus_smart_charging.planning.domain.known import SiteKnown
from chargebus_smart_charging.planning.domain.peaks import loads_va, risen
from chargebus_smart_charging.planning.domain.remembering import is_news, notices_of, passed_s, remembered, tally
from chargebus_smart_charging.planning.domain.watching import overloaded, vehicles_va
from chargebus_smart_charging.series.domain.timeline import per_kwh
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase
from chargebus_smart_charging.steering.domain.held import Level
from chargebus_smart_charging.steering.domain.stepping import step


class Sighted(msgspec.Struct, frozen=True):
    """A site as it is found at a moment, and what is to be planned of it; `loads_va` is what other loads draw."""

    known: SiteKnown
    at: datetime
    problem: PlanProblem
    found: tuple[Found, ...]
    meters: Meters
    loads_va: float

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the vehicles need that are planned."""
        return tuple(
            Need(each.key, each.needs.energy_wh, each.needs.departs_at, weight_of(each.needs), each.demand.phases)
            for each in self.found
            if each.demand is not None and each.needs is not None
        )

    def guide(self, plan: Plan) -> Guide:
        """Return a plan that was made of it, to be followed as long as nothing else is known."""
        problem = self.problem
        return Guide(plan, self.at, problem.horizon, problem.costs, self.needs, rooms_of(problem))


def sight(known: SiteKnown, now: datetime) -> Sighted:
    """Return what is to be planned of a site now."""
    site = known.site
    needs = present_needs(known)
    horizon = horizon_of(now, (each.departs_at for each in needs.values()))
    drawn = drawn_at(known, now)
    meters = Meters(known.readings, drawn, measured_at(known, drawn), known.memory.remainders, known.memory.usual)
    loads = other_loads(site, meters, now, horizon)
    nodes = bounded(site, known.limits, loads, now, horizon)
    present_va, most_va = loads_va(site, loads)
    found = find(known, Hanging(hanging(site, nodes), defaults_of(site), needs), now)
    problem = PlanProblem(
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
    tree = planted(problem)
    outlook = _outlook(problem, tree, given, fallback)
    released_a = _released(problem, outlook.first_a, {each.key: each.counted for each in found}, tree)
    over = {node_id for node_id, _ in overloads(problem)}
    told = {each.key: _told(each, released_a, problem, over) for each in found}
    steps = {
        each.key: step(each.steered, told[each.key], each.steerable, now, _Ahead(outlook, each.key, problem.horizon))
        for each in found
    }
    groups = group_steps(known, problem, now)
    steps |= {key: done for key, (_, done) in groups.items()}
    steerables = {each.key: each.steerable for each in found} | {key: each for key, (each, _) in groups.items()}
    over_now = overloaded(problem, found, known.memory.overloads, now)
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
        picture=Picture(now, problem, outlook, found, told, over_now),
        steps=steps,
        steerables=steerables,
        held={each.key: amperes for each in found if (amperes := held(each, now)) is not None},
        notices=notices,
        memory=memory,
        tally=tally(known, found, over_now, steps.values(), now),
        is_news=is_news(known.memory, memory),
    )


def _outlook(problem: PlanProblem, tree: Callable[[], Tree], given: Plan | None, fallback: str) -> Outlook:
    """Return the plan that is followed: the one that is given if it fits, or else the allocator's."""
    if given is not None and fits(problem, given):
        return Given(given)
    return Allocated(problem, tree, fallback or ("" if given is None else "what it was planned for has changed"))


def _released(
    problem: PlanProblem,
    first_a: Mapping[EvseKey, float],
    counted: Mapping[EvseKey, PerPhase],
    tree: Callable[[], Tree],
) -> dict[EvseKey, float]:
    """Return what each vehicle may be told now.

    Whose station takes no 0 goes on at its least where that does not fit: the others are lowered for it.
    """
    stuck = [each for each in problem.demands if each.must_charge and first_a.get(each.key, 0.0) < each.min_a]
    if not stuck:
        return released(problem, first_a, counted, tree)
    rest = msgspec.structs.replace(
        problem,
        demands=tuple(each for each in problem.demands if each not in stuck),
        fixed=(*problem.fixed, *(_staying(each, counted[each.key]) for each in stuck)),
    )
    told = _released(rest, Allocated(rest).first_a, counted, planted(rest))
    return told | {each.key: each.min_a for each in stuck}


def _staying(demand: Demand, counted: PerPhase) -> Fixed:
    """Return what a vehicle draws at most that goes on at its least: until that is seen, what it is counted at."""
    first, second, third = map(max, on_phases(demand, demand.min_a), counted)
    return Fixed(demand.node, (first, second, third))


def _told(found: Found, released: Mapping[EvseKey, float], problem: PlanProblem, over: set[str]) -> float | None:
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


def _is_under(problem: PlanProblem, place: int, over: set[str]) -> bool:
    at: int | None = place
    while at is not None:
        if problem.nodes[at].node_id in over:
            return True
        at = problem.nodes[at].parent
    return False


class _Ahead:
    """How a plan goes on for an EVSE after its first interval: reckoned as far as something is told by it."""

    def __init__(self, outlook: Outlook, key: EvseKey, horizon: Horizon) -> None:
        self._outlook = outlook
        self._key = key
        self._horizon = horizon

    def __iter__(self) -> Iterator[Level]:
        """Yield from when on it gets how many amperes, interval by interval."""
        for interval, at in enumerate(starts(self._horizon)[1:], 1):
            limit_a = self._outlook.limit_a(self._key, interval)
            if limit_a is None:
                return
            yield at, limit_a

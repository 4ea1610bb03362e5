"""What every plan of a site keeps to, whoever made it: on small sites of all shapes."""

import itertools
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_smart_charging.allocation.domain.allocator import allocate
from chargebus_smart_charging.allocation.domain.optimiser import optimise
from chargebus_smart_charging.allocation.domain.problem import (
    HOUR_S,
    Bound,
    Costs,
    Demand,
    Fixed,
    Horizon,
    Plan,
    PlanNode,
    PlanProblem,
    on_phases,
)
from chargebus_smart_charging.allocation.domain.release import release
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUARTER_S = 900.0
ONE, ALL = (0,), (0, 1, 2)

quick = settings(max_examples=settings.default.max_examples * 3 // 5)


def node(node_id, parent, amperes, **more):
    return PlanNode(node_id, parent, (Bound(f"{node_id}: {amperes:g} A", (amperes,) * 3),), **more)


def vehicle(name, under=0, phases=ALL, **more):
    return Demand((name, 1), under, phases, 230.0, **{"min_a": 6.0, "max_a": 16.0, "step_a": 1.0, **more})


def problem(nodes, demands, intervals=4, **more):
    return PlanProblem(Horizon(NOW, (QUARTER_S,) * intervals), tuple(nodes), tuple(demands), **more)


amperes = st.floats(0, 80).map(lambda value: round(value, 1))
phases = st.sampled_from([(0,), (1,), (2,), (0, 1), (1, 2), ALL, ALL])


@st.composite
def bounds(draw, name, intervals):
    first = draw(st.integers(0, intervals - 1))
    sooner = Bound(f"{name}: always", draw(st.tuples(amperes, amperes, amperes)))
    later = Bound(f"{name}: later", None, draw(st.floats(0, 40_000)), first, draw(st.sampled_from([None, first + 1])))
    return draw(st.sampled_from([(sooner,), (sooner, later), (later,), ()]))


@st.composite
def trees(draw, intervals):
    nodes = []
    for index in range(draw(st.integers(1, 5))):
        parent = draw(st.integers(0, index - 1)) if index else None
        apart = draw(st.sampled_from([None, None, 4.0, 10.0]))
        nodes.append(PlanNode(f"n{index}", parent, draw(bounds(f"n{index}", intervals)), apart))
    return tuple(nodes)


@st.composite
def vehicles(draw, index, nodes):
    return vehicle(
        f"S{index}",
        draw(st.integers(0, len(nodes) - 1)),
        draw(phases),
        min_a=draw(st.sampled_from([6.0, 6.0, 5.0, 8.5])),
        max_a=draw(st.sampled_from([4.0, 6.0, 10.0, 16.0, 32.0])),
        step_a=draw(st.sampled_from([0.0, 0.1, 1.0, 3.0])),
        must_charge=draw(st.booleans()),
        energy_wh=draw(st.sampled_from([None, 0.0, 900.0, 3_000.0, 10_000.0])),
        departs_at=draw(
            st.sampled_from([None, *(NOW + timedelta(seconds=late) for late in (-600, 100, 1_200, 3_000))])
        ),
        weight=draw(st.sampled_from([0.5, 1.0, 3.0])),
        present_a=draw(st.sampled_from([0.0, 6.0, 16.0])),
        charged_s=draw(st.sampled_from([0.0, 120.0, 900.0])),
        served_wh=draw(st.sampled_from([0.0, 500.0])),
        least_charge_s=300.0,
        least_pause_s=300.0,
    )


@st.composite
def problems(draw):
    intervals = draw(st.integers(1, 5))
    nodes = draw(trees(intervals))
    found = [draw(vehicles(index, nodes)) for index in range(draw(st.integers(0, 7)))]
    loads = st.builds(Fixed, st.integers(0, len(nodes) - 1), st.tuples(amperes, amperes, amperes))
    return PlanProblem(
        Horizon(NOW, (QUARTER_S,) * intervals), nodes, tuple(found), tuple(draw(st.lists(loads, max_size=2)))
    )


class Flow:
    """What flows through each node, on each phase and in all, added up in the plainest way."""

    def __init__(self, about: PlanProblem, limits_a) -> None:
        self.about = about
        self.planned = [[0.0] * 4 for _ in about.nodes]
        self.fixed = [[0.0] * 4 for _ in about.nodes]
        for demand, limit_a in zip(about.demands, limits_a, strict=True):
            self.add(self.planned, demand.node, on_phases(demand, limit_a), demand.voltage_v)
        for load in about.fixed:
            self.add(self.fixed, load.node, load.phase_a, about.nodes[load.node].voltage_v)

    def add(self, loads, node, phase_a, voltage_v):
        place = node
        while place is not None:
            for phase in ALL:
                loads[place][phase] += phase_a[phase]
            loads[place][3] += sum(phase_a) * voltage_v
            place = self.about.nodes[place].parent

    def broken(self, interval) -> Iterator[str]:
        """Return what is broken by what is planned; what is fixed may be over by itself."""
        for place, about in enumerate(self.about.nodes):
            planned, fixed = self.planned[place], self.fixed[place]
            for bound in about.bounds:
                if bound.first <= interval < (math.inf if bound.last is None else bound.last):
                    rows = (*(bound.phase_a or (math.inf,) * 3), math.inf if bound.total_va is None else bound.total_va)
                    for row, limit in enumerate(rows):
                        if planned[row] > max(limit - fixed[row], 0) + 1e-6 * max(1, planned[row]):
                            yield f"{about.node_id}, row {row}: {planned[row]} beside {fixed[row]}, {bound}"
            if about.unbalance_a is not None:
                for one in ALL:
                    for other in ALL:
                        by_itself = fixed[one] - fixed[other]
                        if planned[one] - planned[other] + by_itself > max(about.unbalance_a, by_itself) + 1e-6:
                            yield f"{about.node_id}: {planned} beside {fixed} is more than {about.unbalance_a} apart"


def check(about: PlanProblem, plan: Plan) -> None:
    """A plan has an answer for each vehicle, keeps every bound in every interval, and gives what a vehicle can take."""
    assert [each.key for each in plan.allocations] == [demand.key for demand in about.demands]
    for interval in range(len(about.horizon.lengths_s)):
        limits_a = [each.limits_a[interval] for each in plan.allocations]
        assert not list(Flow(about, limits_a).broken(interval))
        for demand, limit_a in zip(about.demands, limits_a, strict=True):
            assert limit_a == 0 or takes(demand, limit_a)
    assert all(each.reasons and all(each.reasons) for each in plan.allocations)


def takes(demand, limit_a):
    steps = (limit_a - demand.min_a) / demand.step_a if demand.step_a else 0
    return demand.min_a - 1e-9 <= limit_a <= demand.max_a + 1e-9 and abs(steps - round(steps)) < 1e-6


@given(problems())
@quick
def test_no_bound_is_broken_on_any_phase_in_any_interval(about):
    plan = allocate(about)

    check(about, plan)
    assert plan == allocate(about)


@given(problems(), st.lists(st.sampled_from([None, 0.1, 0.25, -0.05]), min_size=5, max_size=5), st.booleans())
@quick
def test_the_optimiser_keeps_every_bound_and_serves_no_less_than_the_allocator(about, prices, peak):
    costs = Costs(tuple(prices[: len(about.horizon.lengths_s)]))
    about = msgspec.structs.replace(about, costs=costs, peak_va=8_000.0 if peak else None)
    plan, fast = optimise(about, 30.0), allocate(about)

    check(about, plan)
    assert plan.overload_a == fast.overload_a
    assert promised_wh(about, plan) <= promised_wh(about, fast) + 1
    if not peak and promised_wh(about, plan) > promised_wh(about, fast) - 1 and all(d.energy_wh for d in about.demands):
        assert lacking_wh(plan) > lacking_wh(fast) + 1 or cost(about, plan) <= cost(about, fast) + 1e-3


def lacking_wh(plan):
    return sum(each.unserved_wh for each in plan.allocations)


def promised_wh(about, plan):
    """What is promised by departure and lacks."""
    promised = [demand.departs_at is None or demand.departs_at > NOW for demand in about.demands]
    return sum(each.unserved_wh for each, is_promised in zip(plan.allocations, promised, strict=True) if is_promised)


def cost(about, plan):
    """What is drawn costs; who has what it needs draws no more, and what is not known costs what others do."""
    known = [price for price in about.costs.per_kwh if price is not None]
    mean = sum(known) / len(known) if known else 0.0
    total = 0.0
    for demand, each in zip(about.demands, plan.allocations, strict=True):
        drawn = []
        for interval, (limit_a, price) in enumerate(zip(each.limits_a, about.costs.per_kwh, strict=True)):
            there_s = QUARTER_S
            if demand.departs_at is not None and demand.departs_at > NOW:
                until_s = (demand.departs_at - NOW).total_seconds() - interval * QUARTER_S
                there_s = min(QUARTER_S, max(0.0, until_s))
            kwh = limit_a * demand.voltage_v * len(demand.phases) * there_s / HOUR_S / 1000
            drawn.append((kwh, mean if price is None else price))
        kwh = sum(each for each, _ in drawn)
        used = min(1.0, (demand.energy_wh or 0.0) / 1000 / kwh) if kwh else 0.0
        total += used * sum(each * price for each, price in drawn)
    return total


@given(problems())
@quick
def test_nobody_is_below_its_wish_who_could_have_its_next_step(about):
    now = [each.limits_a[0] for each in allocate(about).allocations]

    for place, demand in enumerate(about.demands):
        if demand.energy_wh == 0 or demand.max_a < demand.min_a:
            assert now[place] in ({0, demand.min_a} if demand.must_charge else {0})
            continue
        more = (demand.step_a or 0.01) if now[place] else demand.min_a
        if takes(demand, now[place] + more):
            raised = [*now[:place], now[place] + more, *now[place + 1 :]]
            assert list(Flow(about, raised).broken(0)), demand


@given(problems(), st.data())
@quick
def test_what_is_released_and_what_others_may_still_draw_fit_together(about, data):
    some = st.sampled_from([(0.0, 0.0, 0.0), (6.0, 6.0, 6.0), (16.0, 0.0, 0.0), (3.0, 20.0, 7.0)])
    counted = {demand.key: data.draw(some) for demand in about.demands}
    plan = allocate(about)
    told = release(about, plan, counted)
    planned = {each.key: each.limits_a[0] for each in plan.allocations}
    alone = msgspec.structs.replace(
        about,
        nodes=tuple(msgspec.structs.replace(each, unbalance_a=None) for each in about.nodes),
        fixed=(*about.fixed, *(Fixed(demand.node, counted[demand.key]) for demand in about.demands)),
    )

    more = [
        tuple(max(0.0, limit - now) for limit, now in zip(on_phases(d, told[d.key]), counted[d.key], strict=True))
        for d in about.demands
    ]
    for demand in about.demands:
        assert told[demand.key] <= planned[demand.key] + 1e-9
        assert told[demand.key] == 0 or takes(demand, told[demand.key])
        assert told[demand.key] == planned[demand.key] or planned[demand.key] > max(counted[demand.key])
    rises = Flow(alone, [0.0] * len(about.demands))
    for demand, raised in zip(about.demands, more, strict=True):
        if told[demand.key] > max(counted[demand.key]):
            rises.add(rises.planned, demand.node, raised, demand.voltage_v)
    assert not list(rises.broken(0))


@st.composite
def apart(draw):
    """A site that bounds how far its phases may be apart, with vehicles on one or two of them."""
    root = PlanNode("root", None, (Bound("root", (draw(st.sampled_from([16.0, 24.0, 40.0])),) * 3),), unbalance_a=8.0)
    some = st.sampled_from([(0,), (0,), (1,), (2,), (0, 1), (1, 2)])
    more = {"energy_wh": st.sampled_from([0.0, 3_000.0, 3_000.0]), "present_a": st.sampled_from([0.0, 16.0])}
    count = draw(st.integers(2, 6))
    found = [
        vehicle(f"S{number}", 0, draw(some), **{name: draw(of) for name, of in more.items()}) for number in range(count)
    ]
    return problem([root], found, intervals=1)


@given(apart(), st.data())
@quick
def test_a_raise_takes_no_phases_further_apart_than_their_node_allows(about, data):
    some = st.sampled_from([0.0, 0.0, 6.0, 16.0])
    counted = {demand.key: on_phases(demand, data.draw(some)) for demand in about.demands}
    told = release(about, allocate(about), counted)

    def ahead(place, one, other, amperes):
        """What loads one phase and not the other at a node and below."""
        return sum(
            amperes[each.key]
            for each in about.demands
            if place in above(about, each.node) and one in each.phases and other not in each.phases
        )

    most = {key: max(told[key], *counted[key]) for key in told}
    raised = {key: told[key] - max(counted[key]) for key in told if told[key] > max(counted[key])}
    for place, node in enumerate(about.nodes):
        loads = [load.phase_a for load in about.fixed if place in above(about, load.node)]
        for one, other in itertools.permutations(ALL, 2):
            if node.unbalance_a is None or not ahead(place, one, other, dict.fromkeys(told, 0.0) | raised):
                continue
            left = node.unbalance_a - sum(load[one] - load[other] for load in loads)
            assert ahead(place, one, other, most) - ahead(place, other, one, told) <= max(left, 0.0) + 1e-3


def above(about, node):
    places = [node]
    while (parent := about.nodes[places[-1]].parent) is not None:
        places.append(parent)
    return places


def test_phases_that_are_told_at_once_count_together_and_none_goes_ahead_of_one_that_has_to_wait():
    apart = PlanNode("root", None, (Bound("root: 16 A", (16.0, 16.0, 16.0)),), unbalance_a=4.0)
    one, two, three = (vehicle(name, 0, (phase,)) for phase, name in enumerate("ABC"))
    leaving = vehicle("D", 0, (1,), energy_wh=0.0)
    about = problem([apart], [one, two, three, leaving], intervals=1)
    nothing = {each.key: (0.0, 0.0, 0.0) for each in about.demands}
    plan = allocate(about)

    assert list(release(about, plan, nothing).values()) == [16.0, 16.0, 16.0, 0.0]
    assert not any(release(about, plan, nothing | {leaving.key: (0.0, 16.0, 0.0)}).values())


@given(problems())
@quick
def test_all_is_released_once_everybody_is_counted_at_what_it_is_planned(about):
    plan = allocate(about)
    planned = {each.key: each.limits_a[0] for each in plan.allocations}

    told = release(about, plan, {d.key: on_phases(d, planned[d.key]) for d in about.demands})

    assert told == pytest.approx(planned)

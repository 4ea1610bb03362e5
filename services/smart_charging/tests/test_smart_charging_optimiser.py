"""How good the optimiser's plans are, beside all there are, beside a bound that no plan can pass, and in time."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import highspy
import msgspec
import numpy as np
import pytest
from chargebus_smart_charging.allocation.domain import optimiser
from chargebus_smart_charging.allocation.domain.allocator import allocate, shared
from chargebus_smart_charging.allocation.domain.optimiser import SolverError, optimise
from chargebus_smart_charging.allocation.domain.problem import Bound, Costs, Demand, Horizon, PlanNode, PlanProblem
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Tree
from chargebus_smart_charging.allocation.domain.trying import tried_now

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALL = (0, 1, 2)
QUARTER_S = 900.0
KWH_PER_AMPERE = 230 * QUARTER_S / 3_600_000


def node(node_id, parent, amperes, **more):
    return PlanNode(node_id, parent, (Bound(f"{node_id}: {amperes:g} A", (amperes,) * 3),), **more)


def vehicle(name, quarters, energy_wh, under=0, phases=ALL, **more):
    leaves = NOW + timedelta(seconds=QUARTER_S * quarters)
    given = {"min_a": 6.0, "max_a": 16.0, "step_a": 1.0, "energy_wh": energy_wh, "departs_at": leaves, **more}
    return Demand((name, 1), under, phases, 230.0, **given)


def site(nodes, demands, prices, **more):
    horizon = Horizon(NOW, (QUARTER_S,) * len(prices))
    return PlanProblem(horizon, tuple(nodes), tuple(demands), costs=Costs(tuple(prices)), **more)


def lacking_kwh(plan):
    return sum(each.unserved_wh for each in plan.allocations) / 1000


def drawn_kwh(about, limits_a):
    """For each interval what is drawn; who has what it needs draws no more."""
    found = []
    for demand, limits in zip(about.demands, limits_a, strict=True):
        quarters = (demand.departs_at - NOW).total_seconds() / QUARTER_S
        kwh = [
            limit_a * KWH_PER_AMPERE * len(demand.phases) * min(1, max(0, quarters - quarter))
            for quarter, limit_a in enumerate(limits)
        ]
        used = min(1.0, demand.energy_wh / 1000 / sum(kwh)) if sum(kwh) else 0.0
        found.append([each * used for each in kwh])
    return found


def cost(about, limits_a):
    return sum(
        sum(kwh * price for kwh, price in zip(each, about.costs.per_kwh, strict=True))
        for each in drawn_kwh(about, limits_a)
    )


def limits(plan):
    return [each.limits_a for each in plan.allocations]


def test_charging_waits_for_what_is_cheap_and_says_so():
    about = site([node("root", None, 32)], [vehicle("A", 4, 5_000.0)], [0.4, 0.4, 0.1, 0.1])
    plan = optimise(about, 30.0)

    assert plan.method == "optimiser"
    assert plan.allocations[0].limits_a == (0, 0, 16, 13)
    assert plan.allocations[0].reasons == ("gets more at 12:30: price 0.1 then, 0.4 now",)


def test_what_is_cheap_shortly_before_departure_is_left_alone_as_a_vehicle_may_draw_less_then():
    about = site(
        [node("root", None, 32)], [vehicle("A", 8, 5_000.0, reserve_s=1800.0)], [0.4] * 4 + [0.3] * 2 + [0.1] * 2
    )

    assert optimise(about, 30.0).allocations[0].limits_a == (0, 0, 0, 0, 16, 13, 0, 0)


def test_a_reserve_is_used_where_there_is_not_enough_without_it_and_from_its_begin_on():
    about = site([node("root", None, 32)], [vehicle("A", 4, 7_500.0, reserve_s=1800.0)], [0.4, 0.4, 0.4, 0.1])

    assert optimise(about, 30.0).allocations[0].limits_a == (16, 16, 12, 0)


def test_who_cannot_be_given_nothing_keeps_its_least_while_it_waits_for_what_is_cheap():
    waiting = vehicle("A", 4, 7_500.0, must_charge=True)
    about = site([node("root", None, 32)], [waiting, vehicle("B", 4, 3_000.0)], [0.4, 0.4, 0.1, 0.1])
    patient, other = optimise(about, 30.0).allocations

    assert patient.limits_a[:2] == (6, 6)
    assert min(patient.limits_a) >= 6
    assert lacking_kwh(optimise(about, 30.0)) == 0
    assert other.limits_a[:2] == (0, 0)


def test_whose_phases_are_not_known_is_tried_at_its_least_before_it_may_be_too_late_and_else_waits():
    prices = [0.4] * 8 + [0.1] * 8
    known = vehicle("A", 16, 6_000.0)
    unknown = vehicle("A", 16, 6_000.0, sure_phases=1, untried=True)
    begun = msgspec.structs.replace(unknown, untried=False, present_a=6.0)
    patient = msgspec.structs.replace(unknown, energy_wh=3_000.0)

    def now_a(*demands):
        return [
            each.limits_a[0] for each in optimise(site([node("root", None, 40)], demands, prices), 30.0).allocations
        ]

    other = vehicle("B", 16, 6_000.0)
    assert now_a(known, other) == [0, 0]
    assert now_a(unknown, other) == [6, 0]
    assert now_a(begun, other) == [6, 0]
    assert now_a(patient, other) == [0, 0]


@pytest.mark.parametrize("seed", [3, 4, pytest.param(5, marks=pytest.mark.long)])
def test_who_is_tried_is_beside_those_that_draw_at_least_their_least_and_within_every_bound(seed):
    about = random_site(seed, 8, scarce=0.5)
    demands = [
        msgspec.structs.replace(each, sure_phases=1, untried=number % 2 == 0, must_charge=number == 3)
        for number, each in enumerate(about.demands)
    ]
    about = msgspec.structs.replace(about, demands=tuple(demands))
    tried = tried_now(tree := Tree(about), stays := Stays.of(tree, about), shared(about, tree, stays))
    given = {each.key: each.limits_a for each in optimise(about, 30.0).allocations}

    assert tried.any()
    assert all(given[tree.demands[place].key][0] >= tree.minimum[place] for place in tried.nonzero()[0])
    loads = tree.loads(np.array([given[each.key][0] for each in tree.demands]))
    assert (loads <= tree.capacities[0] + 1e-6).all()


def test_what_is_promised_is_given_whatever_it_costs():
    about = site([node("root", None, 32)], [vehicle("A", 2, 5_000.0)], [0.4, 0.9, 0.1, 0.1])

    assert lacking_kwh(optimise(about, 30.0)) == 0


def test_who_can_wait_makes_room_for_who_cannot():
    nodes = [node("root", None, 16)]
    soon, late = vehicle("A", 2, 5_500.0), vehicle("B", 4, 5_500.0)
    plan = optimise(site(nodes, [late, soon], [0.1, 0.2, 0.3, 0.4]), 30.0)

    assert lacking_kwh(plan) == pytest.approx(0, abs=0.05)
    assert limits(plan)[1][:2] == (16, 16)


def test_an_interval_whose_cost_is_not_known_counts_as_the_mean_of_the_others():
    about = site([node("root", None, 32)], [vehicle("A", 4, 2_700.0)], [0.4, None, 0.1, 0.9])
    cheaper = site([node("root", None, 32)], [vehicle("A", 4, 2_700.0)], [0.9, None, 0.8, 0.7])

    assert limits(optimise(about, 30.0)) == [(0, 0, 16, 0)]
    assert limits(optimise(cheaper, 30.0))[0][3] == 16
    assert limits(optimise(site([node("root", None, 32)], [vehicle("A", 4, 2_700.0)], [None] * 4), 30.0))[0][0] == 16


def test_without_costs_all_that_can_be_served_is_shared_as_the_allocator_does():
    demands = [vehicle("A", 8, 4_000.0), vehicle("B", 8, 9_000.0)]
    about = msgspec.structs.replace(site([node("root", None, 20)], demands, [0.0] * 8), costs=None)

    assert limits(optimise(about, 30.0)) == limits(allocate(about))


def test_the_peak_is_kept_down_where_costs_do_not_matter():
    demands = [vehicle("A", 4, 5_000.0), vehicle("B", 4, 5_000.0)]
    about = site([node("root", None, 63)], demands, [0.2] * 4, peak_va=0.0)
    totals = [sum(each) for each in zip(*limits(optimise(about, 30.0)), strict=True)]

    assert max(totals) <= 17
    assert lacking_kwh(optimise(about, 30.0)) == 0


def test_what_lacks_is_shared():
    demands = [vehicle(name, 4, 10_000.0) for name in "AB"]
    plan = optimise(site([node("root", None, 16)], demands, [0.2, 0.1, 0.2, 0.1]), 30.0)

    assert lacking_kwh(plan) == pytest.approx(20 - 16 * 4 * 3 * KWH_PER_AMPERE, abs=0.01)
    assert all(each.unserved_wh < 6_500 for each in plan.allocations)


def test_a_solver_that_is_late_has_no_plan():
    with pytest.raises(SolverError):
        optimise(random_site(1, vehicles=60), 0.0)


def test_what_only_makes_a_plan_better_may_be_late_and_fail(monkeypatch):
    about = random_site(3, vehicles=9, scarce=0.5)
    solved, calls = optimiser._solved, []

    def late(model, *more, **options):
        calls.append(model)
        if len(calls) > 1:
            raise SolverError("late")
        return solved(model, *more, **options)

    monkeypatch.setattr(optimiser, "_solved", late)
    plan = optimise(about, 30.0)

    assert len(calls) == 2
    assert plan.method == "optimiser"
    assert lacking_kwh(plan) <= lacking_kwh(allocate(about)) + 1e-6


class Clock:
    """Stands still until it is set."""

    def __init__(self):
        self.now_s = 0.0

    def perf_counter(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(optimiser, "time", found)
    return found


@pytest.fixture
def solved(monkeypatch):
    """The times that were left for the solver."""
    found, solve = [], optimiser._solved

    def note(model, ends, *more, **options):
        found.append(ends - optimiser.time.perf_counter())
        return solve(model, ends, *more, **options)

    monkeypatch.setattr(optimiser, "_solved", note)
    return found


def late_from(monkeypatch, clock, name):
    """Have a step of the optimiser end after its time."""
    step = getattr(optimiser, name)

    def slow(*args):
        made = step(*args)
        clock.now_s = 31.0
        return made

    monkeypatch.setattr(optimiser, name, slow)


def test_a_plan_that_was_ready_in_time_is_given_though_what_makes_it_better_is_late(monkeypatch, clock, solved):
    about = random_site(3, vehicles=9, scarce=0.5)
    late_from(monkeypatch, clock, "polished")
    plan = optimise(about, 30.0)

    assert solved == [30.0]
    assert plan.method == "optimiser"
    assert lacking_kwh(plan) < lacking_kwh(allocate(about))


def test_nothing_that_was_ready_in_time_is_no_plan(monkeypatch, clock, solved):
    late_from(monkeypatch, clock, "rounded")
    with pytest.raises(SolverError):
        optimise(random_site(3, vehicles=9, scarce=0.5), 30.0)

    assert solved == [30.0]


@pytest.mark.parametrize("left_s", [0.0, -1.0])
def test_a_solver_for_which_no_time_is_left_does_not_begin(monkeypatch, clock, left_s):
    monkeypatch.setattr(highspy.Highs, "run", lambda _: pytest.fail("it began"))
    with pytest.raises(SolverError):
        optimiser._solved(highspy.HighsLp(), left_s)


def random_site(seed, vehicles, scarce=1.0):
    """A car park with three panels, where what is needed and what there is are about the same."""
    numbers = random.Random(seed)
    root = vehicles * 4.0 * scarce
    nodes = [node("root", None, root), *(node(f"panel {index}", 0, root / 2) for index in range(3))]
    demands = [
        vehicle(
            f"S{index}",
            numbers.randint(6, 40),
            numbers.uniform(2_000, 9_000),
            numbers.randint(1, 3),
            numbers.choice([ALL, ALL, (0,), (1,), (2,)]),
            step_a=numbers.choice([0.1, 1.0]),
        )
        for index in range(vehicles)
    ]
    hourly = [round(numbers.uniform(0.1, 0.5), 2) for _ in range(10)]
    return site(nodes, demands, [price for price in hourly for _ in range(4)])


def best_there_can_be(about):
    """What lacks and what it costs at least if any current could be taken: written down plainly, and solved."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    given = {}
    for place, demand in enumerate(about.demands):
        quarters = (demand.departs_at - NOW).total_seconds() / QUARTER_S
        for quarter in range(int(quarters)):
            given[place, quarter] = solver.addVariable(ub=demand.max_a)
        energy = sum(given[place, quarter] * (KWH_PER_AMPERE * len(demand.phases)) for quarter in range(int(quarters)))
        given[place, "lacks"] = solver.addVariable()
        solver.addConstr(energy + given[place, "lacks"] == demand.energy_wh / 1000)
    for place, quarter, phase in itertools.product(range(len(about.nodes)), range(len(about.costs.per_kwh)), ALL):
        loads = [
            given[index, quarter]
            for index, demand in enumerate(about.demands)
            if (index, quarter) in given and phase in demand.phases and place in (0, demand.node)
        ]
        if loads:
            solver.addConstr(sum(loads) <= about.nodes[place].bounds[0].phase_a[phase])
    lacks = sum(given[place, "lacks"] for place in range(len(about.demands)))
    costs = sum(
        variable * (about.costs.per_kwh[quarter] * KWH_PER_AMPERE * len(about.demands[place].phases))
        for (place, quarter), variable in given.items()
        if quarter != "lacks"
    )
    solver.minimize(lacks * 1000 + costs)
    return solver.val(lacks), solver.val(costs)


@pytest.mark.parametrize("seed", range(6))
def test_it_stays_near_the_best_there_can_be_where_all_is_known(seed):
    about = random_site(seed, vehicles=24)
    plan, (lacks, costs) = optimise(about, 30.0), best_there_can_be(about)
    needed_kwh = sum(demand.energy_wh for demand in about.demands) / 1000

    assert lacking_kwh(plan) <= lacks + 0.01 * needed_kwh
    assert cost(about, limits(plan)) <= 1.05 * costs


@pytest.mark.parametrize("seed", range(12))
def test_on_the_smallest_sites_it_is_as_good_as_the_best_of_all_plans(seed):
    numbers = random.Random(seed)
    nodes = [node("root", None, numbers.choice([9.0, 14.0, 20.0])), node("panel", 0, numbers.choice([8.0, 12.0]))]
    demands = [
        vehicle(name, numbers.randint(1, 3), numbers.uniform(300, 4_000), place, phases, max_a=12.0, step_a=6.0)
        for name, place, phases in (("A", 0, ALL), ("B", 1, (0,)), ("C", 1, ALL))
    ]
    about = site(nodes, demands, [numbers.choice([0.1, 0.2, 0.4]) for _ in range(3)])
    plan = optimise(about, 30.0)
    every_plan = itertools.product(*(every_schedule(demand) for demand in demands))
    lacks, costs = min(judged(about, each) for each in every_plan if fits(about, each))

    assert judged(about, limits(plan))[0] == pytest.approx(lacks, abs=1e-6)
    assert judged(about, limits(plan))[1] == pytest.approx(costs, abs=1e-6)


def every_schedule(demand):
    there = (demand.departs_at - NOW).total_seconds() / QUARTER_S
    return list(itertools.product(*((0.0, 6.0, 12.0) if quarter < there else (0.0,) for quarter in range(3))))


def fits(about, schedules):
    for quarter, phase in itertools.product(range(3), ALL):
        for place, each in enumerate(about.nodes):
            load = sum(
                schedule[quarter]
                for demand, schedule in zip(about.demands, schedules, strict=True)
                if phase in demand.phases and place in (0, demand.node)
            )
            if load > each.bounds[0].phase_a[phase] + 1e-9:
                return False
    return True


def judged(about, schedules):
    drawn = drawn_kwh(about, schedules)
    lacks = sum(demand.energy_wh / 1000 - sum(kwh) for demand, kwh in zip(about.demands, drawn, strict=True))
    return round(lacks, 9), cost(about, schedules)

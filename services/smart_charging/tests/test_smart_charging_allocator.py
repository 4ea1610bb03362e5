"""What the fast allocator gives to whom, and what it says about it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_smart_charging.allocation.domain.allocator import allocate
from chargebus_smart_charging.allocation.domain.problem import Bound, Demand, Fixed, Horizon, PlanNode, PlanProblem
from chargebus_smart_charging.allocation.domain.release import release
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALL = (0, 1, 2)


def node(node_id, parent, amperes, **more):
    return PlanNode(node_id, parent, (Bound(f"{node_id}: {amperes:g} A", (amperes,) * 3),), **more)


def vehicle(name, under=0, phases=ALL, **more):
    return Demand((name, 1), under, phases, 230.0, **{"min_a": 6.0, "max_a": 32.0, "step_a": 1.0, **more})


def site(nodes, *demands, intervals=1, length_s=900.0, **more):
    return PlanProblem(Horizon(NOW, (length_s,) * intervals), tuple(nodes), tuple(demands), **more)


def now(plan):
    return {each.key[0]: each.limits_a[0] for each in plan.allocations}


def reasons(plan):
    return {each.key[0]: each.reasons for each in plan.allocations}


def test_what_one_vehicle_cannot_take_goes_to_the_others():
    about = site([node("root", None, 60)], vehicle("A", max_a=10.0), vehicle("B"), vehicle("C"))

    assert now(allocate(about)) == {"A": 10, "B": 25, "C": 25}


def test_a_full_panel_leaves_what_it_cannot_use_to_the_other():
    nodes = [node("root", None, 60), node("left", 0, 16), node("right", 0, 63)]

    assert now(allocate(site(nodes, vehicle("A", 1), vehicle("B", 2), vehicle("C", 1)))) == {"A": 8, "B": 32, "C": 8}


def test_each_phase_is_shared_by_those_who_use_it():
    about = site(
        [node("root", None, 32)], vehicle("A", phases=(0,)), vehicle("B", phases=(0,)), vehicle("C", phases=(2,))
    )

    assert now(allocate(about)) == {"A": 16, "B": 16, "C": 32}


@pytest.mark.parametrize("step_a", [0.0, 1.0])
@pytest.mark.parametrize("energy_wh", [None, 5_000.0])
def test_who_takes_any_current_as_at_a_dc_outlet_gets_what_others_leave(energy_wh, step_a):
    outlet = vehicle("DC", min_a=0.0, max_a=150.0, step_a=step_a, energy_wh=energy_wh)

    assert now(allocate(site([node("root", None, 100)], outlet, vehicle("A")))) == {"DC": 68, "A": 32}
    assert now(allocate(site([node("root", None, 300)], outlet, vehicle("A")))) == {"DC": 150, "A": 32}


def test_a_bound_of_all_phases_in_volt_amperes_holds():
    about = site([PlanNode("root", None, (Bound("root: 11 kVA", total_va=11_040.0),))], vehicle("A"), vehicle("B"))

    assert now(allocate(about)) == {"A": 8, "B": 8}


def test_who_weighs_twice_as_much_gets_twice_as_much():
    about = site([node("root", None, 30)], vehicle("A", weight=2.0), vehicle("B"))

    assert now(allocate(about)) == {"A": 20, "B": 10}


def test_what_is_promised_comes_before_equal_shares():
    soon = vehicle("A", energy_wh=14_000.0, departs_at=NOW + timedelta(hours=1))
    late = vehicle("B", energy_wh=14_000.0, departs_at=NOW + timedelta(hours=8))
    about = site([node("root", None, 32)], late, soon, intervals=32)
    plan = allocate(about)

    assert now(plan)["A"] > now(plan)["B"]
    assert [each.unserved_wh for each in plan.allocations] == [0, 0]


def test_where_not_all_is_promised_can_be_kept_those_with_the_least_slack_come_first():
    soon = vehicle("A", energy_wh=20_000.0, departs_at=NOW + timedelta(hours=1))
    late = vehicle("B", energy_wh=20_000.0, departs_at=NOW + timedelta(hours=2))
    plan = allocate(site([node("root", None, 32)], late, soon, intervals=8))

    assert now(plan)["A"] >= 26
    assert sum(each.unserved_wh for each in plan.allocations) < 1_000


def test_who_will_be_late_anyway_does_not_keep_another_from_what_is_promised():
    lost = vehicle("A", phases=(0,), max_a=10.0, energy_wh=9_000.0, departs_at=NOW + timedelta(hours=1))
    kept = vehicle("B", energy_wh=4_000.0, departs_at=NOW + timedelta(hours=1))
    plan = allocate(site([node("root", None, 15)], lost, kept, intervals=4))

    assert now(plan) == {"A": 9, "B": 6}
    assert plan.allocations[1].unserved_wh == 0


def test_who_may_turn_out_to_use_one_phase_has_no_more_slack_than_on_one():
    known = vehicle("A", max_a=16.0, energy_wh=5_500.0, departs_at=NOW + timedelta(hours=1))
    unsure = vehicle("B", max_a=16.0, energy_wh=3_400.0, departs_at=NOW + timedelta(hours=1), sure_phases=1)
    nodes = [node("root", None, 9)]

    assert now(allocate(site(nodes, known, unsure, intervals=4))) == {"A": 0, "B": 9}
    assert now(allocate(site(nodes, known, msgspec.structs.replace(unsure, sure_phases=0), intervals=4)))["A"] == 9


@pytest.mark.parametrize(("served_wh", "expected"), [(0.0, {"A": 14, "B": 6}), (50.0, {"A": 16, "B": 0})])
def test_who_may_turn_out_to_use_one_phase_is_tried_before_those_with_less_slack(served_wh, expected):
    late = vehicle("A", phases=(1,), max_a=16.0, energy_wh=3_650.0, departs_at=NOW + timedelta(hours=1))
    new = vehicle("B", energy_wh=3_500.0, departs_at=NOW + timedelta(hours=1.3), sure_phases=1, untried=True)
    about = site([node("root", None, 20)], late, msgspec.structs.replace(new, served_wh=served_wh), intervals=6)

    assert now(allocate(about)) == expected


def test_who_may_turn_out_to_use_one_phase_is_not_tried_before_others_if_it_has_time():
    late = vehicle("A", phases=(1,), max_a=16.0, energy_wh=3_650.0, departs_at=NOW + timedelta(hours=1))
    new = vehicle("B", energy_wh=3_500.0, departs_at=NOW + timedelta(hours=8), sure_phases=1, untried=True)

    assert now(allocate(site([node("root", None, 20)], late, new, intervals=32))) == {"A": 16, "B": 0}


def test_a_step_that_rounding_leaves_over_is_given():
    about = site([node("root", None, 32)], *(vehicle(name) for name in "ABC"))

    assert sorted(now(allocate(about)).values()) == [10, 11, 11]


def test_nothing_is_given_to_who_has_what_it_needs_or_takes_more_than_it_may_have():
    about = site(
        [node("root", None, 32)], vehicle("A", energy_wh=0.0), vehicle("B", max_a=5.0, cap_reason="limit of 5 A")
    )
    plan = allocate(about)

    assert now(plan) == {"A": 0, "B": 0}
    assert reasons(plan) == {
        "A": ("has what it needs",),
        "B": ("limit of 5 A is less than the 6 A that it takes at least",),
    }


def test_who_cannot_be_given_nothing_is_served_first_and_not_beyond_a_bound():
    stubborn = [vehicle(name, must_charge=True) for name in "AB"]

    assert now(allocate(site([node("root", None, 13)], vehicle("C", paused_s=9_000.0), *stubborn))) == {
        "C": 0,
        "A": 7,
        "B": 6,
    }
    plan = allocate(site([node("root", None, 7)], *stubborn))
    assert sorted(now(plan).values()) == [0, 7]
    refused = next(name for name, amperes in now(plan).items() if not amperes)
    assert "does not take" in reasons(plan)[refused][0]


def test_who_cannot_be_given_nothing_keeps_its_least_when_it_has_what_it_needs_and_room_is_left_for_it():
    plan = allocate(site([node("root", None, 20)], vehicle("A", must_charge=True, energy_wh=0.0), vehicle("B")))

    assert now(plan) == {"A": 6, "B": 14}
    assert "takes no 0" in reasons(plan)["A"][0]


def test_what_flows_anyway_is_taken_off_and_told_where_it_is_too_much():
    nodes = [node("root", None, 40), node("panel", 0, 16)]
    load = Fixed(1, (20.0, 6.0, 0.0), "S9 does not obey")
    plan = allocate(site(nodes, vehicle("A", 1, (0,)), vehicle("B", 1, (1,)), vehicle("C", 0, (0,)), fixed=(load,)))

    assert now(plan) == {"A": 0, "B": 10, "C": 20}
    assert plan.overload_a == (("panel", 4.0),)
    assert reasons(plan)["B"] == ("panel, L2: 16 A - 6 A S9 does not obey",)


def test_a_bound_below_what_flows_already_gives_nothing():
    plan = allocate(site([node("root", None, -5.0)], vehicle("A")))

    assert now(plan) == {"A": 0}
    assert plan.overload_a == (("root", 5.0),)


def test_reasons_name_what_bounds_a_vehicle():
    panel = PlanNode("panel", 0, (Bound("panel B: 63 A - 11 A building", (52.0, 52.0, 30.0)),))
    about = site([node("root", None, 100), panel], vehicle("A", 1), vehicle("B", 1), vehicle("C", max_a=16.0))

    assert reasons(allocate(about)) == {
        "A": ("panel B, L3: 63 A - 11 A building, shared by 2",),
        "B": ("panel B, L3: 63 A - 11 A building, shared by 2",),
        "C": ("its most, 16 A",),
    }
    learned = allocate(
        site([node("root", None, 100)], vehicle("D", cap_reason="vehicle has drawn 16 A at most", max_a=16.0))
    )
    assert reasons(learned)["D"] == ("vehicle has drawn 16 A at most",)


def test_phases_are_kept_as_near_as_a_node_asks():
    root = [node("root", None, 63, unbalance_a=20.0)]
    plan = allocate(site(root, vehicle("A", phases=(0,)), vehicle("B", phases=(1,), max_a=10.0)))

    assert now(plan) == {"A": 20, "B": 10}
    assert reasons(plan)["A"] == ("root: phases may be 20 A apart, L1 is 20 A ahead of L3",)


def test_a_later_bound_is_kept_when_its_time_comes():
    later = Bound("root: 10 A from 12:30", (10.0,) * 3, first=2, last=3)
    root = PlanNode("root", None, (Bound("root: 32 A", (32.0,) * 3), later))

    assert allocate(site([root], vehicle("A"), intervals=4)).allocations[0].limits_a == (32, 32, 10, 32)


def test_reductions_are_told_at_once_and_raises_when_there_is_room():
    about = site([node("root", None, 32)], vehicle("A"), vehicle("B"))
    plan = allocate(about)

    assert release(about, plan, {("A", 1): (32.0,) * 3, ("B", 1): (0.0,) * 3}) == {("A", 1): 16, ("B", 1): 0}
    assert release(about, plan, {("A", 1): (24.0,) * 3, ("B", 1): (0.0,) * 3}) == {("A", 1): 16, ("B", 1): 8}
    assert release(about, plan, {("A", 1): (16.0,) * 3, ("B", 1): (0.0,) * 3}) == {("A", 1): 16, ("B", 1): 16}


def test_a_raise_is_told_where_the_phase_of_the_one_who_lags_is_another():
    about = site([node("root", None, 32)], vehicle("A", phases=(0,), max_a=16.0), vehicle("B", phases=(1,)))
    counted = {("A", 1): (32.0, 0.0, 0.0), ("B", 1): (0.0, 0.0, 0.0)}

    assert release(about, allocate(about), counted) == {("A", 1): 16, ("B", 1): 32}


def test_turns_are_fair_over_a_day_and_last_as_long_as_they_must():
    step_s, least_s = 300.0, 600.0
    vehicles = [vehicle(f"S{index}", phases=(0,), least_charge_s=least_s, least_pause_s=least_s) for index in range(7)]
    charged = [0] * len(vehicles)
    for _ in range(288):
        before = vehicles
        limits_a = list(now(allocate(site([node("root", None, 20)], *vehicles, length_s=step_s))).values())
        assert sum(1 for limit_a in limits_a if limit_a) == 3
        for was, limit_a in zip(before, limits_a, strict=True):
            if was.charged_s and not limit_a:
                assert was.charged_s >= least_s
            if was.paused_s and limit_a:
                assert was.paused_s >= least_s
        charged = [count + (limit_a > 0) for count, limit_a in zip(charged, limits_a, strict=True)]
        vehicles = [
            msgspec.structs.replace(
                each,
                present_a=limit_a,
                served_wh=each.served_wh + limit_a * 230 * step_s / 3600,
                charged_s=each.charged_s + step_s if limit_a else 0.0,
                paused_s=0.0 if limit_a else each.paused_s + step_s,
            )
            for each, limit_a in zip(vehicles, limits_a, strict=True)
        ]
    served_wh = [each.served_wh for each in vehicles]
    assert max(served_wh) - min(served_wh) <= 2 * 7 * 230 * least_s / 3600
    assert min(charged) > 0.9 * 288 * 3 / 7


@pytest.mark.parametrize(
    ("root_a", "phases", "large"),
    [(20, [(0,)] * 3, {"min_a": 11.0, "phases": (0,)}), (10, [(0,), (1,), (2,)], {"phases": ALL})],
    ids=["11 A among 6 A", "all phases among one"],
)
def test_who_needs_more_room_than_the_others_has_its_turn_too(root_a, phases, large):
    step_s, least_s = 300.0, 900.0
    timed = {"least_charge_s": least_s, "least_pause_s": step_s}
    vehicles = [vehicle("large", **large, **timed, paused_s=3600.0)]
    for place, own in enumerate(phases):
        since_s = step_s * (place + 1)
        vehicles.append(vehicle(f"S{place}", phases=own, **timed, charged_s=since_s, present_a=6.0))
        vehicles.append(vehicle(f"S{place + 3}", phases=own, **timed, paused_s=since_s))
    charged = [0] * len(vehicles)
    for _ in range(144):
        about = site([node("root", None, root_a)], *vehicles, length_s=step_s)
        limits_a = list(now(allocate(about)).values())
        assert all(limit_a for was, limit_a in zip(vehicles, limits_a, strict=True) if 0 < was.charged_s < least_s)
        charged = [count + (limit_a > 0) for count, limit_a in zip(charged, limits_a, strict=True)]
        vehicles = [
            msgspec.structs.replace(
                each,
                present_a=limit_a,
                served_wh=each.served_wh + limit_a * 230 * step_s / 3600,
                charged_s=each.charged_s + step_s if limit_a else 0.0,
                paused_s=0.0 if limit_a else each.paused_s + step_s,
            )
            for each, limit_a in zip(vehicles, limits_a, strict=True)
        ]

    assert min(charged) > 0.2 * 144, charged


def test_a_plan_takes_turns_ahead():
    vehicles = [vehicle(name, phases=(0,), least_charge_s=900.0, least_pause_s=900.0) for name in "ABCD"]
    plan = allocate(site([node("root", None, 12)], *vehicles, intervals=8))

    assert all(sum(1 for limit_a in each.limits_a if limit_a) == 4 for each in plan.allocations)


amperes = st.integers(0, 60).map(float)


@st.composite
def shares(draw):
    """Sites where all least currents fit, any current can be taken, and nothing is promised."""
    nodes = [PlanNode("n0", None)]
    nodes += [PlanNode(f"n{index}", draw(st.integers(0, index - 1))) for index in range(1, draw(st.integers(1, 5)))]
    demands = [
        vehicle(
            f"S{index}",
            draw(st.integers(0, len(nodes) - 1)),
            draw(st.sampled_from([(0,), (1,), (0, 2), ALL])),
            step_a=0.0,
            max_a=draw(st.sampled_from([6.0, 16.0, 32.0])),
            weight=draw(st.sampled_from([1.0, 1.0, 2.0])),
        )
        for index in range(draw(st.integers(1, 7)))
    ]
    least = [[0.0] * 3 for _ in nodes]
    for demand in demands:
        for place in path(nodes, demand.node):
            for phase in demand.phases:
                least[place][phase] += demand.min_a
    bounded = [
        msgspec.structs.replace(each, bounds=(Bound("", tuple(value + draw(amperes) for value in least[place])),))
        for place, each in enumerate(nodes)
    ]
    return site(bounded, *demands)


def path(nodes, place):
    while place is not None:
        yield place
        place = nodes[place].parent


def fair(about):
    """Max-min fair shares, found slowly: the level rises for all until somebody can have no more, again and again."""
    stands = [demand.min_a for demand in about.demands]
    rising = set(range(len(stands)))

    def at(level):
        return [
            min(demand.max_a, max(demand.min_a, level * demand.weight)) if index in rising else stands[index]
            for index, demand in enumerate(about.demands)
        ]

    def fits(shares):
        loads = [[0.0] * 3 for _ in about.nodes]
        for demand, share in zip(about.demands, shares, strict=True):
            for place in path(about.nodes, demand.node):
                for phase in demand.phases:
                    loads[place][phase] += share
        limits = [each.bounds[0].phase_a for each in about.nodes]
        return all(
            load <= limit + 1e-9
            for row, most in zip(loads, limits, strict=True)
            for load, limit in zip(row, most, strict=True)
        )

    while rising:
        low, high = 0.0, 64.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(at(middle)) else (low, middle)
        stands = [share if index in rising else stands[index] for index, share in enumerate(at(low))]
        for index in tuple(rising):
            more = [share + (0.001 if place == index else 0.0) for place, share in enumerate(stands)]
            if more[index] > about.demands[index].max_a or not fits(more):
                rising.discard(index)
    return stands


@given(shares())
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_shares_are_max_min_fair_as_an_exact_slow_search_finds_them(about):
    given = [each.limits_a[0] for each in allocate(about).allocations]

    assert given == pytest.approx(fair(about), abs=2e-3)

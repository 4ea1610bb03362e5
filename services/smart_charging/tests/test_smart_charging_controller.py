"""What is decided about a site, step by step, as its stations answer and its vehicles are measured."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_smart_charging.allocation.domain.fitting import fits
from chargebus_smart_charging.allocation.domain.guiding import Guide
from chargebus_smart_charging.allocation.domain.optimiser import optimise
from chargebus_smart_charging.allocation.domain.problem import Plan
from chargebus_smart_charging.limits.domain.limit import KnownLimit, Period
from chargebus_smart_charging.limits.domain.meters import Reading
from chargebus_smart_charging.planning.domain.controller import decide, sight
from chargebus_smart_charging.planning.domain.defaults import defaults_of
from chargebus_smart_charging.planning.domain.due import next_due
from chargebus_smart_charging.planning.domain.known import SiteKnown, StationKnown
from chargebus_smart_charging.planning.domain.memory import OpenAlert
from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.series.domain.timeline import Span
from chargebus_smart_charging.sites.domain.site import Capacity, Evse, LoadMeter, Node, Policy, Site
from chargebus_smart_charging.steering.domain.habits import LADDER, Habits
from chargebus_smart_charging.steering.domain.steered import (
    Steered,
    answered,
    booted,
    connected,
    lost,
    transaction_ended,
)
from chargebus_smart_charging.vehicles.domain.needs import ClassNeeds, EvNeeds, Needs
from chargebus_smart_charging.vehicles.domain.samples import Sample
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle, measured, told

NOW = datetime(2026, 5, 1, 12, 3, tzinfo=UTC)
POLICY = Policy(interval_s=60, grace_s=60, spacing_s=0, dead_band_a=0.5)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


FREE = transaction_ended(connected(Steered(), later(-3600)), later(-3500))


class Depot:
    """A site with some EVSEs under one fuse, and its stations, which answer when they are told to."""

    def __init__(self, evses: int = 2, phase_a: float = 32.0, policy: Policy = POLICY, **node) -> None:
        names = [f"CS{number}" for number in range(1, evses + 1)]
        root = Node("grid", None, capacity=Capacity(phase_a), **node)
        each = (Evse(name, 1, "grid", voltage_v=230.0, phases=(1, 2, 3), min_a=6, max_a=32, step_a=1) for name in names)
        site = Site("S", "depot", (root,), tuple(each), policy=policy)
        self.known = SiteKnown(
            site,
            steered={(name, 1): FREE for name in names},
            stations={name: StationKnown(version="1.6") for name in names},
        )
        self.decision = None

    def change(self, **changes) -> None:
        self.known = msgspec.structs.replace(self.known, **changes)

    def plug_in(self, *numbers: int, at: float = 0, **session) -> None:
        for number in numbers:
            key = f"CS{number}", 1
            event = SessionTold(
                f"s{number}@{at}",
                key[0],
                "active",
                later(at),
                f"t{number}@{at}",
                evse_id=1,
                started_at=later(at),
                **session,
            )
            self._vehicle(key, told(self.known.vehicles.get(key, Vehicle(*key)), event))

    def leave(self, number: int, *, at: float) -> None:
        key = f"CS{number}", 1
        vehicle = self.known.vehicles[key]
        over = msgspec.structs.replace(vehicle.session, state="ended", updated_at=later(at))
        self._vehicle(key, told(vehicle, over))

    def draw(self, number: int, amperes: float, *, at: float) -> None:
        key = f"CS{number}", 1
        sample = Sample(later(at), (amperes,) * 3, tells_phases=True, power_w=3 * 230 * amperes)
        self._vehicle(key, measured(self.known.vehicles[key], sample, None))

    def _vehicle(self, key, vehicle) -> None:
        self.change(vehicles={**self.known.vehicles, key: vehicle})

    def decide(self, at: float, *, answer: str | None = "accepted", **more):
        """Decide, and have all stations that are online answer at once."""
        self.decision = decide(self.known, later(at), **more)
        steered = {}
        for key, step in self.decision.steps.items():
            after = step.steered
            for order in step.orders if answer else ():
                after = answered(after, order.number, answer, later(at))
            steered[key] = after
        self.change(steered=steered, memory=self.decision.memory)
        return self.decision

    def limits(self) -> dict[int, float | None]:
        return {int(each.station_id[2:]): each.limit_a for each in self.decision.evses}

    def counted(self) -> float:
        return sum(each.counted_a[0] for each in self.decision.evses)

    def orders(self, number: int) -> list[str]:
        return [order.asking for order in self.decision.steps[f"CS{number}", 1].orders]


def settled(depot: Depot, at: float = 0) -> float:
    """Let a depot's stations take their defaults, then the vehicles what they are told; return when that is so."""
    for _ in range(8):
        depot.decide(at)
        for number, limit_a in depot.limits().items():
            if limit_a is not None:
                depot.draw(number, min(limit_a, 32.0), at=at + 20)
        at += 60
    return at


def test_where_nothing_charges_stations_are_only_given_their_defaults():
    depot = Depot()

    depot.decide(0)

    assert depot.limits() == {1: None, 2: None}
    assert depot.orders(1) == ["default"]


def test_vehicles_share_what_there_is():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)

    settled(depot)

    assert depot.limits() == {1: 16.0, 2: 16.0}


def test_a_reading_of_everything_is_not_held_against_what_vehicles_draw_later():
    """The building draws 10 A all the time; its meter speaks once, before the vehicles take what they are given."""
    depot = Depot(phase_a=40.0, meter=LoadMeter((40.0,) * 3, silent_after_s=3600.0, covers="everything"))
    depot.plug_in(1, 2)
    depot.change(readings={"grid": Reading((10.0,) * 3, later(0))})

    settled(depot)

    assert depot.limits() == {1: 15.0, 2: 15.0}


def test_nobody_is_told_more_before_the_others_were_seen_to_draw_less():
    depot = Depot(phase_a=32.0, policy=msgspec.structs.replace(POLICY, default_a=0.0))
    depot.plug_in(1)
    at = settled(depot)
    assert depot.limits()[1] == 32.0

    depot.plug_in(2, at=at)
    depot.decide(at + 1)
    first = depot.limits()
    depot.draw(1, 16.0, at=at + 30)
    depot.decide(at + 31)

    assert (first[1], first[2]) == (16.0, 0.0)
    assert depot.limits() == {1: 16.0, 2: 16.0}


def test_what_is_counted_comes_down_to_the_fuse_and_stays_there():
    depot = Depot(4, phase_a=40.0)
    depot.plug_in(1, 2, 3, 4)

    settled(depot)

    assert depot.counted() <= 40.0
    assert [limit for limit in depot.limits().values() if limit] == [10.0] * 4


@pytest.mark.long
def test_where_least_currents_do_not_fit_vehicles_take_turns():
    depot = Depot(3, phase_a=13.0, policy=msgspec.structs.replace(POLICY, least_charge_s=300, least_pause_s=300))
    depot.plug_in(1, 2, 3)
    at = settled(depot)
    first = {number for number, limit in depot.limits().items() if limit}

    seen = set()
    for _ in range(30):
        at = settled(depot, at)
        seen |= {number for number, limit in depot.limits().items() if limit}
        assert sum(limit or 0 for limit in depot.limits().values()) <= 13.0

    assert len(first) == 2
    assert seen == {1, 2, 3}


def test_a_station_that_is_offline_is_counted_and_others_are_lowered():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)
    gone = depot.known.steered["CS1", 1]
    depot.change(steered={**depot.known.steered, ("CS1", 1): lost(gone, later(at))})

    depot.decide(at + 1)

    counted = {each.station_id: each.counted_a[0] for each in depot.decision.evses}
    assert counted["CS1"] >= 16.0
    assert depot.limits()[2] <= 32.0 - counted["CS1"]
    assert "offline" in next(each for each in depot.decision.evses if each.station_id == "CS1").reasons[0]


def carried_out(depot: Depot, at: float, answer: str, plan: Plan | None = None) -> list[str]:
    """Decide; its station takes starts and stops, and answers so what else it is told. Return which it was asked."""
    depot.decide(at, answer=None, given=plan)
    asked, after = [], {}
    for key, done in depot.decision.steps.items():
        steered = done.steered
        for order in done.orders:
            acts = order.asking in {"suspend", "resume"}
            steered = answered(steered, order.number, "accepted" if acts else answer, later(at))
            asked += [order.asking] if acts else []
        after[key] = steered
    depot.change(steered=after)
    return asked


@pytest.mark.parametrize("answer", ["unsupported", "refused"])
def test_a_station_without_profiles_is_stopped_where_its_site_has_nothing_for_it_and_started_again(answer):
    policy = msgspec.structs.replace(POLICY, on_off=True, least_pause_s=0, least_charge_s=0)
    depot = Depot(evses=1, policy=policy)
    depot.plug_in(1, id_token="ALICE")
    asked = []
    for began, phase_a in ((30, 0.0), (480, 32.0)):
        nodes = (msgspec.structs.replace(depot.known.site.nodes[0], capacity=Capacity(phase_a)),)
        depot.change(site=msgspec.structs.replace(depot.known.site, nodes=nodes))
        for at in range(began, began + 450, 30):
            asked += carried_out(depot, at, answer)
            if asked == ["suspend"] and depot.known.vehicles["CS1", 1].session.active:
                depot.leave(1, at=at + 1)

    assert asked == ["suspend", "resume"]


@pytest.mark.parametrize("objective", ["price", "co2", "demand"])
def test_a_station_without_profiles_is_stopped_while_the_grid_has_little_and_started_again(objective):
    policy = msgspec.structs.replace(
        POLICY, on_off=True, objective=objective, least_pause_s=0, least_charge_s=0, energy_wh=3000, stay_s=8 * 3600
    )
    depot = Depot(evses=1, policy=policy)
    depot.plug_in(1, id_token="ALICE")
    much, little = 1.0, 0.1
    asked = []
    for began, first, rest in ((30, much, little), (480, little, much)):
        hours = [Span(later(3600 * n), later(3600 * (n + 1)), first if n < 3 else rest) for n in range(-1, 12)]
        depot.change(spans={"S": hours})
        for at in range(began, began + 450, 30):
            plan = optimise(sight(depot.known, later(at)).problem, 60)
            asked += [(each, first) for each in carried_out(depot, at, "unsupported", plan)]
            if (
                depot.known.steered["CS1", 1].contained_by == "suspend"
                and depot.known.vehicles["CS1", 1].session.active
            ):
                depot.leave(1, at=at + 1)

    assert asked == [("suspend", much), ("resume", little)]


def test_how_long_an_EVSE_cannot_be_steered_is_counted():
    depot = Depot(evses=1)
    depot.plug_in(1)
    at = settled(depot)
    assert depot.decision.tally.unsteerable_s == 0

    for _ in range(12):
        at += 60
        depot.decide(at, answer="unsupported")

    assert "station_unsteerable" in depot.known.steered["CS1", 1].alerts
    assert depot.decision.tally.unsteerable_s == 60


def test_a_station_that_draws_more_than_it_may_is_counted_by_that_and_others_are_lowered():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)

    for _ in range(4):
        depot.draw(1, 22.0, at=at)
        depot.decide(at + 5)
        at += 60

    assert depot.limits()[2] <= 10.0
    notices = [notice.rule for step in depot.decision.steps.values() for notice in step.notices]
    assert "limit_disobeyed" in notices or "limit_disobeyed" in depot.known.steered["CS1", 1].alerts
    assert depot.decision.tally.disobedience_s > 0


def test_a_limit_that_falls_is_told_at_once():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)

    depot.change(limits=(KnownLimit("S", "ems", "1", later(at), periods=(Period(Capacity(14.0)),)),))
    depot.decide(at)

    assert depot.limits() == {1: 7.0, 2: 7.0}
    assert depot.orders(1) == depot.orders(2) == ["limit"]
    assert depot.decision.nodes[0].limit_a == (14.0, 14.0, 14.0)
    assert "ems" in depot.decision.nodes[0].reason


def test_what_is_decided_twice_asks_nothing_the_second_time():
    depot = Depot()
    depot.plug_in(1, 2)
    at = settled(depot)

    depot.decide(at)

    assert (depot.orders(1), depot.decision.is_news, depot.decision.notices) == ([], False, ())


def test_a_vehicle_that_leaves_frees_its_share():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)

    depot.leave(1, at=at)
    depot.decide(at + 1)

    assert depot.limits() == {1: None, 2: 32.0}


def test_a_vehicle_that_left_without_what_its_driver_was_known_to_need_is_counted_once():
    depot = Depot()
    depot.plug_in(1)
    depot.change(
        vehicles={
            key: msgspec.structs.replace(each, asked=Needs(energy_wh=9000.0))
            for key, each in depot.known.vehicles.items()
        }
    )
    depot.decide(0)
    depot.leave(1, at=60)

    assert depot.decide(61).tally.unserved_wh == pytest.approx(9000.0)
    assert depot.decide(62).tally.unserved_wh == 0.0


def test_an_operators_limit_lowers_and_says_so():
    depot = Depot(phase_a=64.0)
    depot.plug_in(1, 2)
    depot.change(overrides=(Override("o1", "S", 10.0, later(3600), "CS1", 1, reason="hot cable"),))

    settled(depot)

    assert depot.limits() == {1: 10.0, 2: 32.0}
    assert "hot cable" in " ".join(depot.decision.evses[0].reasons)


def test_an_operators_limit_below_the_least_current_stops_a_vehicle_and_ends_with_its_time():
    depot = Depot(phase_a=64.0)
    depot.plug_in(1)
    depot.change(overrides=(Override("o1", "S", 0.0, later(600), session_id="s1@0"),))

    settled(depot)
    barred = depot.limits()[1]
    settled(depot, 660)

    assert (barred, depot.limits()[1]) == (0.0, 32.0)


def ceiling(depot: Depot, number: int, amperes: float, at: float) -> None:
    """Have a station say that others allow less than it was told."""
    key = f"CS{number}", 1
    steered = msgspec.structs.replace(depot.known.steered[key], ceiling_a=amperes, ceiling_at=later(at))
    depot.change(steered={**depot.known.steered, key: steered})


def test_what_others_allow_by_the_word_of_a_station_is_left_to_other_vehicles_for_a_while():
    depot = Depot(phase_a=40.0)
    depot.plug_in(1, 2)
    at = settled(depot)
    assert depot.limits() == {1: 20.0, 2: 20.0}
    ceiling(depot, 1, 12.0, at)

    at = settled(depot, at)
    assert depot.limits() == {1: 12.0, 2: 28.0}
    assert "station says that others allow no more than 12 A" in " ".join(depot.decision.evses[0].reasons)

    settled(depot, at + 1800)
    assert depot.limits() == {1: 20.0, 2: 20.0}


def test_a_ceiling_below_the_least_current_and_an_operators_limit_below_a_ceiling_hold():
    depot = Depot(phase_a=64.0)
    depot.plug_in(1, 2)
    depot.change(overrides=(Override("o1", "S", 10.0, later(3600), "CS2", 1),))
    at = settled(depot)
    ceiling(depot, 1, 3.0, at)
    ceiling(depot, 2, 12.0, at)

    settled(depot, at)

    assert depot.limits() == {1: 0.0, 2: 10.0}


def test_a_vehicle_that_says_what_it_needs_is_told_its_limit_again():
    depot = Depot(1)
    depot.plug_in(1)
    at = settled(depot)
    depot.decide(at)
    assert "limit" not in depot.orders(1)
    vehicle = depot.known.vehicles["CS1", 1]
    depot.change(vehicles={("CS1", 1): msgspec.structs.replace(vehicle, ev=EvNeeds(later(at + 1)))})

    depot.decide(at + 2)
    assert "limit" in depot.orders(1)

    depot.decide(at + 4)
    assert "limit" not in depot.orders(1)


def test_priority_gives_a_larger_share():
    depot = Depot(phase_a=40.0)
    depot.plug_in(1, 2)
    depot.plug_in(1, at=1, id_token_type="eMAID")
    depot.change(classes={("type", "eMAID"): ClassNeeds("type", "eMAID", priority=3.0)})

    settled(depot)

    assert depot.limits()[1] > depot.limits()[2] > 0


def test_drivers_of_a_group_of_tokens_have_what_is_said_of_it():
    depot = Depot(phase_a=40.0)
    depot.plug_in(1, 2)
    depot.plug_in(1, at=1, token_group="Fleet")
    depot.change(classes={("group", "fleet"): ClassNeeds("group", "fleet", priority=3.0)})

    settled(depot)

    assert depot.limits()[1] > depot.limits()[2] > 0


def test_a_station_that_takes_no_0_keeps_its_least_current():
    depot = Depot(1, phase_a=32.0)
    depot.change(stations={"CS1": StationKnown(Habits(takes_zero=False), "1.6")})
    depot.plug_in(1)
    depot.change(overrides=(Override("o1", "S", 0.0, later(9999), "CS1", 1),))

    settled(depot)

    assert depot.known.steered["CS1", 1].limit.newest.limit_a == 6.0


def test_stations_that_take_no_0_keep_their_least_currents_where_these_do_not_fit_and_say_so():
    depot = Depot(phase_a=8.0)
    depot.change(stations={f"CS{each}": StationKnown(Habits(takes_zero=False), "1.6") for each in (1, 2)})
    depot.plug_in(1, 2)

    settled(depot)
    states = sorted(depot.decision.evses, key=lambda each: each.planned_a)

    assert [each.limit_a for each in states] == [6.0, 6.0]
    assert states[0].planned_a == 0.0
    assert states[0].unserved_wh > 0
    assert "does not take 0" in states[0].reasons[0]


def test_a_node_measured_above_its_bound_for_longer_than_an_interval_is_an_alert_until_it_is_over():
    depot = Depot(1, phase_a=32.0)
    depot.plug_in(1)
    at = settled(depot)
    depot.draw(1, 40.0, at=at)

    first = depot.decide(at + 1).notices
    depot.draw(1, 40.0, at=at + 60)
    second = depot.decide(at + 62)
    depot.draw(1, 20.0, at=at + 120)
    third = depot.decide(at + 121).notices

    overloaded = OpenAlert("site_overloaded", "grid")
    assert first == ()
    assert [(each.alert, each.is_open) for each in second.notices] == [(overloaded, True)]
    assert second.tally.overload_s == {"grid": pytest.approx(61.0)}
    assert second.nodes[0].overload_s == pytest.approx(61.0)
    assert [(each.alert, each.is_open) for each in third] == [(overloaded, False)]


def test_a_meter_that_is_silent_and_a_source_that_is_silent_are_alerts():
    depot = Depot(1, meter=LoadMeter((5.0, 5.0, 5.0), silent_after_s=60))
    depot.change(limits=(KnownLimit("S", "ems", "1", NOW, periods=(Period(Capacity(20.0)),), renewed_every_s=30),))

    depot.decide(31)

    assert [each.alert for each in depot.decision.notices] == [
        OpenAlert("meter_silent", "grid"),
        OpenAlert("limit_source_silent", "ems/1"),
    ]
    assert depot.decide(32).notices == ()


def still(guide: Guide, depot: Depot, at: float) -> Plan | None:
    """Return what is left of a plan that is followed."""
    sighted = sight(depot.known, later(at))
    return guide.shifted(sighted.problem, sighted.needs)


def test_a_plan_of_the_optimiser_is_taken_as_long_as_it_fits():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)
    plan = msgspec.structs.replace(depot.decision.plan, method="optimiser")
    guide = sight(depot.known, later(at)).guide(plan)

    same = depot.decide(at, given=still(guide, depot, at))
    depot.change(limits=(KnownLimit("S", "ems", "1", later(at), periods=(Period(Capacity(14.0)),)),))
    other = decide(depot.known, later(at)).problem
    less = depot.decide(at, given=still(guide, depot, at))

    assert same.plan.method == "optimiser"
    assert not fits(other, still(guide, depot, at))
    assert (less.plan.method, bool(less.plan.fallback), depot.limits()) == ("allocator", True, {1: 7.0, 2: 7.0})


@pytest.mark.parametrize(
    ("little", "as_little", "more"),
    [
        (Capacity(14.0), Capacity(15.0), Capacity(20.0)),
        (Capacity(total_va=9660.0), Capacity(total_va=10_350.0), Capacity(total_va=12_000.0)),
    ],
    ids=["amperes", "volt-amperes"],
)
def test_a_plan_of_the_optimiser_is_not_taken_any_more_where_there_is_room_that_it_knows_nothing_of(
    little, as_little, more
):
    def limit(capacity):
        depot.change(limits=(KnownLimit("S", "ems", "1", NOW, periods=(Period(capacity),)),))

    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    limit(little)
    at = settled(depot)
    guide = sight(depot.known, later(at)).guide(depot.decision.plan)

    assert still(guide, depot, at + 30) is not None
    limit(as_little)
    assert still(guide, depot, at + 60) is not None, "an ampere can wait"
    limit(more)
    assert still(guide, depot, at + 90) is None


@pytest.mark.parametrize("cost", [2.0, None])
def test_a_plan_of_the_optimiser_is_not_taken_any_more_where_something_else_is_said_to_cost(cost):
    depot = Depot(policy=msgspec.structs.replace(POLICY, objective="price"))
    hours = [Span(later(3600 * n), later(3600 * (n + 1)), 1.0) for n in range(-1, 12)]
    depot.change(spans={"S": hours})
    depot.plug_in(1)
    made = depot.decide(0)
    guide = sight(depot.known, later(0)).guide(made.plan)

    same = still(guide, depot, 200)
    told = [*hours[:2], *([] if cost is None else [msgspec.structs.replace(hours[2], per_kwh=cost)]), *hours[3:]]
    depot.change(spans={"S": told})
    other = still(guide, depot, 200)

    assert made.problem.costs is not None
    assert same is not None
    assert other is None


@pytest.mark.parametrize(
    "asked",
    [Needs(energy_wh=30_000.0), Needs(departs_at=later(1800)), Needs(priority=2.0), None],
    ids=["energy", "departure", "priority", "class"],
)
def test_a_plan_of_the_optimiser_is_not_taken_any_more_where_drivers_are_said_to_need_something_else(asked):
    depot = Depot()
    depot.plug_in(1, 2, token_group="vans")
    at = settled(depot)
    guide = sight(depot.known, later(at)).guide(depot.decision.plan)
    depot.draw(1, 16.0, at=at + 20)
    as_before = still(guide, depot, at + 30)

    if asked is None:
        depot.change(classes={("group", "vans"): ClassNeeds("group", "vans", stay_s=7200.0)})
    else:
        vehicle = depot.known.vehicles["CS1", 1]
        depot.change(vehicles=depot.known.vehicles | {("CS1", 1): msgspec.structs.replace(vehicle, asked=asked)})

    assert as_before is not None
    assert still(guide, depot, at + 30) is None


def test_all_defaults_together_fit_every_node():
    panel = Node("panel", "grid", capacity=Capacity(20.0), margin=0.1)
    evses = tuple(Evse(f"CS{n}", 1, "panel" if n < 3 else "grid", min_a=6, max_a=32) for n in range(1, 5))
    site = Site("S", "", (Node("grid", None, capacity=Capacity(63.0)), panel), evses)

    found = defaults_of(site)

    assert found == {("CS1", 1): 9.0, ("CS2", 1): 9.0, ("CS3", 1): 15.7, ("CS4", 1): 15.7}


def test_a_share_below_the_least_current_is_a_default_of_0():
    evses = tuple(Evse(f"CS{n}", 1, "grid", min_a=6, max_a=32) for n in range(4))

    assert set(defaults_of(Site("S", "", (Node("grid", None, capacity=Capacity(20.0)),), evses)).values()) == {0.0}


def test_a_local_controller_gets_the_limit_of_all_behind_it_as_one_schedule():
    depot = Depot(phase_a=40.0, controller_station_id="LC")
    depot.change(
        steered={**depot.known.steered, ("LC", 0): connected(Steered(), later(-3600))},
        stations={**depot.known.stations, "LC": StationKnown(version="2.0.1")},
    )
    (order,) = depot.decide(0).steps["LC", 0].orders

    assert (order.asking, order.rung, order.limit_a) == ("limit", "ChargingStationMaxProfile", 40.0)
    assert order.until is None
    assert depot.decision.steerables["LC", 0].evse.evse_id == 0


def test_a_local_controller_that_is_offline_is_told_nothing():
    depot = Depot(controller_station_id="LC")

    assert not depot.decide(0).steps["LC", 0].orders


def test_a_site_is_planned_again_when_a_limit_falls_by_itself_as_vehicles_are_learned_by_what_holds():
    depot = Depot(1, policy=msgspec.structs.replace(POLICY, interval_s=900))
    depot.plug_in(1)
    settled(depot)
    steered = depot.known.steered["CS1", 1]
    order = steered.limit.accepted
    levels = ((order.at, 32.0), (later(1000), 0.0))
    limit = msgspec.structs.replace(steered.limit, accepted=msgspec.structs.replace(order, levels=levels))
    depot.change(steered={("CS1", 1): msgspec.structs.replace(steered, limit=limit)})
    decision = depot.decide(700, answer=None)

    assert decision.held == {("CS1", 1): 32.0}
    assert next_due(depot.known, decision) == later(1000)
    fallen = depot.decide(1000, answer=None)
    assert fallen.held == {("CS1", 1): 0.0}
    assert next_due(depot.known, fallen) == later(1000 + POLICY.grace_s), "what it frees is told once it is seen"


def test_others_are_lowered_for_who_takes_no_0_and_finds_no_room_for_its_least():
    depot = Depot(3, phase_a=32.0)
    depot.change(
        stations={f"CS{number}": StationKnown(Habits(takes_zero=number == 3), version="1.6") for number in range(1, 4)}
    )
    depot.plug_in(1, 2, 3)
    at = settled(depot)
    assert all(limit_a >= 6 for limit_a in depot.limits().values())

    depot.change(limits=(KnownLimit("S", "grid operator", "1", NOW, periods=(Period(Capacity(10.0)),)),))
    depot.decide(at)

    assert depot.limits() == {1: 6.0, 2: 6.0, 3: 0.0}


def test_what_a_station_may_hold_that_does_not_answer_is_taken_off_what_others_get():
    depot = Depot(2, phase_a=48.0)
    depot.plug_in(1, 2)
    at = settled(depot)
    assert depot.limits() == {1: 24.0, 2: 24.0}

    depot.change(limits=(KnownLimit("S", "grid operator", "1", NOW, periods=(Period(Capacity(36.0)),)),))
    depot.decide(at, answer=None)
    lost = {("CS1", 1): "unknown", ("CS2", 1): "accepted"}
    depot.change(
        steered={
            key: answered(step.steered, step.orders[0].number, lost[key], later(at + 30))
            for key, step in depot.decision.steps.items()
        }
    )
    depot.decide(at + 31)

    assert depot.limits()[2] == 12.0, "the other one may draw 24 A all the while"
    assert depot.decision.evses[0].reasons == ("CS1/1 has not answered and is counted by what it may hold",)


def resting(depot: Depot, at: float = 0) -> float:
    """Let a depot's stations take their defaults and say what they hold; return when it rests."""
    for _ in range(8):
        decision = depot.decide(at)
        due_at = next_due(depot.known, decision)
        if not any(step.orders for step in decision.steps.values()) and due_at > later(at) + timedelta(minutes=30):
            return at
        at += 2
    pytest.fail(f"it is planned again and again, at last at {due_at}")


def test_a_site_at_which_nobody_is_waits_for_somebody_to_come():
    depot = Depot()
    at = resting(depot)
    assert next_due(depot.known, depot.decision) == later(at) + timedelta(hours=1)

    depot.plug_in(1, at=at + 100)
    decision = depot.decide(at + 100)
    assert next_due(depot.known, decision) <= later(at + 100 + POLICY.interval_s)

    depot.leave(1, at=at + 2000)
    resting(depot, at + 2000)


def test_what_stations_hold_is_compared_at_a_site_that_rests_as_well():
    depot = Depot()
    at = resting(depot)
    verified_at = depot.known.steered["CS1", 1].verified_at
    assert verified_at is not None
    at += 5.9 * 3600
    due_at = next_due(depot.known, depot.decide(at))

    assert due_at == verified_at + timedelta(hours=6)
    assert depot.decide((due_at - NOW).total_seconds()).steps["CS1", 1].orders[0].asking == "verify"


def test_a_station_that_was_asked_for_its_default_after_a_boot_is_given_it_in_time_though_nobody_is_there():
    depot = Depot()
    at = resting(depot) + 100
    steerable = depot.decision.steerables["CS1", 1]
    depot.change(
        steered=depot.known.steered | {("CS1", 1): booted(depot.known.steered["CS1", 1], later(at), steerable)}
    )
    decision = depot.decide(at, answer=None)
    assert depot.orders(1) == ["verify"]

    due_at = next_due(depot.known, decision)
    assert due_at <= later(at + 30)
    depot.decide((due_at - NOW).total_seconds(), answer=None)
    assert depot.orders(1) == ["default"]


@pytest.mark.parametrize(
    "node", [{"meter": LoadMeter((5.0, 5.0, 5.0))}, {"controller_station_id": "LC"}], ids=["a meter", "a controller"]
)
def test_a_site_where_something_is_measured_or_others_charge_is_planned_each_interval(node):
    depot = Depot(**node)
    for at in range(0, 600, 60):
        decision = depot.decide(at)

    assert next_due(depot.known, decision) <= later(540 + POLICY.interval_s)


def test_a_site_with_an_alert_is_planned_each_interval_though_nobody_is_there():
    depot = Depot()
    at = resting(depot)
    steered = depot.known.steered["CS1", 1]
    alarmed = msgspec.structs.replace(steered, rung="none", refused=LADDER[:-1], alerts=("station_unsteerable",))
    depot.change(steered=depot.known.steered | {("CS1", 1): alarmed})

    assert next_due(depot.known, depot.decide(at + 60)) <= later(at + 60 + POLICY.interval_s)


def test_a_reading_that_comes_too_soon_to_tell_whether_a_station_obeys_is_not_the_last_that_is_looked_at():
    policy = msgspec.structs.replace(POLICY, interval_s=900)
    depot = Depot(phase_a=32.0, policy=policy)
    depot.plug_in(1)
    at = settled(depot)
    depot.draw(1, 32.0, at=at)
    depot.decide(at + 1)
    depot.plug_in(2, at=at + 2)
    depot.decide(at + 3)
    assert depot.limits()[1] == 16.0
    depot.draw(1, 32.0, at=at + 55)
    decision = depot.decide(at + 63.5)

    assert next_due(depot.known, decision) == later(at + 3 + 1.5 * POLICY.grace_s)
    assert next_due(depot.known, depot.decide(at + 93.5)) == later(at + 3 + 2 * POLICY.grace_s)
    depot.draw(1, 32.0, at=at + 115)
    depot.decide(at + 123)
    assert depot.decision.steps["CS1", 1].steered.disobeys_since is not None


def test_what_is_drawn_beyond_a_limit_by_too_little_to_be_disobedience_is_taken_off_what_all_share():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)
    depot.draw(1, 16.5, at=at)
    depot.draw(2, 16.0, at=at)
    depot.decide(at + 1)

    limits = depot.limits()
    assert limits[1] + limits[2] <= 31.5
    assert depot.decision.steps["CS1", 1].steered.disobeys_since is None


def test_whether_a_limit_is_kept_to_the_ampere_is_looked_at_as_soon_as_readings_can_tell():
    depot = Depot(policy=msgspec.structs.replace(POLICY, interval_s=900))
    depot.plug_in(1)
    at = settled(depot)
    depot.draw(1, 16.4, at=at)
    depot.decide(at + 1)
    depot.plug_in(2, at=at + 2)
    depot.decide(at + 3)
    assert depot.limits()[1] == 16.0
    depot.draw(1, 16.4, at=at + 55)

    assert next_due(depot.known, depot.decide(at + 63.5)) == later(at + 3 + 1.5 * POLICY.grace_s)
    depot.draw(1, 16.4, at=at + 85)
    depot.decide(at + 93.5)
    assert sum(depot.limits().values()) <= 31.5, "what it draws beyond is taken off what both share"


def test_meters_that_are_not_quite_still_do_not_double_what_stations_are_told():
    def commands(noise_a):
        numbers = random.Random(1)
        depot = Depot(evses=6, phase_a=63.0, policy=msgspec.structs.replace(POLICY, interval_s=60))
        depot.plug_in(*range(1, 7))
        at, told = settled(depot), 0
        for _ in range(60):
            for number, limit_a in depot.limits().items():
                depot.draw(number, limit_a + numbers.uniform(*noise_a), at=at)
            told += sum(
                "limit" in [order.asking for order in step.orders] for step in depot.decide(at + 1).steps.values()
            )
            at += 60
        return told, sum(depot.limits().values())

    still, noisy = commands((0.0, 0.0)), commands((-0.3, 0.45))

    assert noisy[0] <= still[0] + 6
    assert 63.0 - 6 * 0.5 - 6 <= noisy[1] <= 63.0 - 6 * 0.5
    assert still[1] <= 63.0


def test_what_was_drawn_beyond_a_limit_is_given_to_all_again_after_a_while():
    depot = Depot(phase_a=32.0)
    depot.plug_in(1, 2)
    at = settled(depot)
    depot.draw(1, 16.5, at=at)
    depot.decide(at + 1)
    limited = depot.limits()
    for minute in range(1, 20):
        for number, limit_a in depot.limits().items():
            depot.draw(number, limit_a, at=at + 60 * minute)
        depot.decide(at + 60 * minute + 1)
        assert minute >= 15 or depot.limits() == limited

    assert limited[1] + limited[2] < 32.0
    assert depot.limits() == {1: 16.0, 2: 16.0}


def test_a_station_that_cannot_be_steered_is_counted_at_its_most_while_it_is_offline():
    depot = Depot()
    settled(depot)
    known = dict(depot.known.steered)
    refused = tuple(rung for rung in LADDER if rung != "none")
    known["CS1", 1] = lost(msgspec.structs.replace(known["CS1", 1], refused=refused, rung="none"), later(2000))
    depot.change(steered=known)
    depot.decide(2001)

    assert {each.station_id: each.counted_a[0] for each in depot.decision.evses} == {"CS1": 32.0, "CS2": 0.0}

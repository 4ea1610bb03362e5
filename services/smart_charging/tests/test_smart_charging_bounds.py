"""What may flow through each node of a site, and what it comes from in words."""

import math
from datetime import UTC, datetime, time, timedelta

import msgspec
import pytest
from chargebus_smart_charging.limits.domain import meters as metering
from chargebus_smart_charging.limits.domain.bounds import bounded, hanging
from chargebus_smart_charging.limits.domain.limit import CURTAILMENT, KnownLimit, Period, silent
from chargebus_smart_charging.limits.domain.meters import Forecast, Meters, Reading, other_loads
from chargebus_smart_charging.sites.domain.bound import Horizon
from chargebus_smart_charging.sites.domain.site import CalendarEntry, Capacity, Evse, LoadMeter, Node, Site
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)  # a Friday
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
HOURS = Horizon(NOW, (3600.0,) * 24)
SOME_HOURS = Horizon(NOW, (3600.0,) * 5)
METER = LoadMeter((40.0, 41.0, 42.0), silent_after_s=300.0)
EVERYTHING = LoadMeter((40.0, 41.0, 42.0), covers="everything")


def site(root: Node, *nodes: Node, evses=(), time_zone="UTC") -> Site:
    return Site("S", "", (root, *nodes), tuple(evses), time_zone=time_zone)


def grid(phase_a: float | None = 63.0, **more) -> Node:
    return Node("grid", None, "grid connection", Capacity(phase_a=phase_a), **more)


def limit(capacity: Capacity, source: str = "EMS", **more) -> KnownLimit:
    return KnownLimit("S", source, "1", NOW, periods=(Period(capacity),), **more)


def most_a(node, interval: int = 0) -> tuple[float, float, float]:
    """Return the strictest amperes of a node in an interval."""
    found = [bound.phase_a for bound in holding(node, interval) if bound.phase_a is not None]
    return tuple(min((phases[phase] for phases in found), default=math.inf) for phase in range(3))


def most_va(node, interval: int = 0) -> float:
    return min((bound.total_va for bound in holding(node, interval) if bound.total_va is not None), default=math.inf)


def holding(node, interval: int):
    return [each for each in node.bounds if each.first <= interval and (each.last is None or interval < each.last)]


def at(described: Site, limits=(), meters=None, now=NOW, horizon=HOURS):
    loads = other_loads(described, meters or Meters(), now, horizon)
    return {node.node_id: node for node in bounded(described, limits, loads, now, horizon)}


def only(described: Site, limits=(), meters=None, now=NOW, horizon=HOURS):
    (node,) = at(described, limits, meters, now, horizon).values()
    return node


def reasons(node) -> list[str]:
    return [bound.reason for bound in node.bounds]


def test_a_bound_says_in_words_what_it_comes_from():
    panel = Node("b", "grid", "panel B", Capacity(phase_a=63.0), margin=0.05, meter=METER)
    nodes = at(site(grid(100.0), panel), meters=Meters({"b": Reading((11.0, 11.0, 11.0), NOW)}))

    assert most_a(nodes["b"]) == pytest.approx((48.85,) * 3)
    assert reasons(nodes["b"]) == ["panel B: 63 A - 5 % margin - 11 A other loads"]
    assert reasons(nodes["grid"]) == ["grid connection: 100 A - 11 A other loads"]


def test_loads_that_differ_between_phases_are_told_phase_by_phase():
    node = only(site(grid(meter=METER)), meters=Meters({"grid": Reading((11.0, 4.5, 0.0), NOW)}))

    assert most_a(node) == (52.0, 58.5, 63.0)
    assert reasons(node) == ["grid connection: 63 A - 11/4.5/0 A other loads"]


def test_watts_and_volt_amperes_bound_all_phases_together():
    root = Node("grid", None, "", Capacity(total_w=20_000.0, total_va=25_000.0), 0.1, meter=METER)
    node = only(site(root), meters=Meters({"grid": Reading((10.0, 0.0, 0.0), NOW)}))

    assert (most_va(node), most_a(node)) == (15_700.0, (math.inf,) * 3)
    assert reasons(node) == ["grid: 20,000 W - 10 % margin - 2,300 VA other loads"]


def test_what_draws_more_than_a_node_carries_leaves_nothing():
    node = only(site(grid(meter=METER)), meters=Meters({"grid": Reading((70.0, 0.0, 0.0), NOW)}))
    assert most_a(node) == (0.0, 63.0, 63.0)


def test_power_fed_in_is_not_counted_on():
    node = only(site(grid(meter=METER)), meters=Meters({"grid": Reading((-20.0, 0.0, 0.0), NOW)}))
    assert most_a(node) == (63.0, 63.0, 63.0)


@pytest.mark.parametrize("said", [None, NOW - timedelta(seconds=301)])
def test_a_silent_meter_counts_as_its_worst_case(said):
    described = site(grid(meter=METER))
    meters = Meters({} if said is None else {"grid": Reading((1.0, 1.0, 1.0), said)})
    node = only(described, meters=meters)

    assert most_a(node, 0) == most_a(node, 23) == (23.0, 22.0, 21.0)
    assert "a meter is silent" in node.bounds[0].reason
    assert [each.node_id for each in metering.silent(described, meters, NOW)] == ["grid"]


def test_a_meter_of_everything_has_what_evses_draw_taken_off():
    evses = (Evse("CS-1", 1, "b"), Evse("CS-2", 1, "grid"))
    described = site(grid(meter=EVERYTHING), Node("b", "grid"), evses=evses)
    drawn = {("CS-1", 1): (16.0, 16.0, 16.0), ("CS-2", 1): (0.0, 10.0, 0.0)}
    reading = {"grid": Reading((20.0, 30.0, 10.0), NOW)}

    assert most_a(at(described, meters=Meters(reading, drawn))["grid"]) == (59.0, 59.0, 63.0)
    assert most_a(at(described, meters=Meters(reading))["grid"]) == (43.0, 33.0, 53.0)  # nobody knows what they draw


def test_a_reading_is_held_once_against_what_evses_drew_then_and_nothing_is_given_away_twice():
    """The building draws 30 A. The vehicle takes all that it is given at once; the meter speaks every minute."""
    described = site(grid(meter=EVERYTHING), evses=(Evse("CS-1", 1, "grid"),))
    vehicle_a, read_a, read_at, before = 10.0, 40.0, NOW, ()
    for step in range(60):
        now = NOW + timedelta(seconds=10 * step)
        if step % 6 == 0:
            read_a, read_at = 30.0 + vehicle_a, now
        meters = Meters(
            {"grid": Reading((read_a,) * 3, read_at)}, {("CS-1", 1): (vehicle_a,) * 3}, {("CS-1", 1): now}, before
        )
        node = only(described, meters=meters, now=now)
        before = metering.remainders(described, meters)
        vehicle_a = most_a(node)[0]
        assert 30.0 + vehicle_a <= 63.0
    assert vehicle_a == 33.0


def test_where_an_evse_was_measured_after_the_meter_no_more_is_taken_off_than_the_last_time():
    described = site(grid(meter=EVERYTHING), evses=(Evse("CS-1", 1, "grid"),))
    first = Meters({"grid": Reading((40.0,) * 3, NOW)}, {("CS-1", 1): (10.0,) * 3}, {("CS-1", 1): NOW})
    before = metering.remainders(described, first)
    late = Meters(
        {"grid": Reading((40.0,) * 3, NOW + MINUTE)},
        {("CS-1", 1): (33.0,) * 3},
        {("CS-1", 1): NOW + 2 * MINUTE},
        before,
    )
    at_once = msgspec.structs.replace(late, drawn_at={("CS-1", 1): NOW + MINUTE})

    assert most_a(only(described, meters=late)) == (33.0,) * 3
    assert most_a(only(described, meters=at_once)) == (56.0,) * 3


def test_loads_of_children_are_their_parents_as_well_unless_it_measures_everything():
    readings = {"a": Reading((5.0, 0.0, 0.0), NOW), "grid": Reading((7.0, 0.0, 0.0), NOW)}
    child = Node("a", "grid", meter=METER)

    assert most_a(at(site(grid(), child), meters=Meters(readings))["grid"]) == (58.0, 63.0, 63.0)
    assert most_a(at(site(grid(meter=METER), child), meters=Meters(readings))["grid"]) == (51.0, 63.0, 63.0)
    assert most_a(at(site(grid(meter=EVERYTHING), child), meters=Meters(readings))["grid"]) == (56.0, 63.0, 63.0)


def test_what_is_expected_counts_from_the_next_interval_on_as_far_as_it_is_told():
    forecast = Forecast(NOW, 1800.0, ((1.0, 0.0, 0.0),) * 2 + ((2.0, 0.0, 0.0), (9.0, 0.0, 0.0)))
    node = only(site(grid(meter=METER)), meters=Meters({"grid": Reading((5.0, 0.0, 0.0), NOW, forecast)}))

    assert [most_a(node, interval)[0] for interval in (0, 1, 2)] == [58.0, 54.0, 58.0]


def test_a_calendar_only_takes_away():
    entries = (
        CalendarEntry(Capacity(phase_a=32.0), starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR),
        CalendarEntry(Capacity(phase_a=80.0), starts_at=NOW + 3 * HOUR),
    )
    node = only(site(grid(calendar=entries)))

    assert [most_a(node, interval)[0] for interval in range(5)] == [63.0, 32.0, 63.0, 63.0, 63.0]
    assert "grid connection by its calendar: 32 A" in reasons(node)


def test_an_interval_that_a_calendar_touches_is_bounded_by_it():
    entry = CalendarEntry(Capacity(phase_a=32.0), starts_at=NOW + timedelta(minutes=59), ends_at=NOW + 61 * MINUTE)
    node = only(site(grid(calendar=(entry,))))

    assert [most_a(node, interval)[0] for interval in range(3)] == [32.0, 32.0, 63.0]


def test_a_calendar_goes_over_midnight_in_the_time_of_the_site():
    """From Friday 22:00 to Saturday 06:00 in Amsterdam: 20:00 to 04:00 in UTC."""
    entry = CalendarEntry(Capacity(phase_a=32.0), weekdays=(4,), from_time=time(22), to_time=time(6))
    node = only(site(grid(calendar=(entry,)), time_zone="Europe/Amsterdam"))

    assert [NOW.hour + n for n in range(24) if most_a(node, n)[0] == 32.0] == list(range(20, 28))


def test_a_calendar_that_began_yesterday_still_holds_after_midnight():
    entry = CalendarEntry(Capacity(phase_a=32.0), weekdays=(4,), from_time=time(22), to_time=time(6))
    night = datetime(2026, 5, 2, 1, tzinfo=UTC)
    node = only(site(grid(calendar=(entry,))), now=night, horizon=Horizon(night, (3600.0,) * 8))

    assert [most_a(node, n)[0] for n in range(8)] == [32.0] * 5 + [63.0] * 3


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), [24, 25]),  # 01:00 to 04:00, one hour is left out
        (datetime(2026, 10, 24, 12, tzinfo=UTC), [23, 24, 25, 26]),  # and here one comes twice
    ],
)
def test_a_calendar_follows_daylight_saving_time(day, hours):
    entry = CalendarEntry(Capacity(phase_a=32.0), from_time=time(1), to_time=time(4))
    node = only(
        site(grid(calendar=(entry,)), time_zone="Europe/Amsterdam"), now=day, horizon=Horizon(day, (3600.0,) * 16)
    )

    assert [day.hour + n for n in range(16) if most_a(node, n)[0] == 32.0] == hours


def test_the_lowest_limit_of_others_wins_and_none_raises_what_a_node_carries():
    limits = [
        limit(Capacity(phase_a=40.0), "EMS"),
        limit(Capacity(phase_a=80.0), "B"),
        limit(Capacity(phase_a=30.0), "C"),
    ]
    node = only(site(grid()), limits)

    assert most_a(node) == (30.0, 30.0, 30.0)
    assert "limit of C on grid connection: 30 A" in reasons(node)


def test_a_limit_without_a_place_stands_at_the_grid_connection():
    nodes = at(site(grid(), Node("b", "grid")), [limit(Capacity(total_w=4200.0), CURTAILMENT)])

    assert (most_va(nodes["grid"]), most_va(nodes["b"])) == (4200.0, math.inf)
    assert "grid operator's curtailment: 4,200 W" in reasons(nodes["grid"])


def test_other_loads_are_taken_off_a_limit_unless_it_is_for_charging_only():
    meters = Meters({"grid": Reading((10.0, 10.0, 10.0), NOW)})
    described = site(grid(meter=METER))

    assert most_a(only(described, [limit(Capacity(phase_a=32.0))], meters)) == (22.0, 22.0, 22.0)
    assert most_a(only(described, [limit(Capacity(phase_a=32.0), covers="charging")], meters)) == (32.0, 32.0, 32.0)


def test_a_floor_is_left_of_a_limit_whatever_else_draws_there_and_never_of_what_a_node_carries():
    meters = Meters({"grid": Reading((60.0, 0.0, 0.0), NOW)})
    floored = limit(Capacity(phase_a=32.0), floor=Capacity(phase_a=6.0))

    by_limit = only(site(grid(None, meter=METER)), [floored], meters)
    assert most_a(by_limit) == (6.0, 32.0, 32.0)
    assert reasons(by_limit) == ["limit of EMS on grid connection: 32 A - 60/0/0 A other loads, at least 6 A"]
    assert most_a(only(site(grid(meter=METER)), [floored], meters)) == (3.0, 32.0, 32.0)


def test_a_limit_holds_in_its_life():
    timed = KnownLimit(
        "S",
        "EMS",
        "1",
        NOW,
        periods=(
            Period(Capacity(phase_a=10.0), NOW + HOUR, NOW + 2 * HOUR),
            Period(Capacity(phase_a=20.0), NOW + 2 * HOUR, NOW + 3 * HOUR),
        ),
    )
    assert [most_a(only(site(grid()), [timed]), n)[0] for n in range(4)] == [63.0, 10.0, 20.0, 63.0]


def test_the_fallback_holds_as_soon_as_a_source_is_silent_and_until_it_speaks_again():
    renewed = limit(Capacity(phase_a=32.0), renewed_every_s=60.0, fallback=Capacity(phase_a=8.0))
    ended = msgspec.structs.replace(renewed, periods=(Period(Capacity(phase_a=32.0), None, NOW + MINUTE),))
    late = NOW + timedelta(seconds=61)

    assert most_a(only(site(grid()), [renewed], now=NOW + MINUTE)) == (32.0,) * 3
    for each in (renewed, ended):  # a fallback outlives what it stands for
        node = only(site(grid()), [each], now=late, horizon=Horizon(late, (60.0,) * 5))
        assert most_a(node, 0) == most_a(node, 4) == (8.0,) * 3
        assert "fallback on grid connection, as EMS is silent: 8 A" in reasons(node)
        assert silent([each], late) == [each]
        assert silent([each], NOW) == []


def test_without_a_fallback_what_a_silent_source_said_last_stays():
    renewed = limit(Capacity(phase_a=32.0), renewed_every_s=60.0)
    assert most_a(only(site(grid()), [renewed], now=NOW + HOUR)) == (32.0,) * 3


def test_a_limited_station_and_a_limited_evse_become_nodes_under_which_vehicles_are_planned():
    evses = (Evse("CS-1", 1, "b"), Evse("CS-1", 2, "b"), Evse("CS-2", 1, "b"))
    described = site(grid(), Node("b", "grid"), evses=evses)
    limits = [
        limit(Capacity(phase_a=20.0), station_id="CS-1"),
        limit(Capacity(total_w=3000.0), station_id="CS-1", evse_id=2),
        limit(Capacity(phase_a=1.0), station_id="CS-9"),
        limit(Capacity(phase_a=1.0), node_id="attic"),
    ]
    nodes = bounded(described, limits, other_loads(described, Meters(), NOW, HOURS), NOW, HOURS)
    place = hanging(described, nodes)

    assert len(nodes) == 4
    first, second = nodes[place["CS-1", 1]], nodes[place["CS-1", 2]]
    assert (nodes[first.parent].node_id, nodes[second.parent]) == ("b", first)
    assert (most_a(first), most_va(second)) == ((20.0,) * 3, 3000.0)
    assert reasons(second) == ["limit of EMS on EVSE 2 of CS-1: 3,000 W"]
    assert nodes[place["CS-2", 1]].node_id == "b"
    assert all(node.parent is None or node.parent < number for number, node in enumerate(nodes))


def test_a_limit_of_a_station_under_two_nodes_is_shared_between_them():
    described = site(grid(), Node("b", "grid"), evses=(Evse("CS-1", 1, "b"), Evse("CS-1", 2, "grid")))
    nodes = bounded(
        described,
        [limit(Capacity(phase_a=20.0), station_id="CS-1")],
        other_loads(described, Meters(), NOW, HOURS),
        NOW,
        HOURS,
    )

    assert [most_a(nodes[place])[0] for place in hanging(described, nodes).values()] == [10.0, 10.0]


def test_what_is_only_shown_bounds_nothing():
    assert most_a(only(site(grid()), [limit(Capacity(phase_a=6.0), counts=False)])) == (63.0,) * 3


AMPERES = st.floats(0, 100)
PER_PHASE = st.tuples(AMPERES, AMPERES, AMPERES)
CAPACITIES = st.builds(
    Capacity, st.none() | AMPERES, st.none() | st.floats(0, 50_000), st.none() | st.floats(0, 50_000)
)
SPANS = st.tuples(st.integers(-3, 30), st.integers(1, 10)).map(
    lambda span: (NOW + span[0] * HOUR, NOW + (span[0] + span[1]) * HOUR)
)
ENTRIES = st.builds(lambda capacity, span: CalendarEntry(capacity, *span), CAPACITIES, SPANS)
METERS = st.none() | st.builds(LoadMeter, PER_PHASE, covers=st.sampled_from(["other loads", "everything"]))


@st.composite
def sites(draw) -> Site:
    count = draw(st.integers(1, 4))
    nodes = [
        Node(
            f"n{number}",
            f"n{draw(st.integers(0, number - 1))}" if number else None,
            capacity=draw(CAPACITIES),
            margin=draw(st.sampled_from([0.0, 0.1])),
            calendar=tuple(draw(st.lists(ENTRIES, max_size=2))),
            meter=draw(METERS),
        )
        for number in range(count)
    ]
    return site(*nodes, evses=[Evse("CS-1", 1, f"n{count - 1}")])


@st.composite
def limits(draw) -> KnownLimit:
    periods = tuple(Period(draw(CAPACITIES), *draw(SPANS)) for _ in range(draw(st.integers(1, 2))))
    place = draw(st.sampled_from([{}, {"node_id": "n0"}, {"station_id": "CS-1"}, {"station_id": "CS-1", "evse_id": 1}]))
    told_at = NOW - draw(st.integers(0, 10)) * MINUTE
    return KnownLimit(
        "S",
        "EMS",
        "1",
        told_at,
        periods=periods,
        floor=draw(CAPACITIES),
        renewed_every_s=draw(st.none() | st.just(300.0)),
        fallback=draw(CAPACITIES),
        covers=draw(st.sampled_from(["everything", "charging"])),
        **place,
    )


READINGS = st.dictionaries(
    st.sampled_from(["n0", "n1", "n2", "n3"]),
    st.builds(Reading, PER_PHASE, st.sampled_from([NOW, NOW - HOUR]), st.just(None)),
)


@given(sites(), st.lists(limits(), max_size=3), READINGS, PER_PHASE)
def test_no_bound_is_above_any_of_its_parts(described, told, readings, drawn):
    nodes = bounded(
        described,
        told,
        other_loads(described, Meters(readings, {("CS-1", 1): drawn}), NOW, SOME_HOURS),
        NOW,
        SOME_HOURS,
    )
    by_id = {node.node_id: node for node in nodes}
    for node in described.nodes:
        parts = [(node.capacity, NOW, NOW + 100 * HOUR)]
        parts += [(entry.capacity, entry.starts_at, entry.ends_at) for entry in node.calendar]
        for each in told:
            stands_here = each.node_id == node.node_id or (
                node.parent_id is None and not each.node_id + each.station_id
            )
            for period in each.holds(NOW) if stands_here else ():
                parts.append((period.capacity, period.valid_from or NOW, period.valid_until or NOW + 100 * HOUR))
        for interval in range(len(SOME_HOURS.lengths_s)):
            begin = NOW + interval * HOUR
            for capacity, starts_at, ends_at in parts:
                if starts_at < begin + HOUR and begin < ends_at:
                    held_to(capacity, by_id[node.node_id], interval)


def held_to(capacity: Capacity, node, interval: int) -> None:
    if capacity.phase_a is not None:
        assert max(most_a(node, interval)) <= capacity.phase_a
    for total in (capacity.total_w, capacity.total_va):
        assert total is None or most_va(node, interval) <= total


@given(sites(), READINGS, PER_PHASE)
def test_more_of_other_loads_never_leaves_more(described, readings, more):
    raised = {
        node_id: Reading(tuple(a + b for a, b in zip(reading.phase_a, more, strict=True)), reading.at)
        for node_id, reading in readings.items()
    }
    fewer, greater = at(described, meters=Meters(readings)), at(described, meters=Meters(raised))
    for node_id, node in fewer.items():
        assert all(a >= b for a, b in zip(most_a(node), most_a(greater[node_id]), strict=True))
        assert most_va(node) >= most_va(greater[node_id])


@given(sites(), st.lists(limits(), max_size=3))
def test_every_evse_is_planned_under_its_node_or_below_it(described, told):
    nodes = bounded(described, told, other_loads(described, Meters(), NOW, SOME_HOURS), NOW, SOME_HOURS)
    for evse in described.evses:
        node = nodes[hanging(described, nodes)[evse.key]]
        while node.node_id != evse.node_id:
            node = nodes[node.parent]

"""Whether a site's parts fit together, and what its operator should look at."""

from datetime import UTC, datetime, time

import pytest
from chargebus_smart_charging.sites.domain.checks import findings, objections
from chargebus_smart_charging.sites.domain.site import (
    CalendarEntry,
    Capacity,
    Evse,
    LoadMeter,
    Node,
    Policy,
    Site,
)
from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.sites.domain.tree import downwards
from hypothesis import given
from hypothesis import strategies as st

ROOT = Node("grid", None, "grid connection", Capacity(phase_a=63.0))
PANEL = Node("b", "grid", "panel B", Capacity(phase_a=32.0))
EVSE = Evse("CS-1", 1, "b", voltage_v=230.0, phases=(1, 2, 3), max_a=32.0)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def site(*nodes: Node, evses=(EVSE,), **more) -> Site:
    return Site("S", "", nodes or (ROOT, PANEL), tuple(evses), **more)


def refused(described: Site) -> list[tuple[str, str]]:
    return [(each.where, each.what) for each in objections(described)]


def test_a_tree_with_its_evses_is_taken():
    assert objections(site()) == []


def test_nodes_that_hang_under_each_other_are_refused_once_and_named():
    nodes = (ROOT, Node("b", "d", "panel B"), Node("c", "b", "panel C"), Node("d", "c", "panel D"))

    (cycle,) = refused(site(*nodes))
    assert cycle[0] == "nodes.1.parent_id"
    assert "panel B < panel D < panel C < panel B" in cycle[1]


def test_a_node_under_itself_is_a_circle():
    ((where, what),) = refused(site(ROOT, PANEL, Node("x", "x")))
    assert (where, "x < x" in what) == ("nodes.2.parent_id", True)


def test_a_site_has_one_grid_connection():
    ((_, none),) = [each for each in refused(site(Node("b", "c"), Node("c", "b"))) if each[0] == "nodes"]
    ((where, two),) = refused(site(ROOT, PANEL, Node("x", None)))

    assert "every node has a parent" in none
    assert (where, "grid connection and x have no parent" in two) == ("nodes", True)


def test_a_parent_that_is_no_node_is_refused():
    ((where, what),) = refused(site(ROOT, PANEL, Node("x", "attic")))
    assert (where, what) == ("nodes.2.parent_id", "x is to hang under attic, no node")


def test_ids_of_nodes_are_told_apart():
    assert {where for where, _ in refused(site(ROOT, PANEL, Node("b", "grid")))} == {
        "nodes.1.node_id",
        "nodes.2.node_id",
    }


def test_an_evse_hangs_under_one_node_that_there_is():
    twice = site(evses=(EVSE, Evse("CS-1", 1, "grid")))
    nowhere = site(evses=(Evse("CS-1", 1, "attic"),))

    assert refused(twice) == [("evses.1.evse_id", "EVSE 1 of CS-1 hangs under b and under grid")]
    assert refused(nowhere) == [("evses.0.node_id", "EVSE 1 of CS-1 is to hang under attic, no node")]


@pytest.mark.parametrize(
    ("evse", "where"),
    [
        (Evse("CS-1", 1, "b", phases=(1, 1)), "phases"),
        (Evse("CS-1", 1, "b", min_a=16.0, max_a=10.0), "min_a"),
        (Evse("CS-1", 1, "b", step_a=16.0, max_a=10.0), "step_a"),
    ],
)
def test_what_an_evse_cannot_be_is_refused(evse, where):
    assert [place for place, _ in refused(site(evses=(evse,)))] == [f"evses.0.{where}"]


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        (CalendarEntry(Capacity(phase_a=10.0), NOON, datetime(2026, 5, 1, 11, tzinfo=UTC)), ".ends_at"),
        (CalendarEntry(Capacity(), NOON), ".capacity"),
        (CalendarEntry(Capacity(phase_a=10.0)), ""),
        (CalendarEntry(Capacity(phase_a=10.0), weekdays=(0, 0)), ".weekdays"),
        (CalendarEntry(Capacity(phase_a=10.0), weekdays=(0,), from_time=time(8), to_time=time(8)), ".to_time"),
    ],
)
def test_calendar_entries_that_contradict_themselves_are_refused(entry, where):
    node = Node("grid", None, calendar=(entry,))
    assert [place for place, _ in refused(site(node, PANEL))] == [f"nodes.0.calendar.0{where}"]


@pytest.mark.parametrize("name", ["Europe/Atlantis", "Europe", "../etc/passwd", ""])
def test_a_time_zone_that_nobody_knows_is_refused(name):
    assert [place for place, _ in refused(site(time_zone=name))] == ["time_zone"]


def test_one_main_meter_stands_at_one_node():
    meter = LoadMeter((1.0, 1.0, 1.0), station_id="CS-9")
    nodes = (Node("grid", None, meter=meter), Node("b", "grid", meter=meter))

    assert [place for place, _ in refused(site(*nodes))] == ["nodes.1.meter.station_id"]


def test_a_profile_that_cannot_be_renewed_in_time_is_refused():
    policy = Policy(interval_s=60.0, profile_life_s=90.0)
    assert [place for place, _ in refused(site(policy=policy))] == ["policy.profile_life_s"]


def test_a_child_that_may_carry_more_than_its_parent_is_shown_and_not_refused():
    large = site(ROOT, Node("b", "grid", "panel B", Capacity(phase_a=80.0)))

    assert objections(large) == []
    (found,) = findings(large, {})
    assert (found.kind, found.where) == ("contradictory", "nodes.1.capacity.phase_a")
    assert found.what == "panel B may carry 80 A, and grid connection above it only 63 A"


def test_what_neither_operator_nor_station_told_is_missing():
    bare = site(evses=(Evse("CS-1", 1, "b"),))

    assert [each.where for each in findings(bare, {})] == ["evses.0.voltage_v", "evses.0.phases", "evses.0.max_a"]
    told = findings(bare, {("CS-1", 1): Told(230.0, 3, 32.0)})
    assert [(each.kind, each.where) for each in told] == [("missing", "evses.0.phases")]  # their order stays unknown


def test_an_operator_and_a_station_that_say_different_things_are_shown():
    found = findings(site(), {("CS-1", 1): Told(120.0, 1, 16.0)})

    assert {(each.kind, each.where) for each in found} == {
        ("contradictory", "evses.0.voltage_v"),
        ("contradictory", "evses.0.phases"),
        ("contradictory", "evses.0.max_a"),
    }


def test_defaults_that_do_not_fit_the_grid_connection_together_are_shown():
    evses = [Evse(f"CS-{number}", 1, "b", voltage_v=230.0, phases=(1, 2, 3), max_a=32.0) for number in range(11)]
    (found,) = findings(site(evses=evses, policy=Policy(default_a=6.0)), {})

    assert (found.where, "66 A together" in found.what) == ("policy.default_a", True)


def test_oddities_of_ac_and_dc_are_shown():
    direct = Evse("CS-1", 1, "b", current="DC", voltage_v=900.0, phases=(1,), max_a=200.0)
    alternating = Evse("CS-2", 1, "b", voltage_v=230.0, phases=(1,), min_a=1.0, max_a=32.0)

    found = {each.where for each in findings(site(evses=(direct, alternating)), {})}
    assert found == {"evses.0.voltage_v", "evses.0.phases", "evses.1.min_a"}


@given(st.lists(st.integers(0, 10), max_size=12))
def test_every_node_of_a_tree_stands_after_its_parent(choices):
    nodes = [Node("0", None)]
    for number, choice in enumerate(choices, 1):
        nodes.append(Node(str(number), str(choice % number)))
    ordered = [node.node_id for node in downwards(nodes[::-1])]

    assert sorted(ordered) == sorted(node.node_id for node in nodes)
    assert all(ordered.index(node.parent_id) < ordered.index(node.node_id) for node in nodes if node.parent_id)

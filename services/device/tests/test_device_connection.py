"""Presence in log order, and the life of edges."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_device.connections.domain import Connection, Edge, follow, lives
from chargebus_events.presence import Presence
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
EDGES = {0: Edge(5, alive=True), 1: Edge(6, alive=True)}
NOBODY = Connection("CS-1")


def opened(epoch=None, slot=0, edge_epoch=5, at=NOW):
    return Presence("CS-1", True, slot, edge_epoch, at, epoch=epoch, version="1.6")


def ended(epoch, slot=0, edge_epoch=5, at=NOW):
    return Presence("CS-1", False, slot, edge_epoch, at, epoch=epoch)


def test_an_announced_connection_has_the_records_offset_as_its_epoch():
    after, events = follow(NOBODY, opened(), opened().epoch_at(40), EDGES)

    assert (after.connected, after.epoch, after.slot, after.version) == (True, 40, 0, "1.6")
    assert [(event.connected, event.epoch) for event in events] == [(True, 40)]


def test_the_end_of_the_current_connection_ends_it():
    connected, _ = follow(NOBODY, opened(), 40, EDGES)

    after, events = follow(connected, ended(40), 40, EDGES)

    assert (after.present, after.connected) == (False, False)
    assert [(event.connected, event.epoch) for event in events] == [(False, 40)]


def test_the_late_end_of_an_old_connection_does_not_evict_the_new_one():
    old, _ = follow(NOBODY, opened(), 40, EDGES)
    new, _ = follow(old, opened(slot=1, edge_epoch=6), 41, EDGES)

    after, events = follow(new, ended(40), 40, EDGES)

    assert after == new
    assert after.connected
    assert events == []


def test_a_new_connection_ends_the_old_one_that_never_said_so():
    old, _ = follow(NOBODY, opened(), 40, EDGES)

    after, events = follow(old, opened(slot=1, edge_epoch=6), 41, EDGES)

    assert (after.epoch, after.slot) == (41, 1)
    assert [(event.connected, event.epoch) for event in events] == [(False, 40), (True, 41)]


def test_an_older_connection_that_asserts_itself_again_changes_nothing():
    new, _ = follow(NOBODY, opened(slot=1, edge_epoch=6), 41, EDGES)

    assert follow(new, opened(epoch=40), 40, EDGES) == (new, [])


def test_a_connection_that_asserts_itself_again_is_no_event():
    connected, _ = follow(NOBODY, opened(), 40, EDGES)

    after, events = follow(connected, opened(epoch=40, at=NOW + timedelta(hours=1)), 40, EDGES)

    assert events == []
    assert after == connected


def test_an_end_without_a_known_connection_changes_nothing():
    assert follow(NOBODY, ended(40), 40, EDGES) == (NOBODY, [])


def test_presence_made_by_a_dead_edge_is_kept_but_is_no_connection():
    after, events = follow(NOBODY, opened(edge_epoch=5), 40, {0: Edge(5, alive=False)})

    assert (after.present, after.connected) == (True, False)
    assert events == []


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({}, True),
        ({0: Edge(5, alive=True)}, True),
        ({0: Edge(5, alive=False)}, False),
        ({0: Edge(9, alive=True)}, False),
        ({0: Edge(4, alive=False)}, True),
    ],
    ids=["not heard of", "alive", "dead", "followed by another on its slot", "newer than what is known"],
)
def test_an_edge_lives_while_it_is_the_newest_on_its_slot_and_alive(edges, expected):
    assert lives(edges, slot=0, edge_epoch=5) is expected


logs = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=30)


@given(logs)
def test_the_newest_epoch_ever_announced_decides_and_events_tell_the_same_story(log):
    state, told = NOBODY, {}
    highest = -1
    for is_open, epoch in log:
        state, events = follow(state, opened(epoch) if is_open else ended(epoch), epoch, EDGES)
        highest = max(highest, epoch) if is_open else highest
        for event in events:
            assert told.get(event.epoch, False) is not event.connected
            told[event.epoch] = event.connected

    assert state.epoch == highest
    assert [epoch for epoch, connected in told.items() if connected] == ([state.epoch] if state.connected else [])

"""A destination that cannot be written to keeps its order, and nobody else's records."""

from chargebus_runtime.backlog import BEHIND, Backlog
from chargebus_runtime.producer import Destination

A0, A1, B = Destination("a", 0), Destination("a", 1), Destination("b")


def test_whatever_comes_for_a_destination_waits_behind_what_waits_there():
    backlog = Backlog()
    assert not backlog
    backlog.defer(A0, 5, "no leader")
    backlog.defer(B, 6, "unknown")
    assert backlog
    assert backlog.objection("a", 0) == BEHIND
    assert backlog.objection("a", 1) == ""
    assert backlog.objection("a", None) == BEHIND  # its partition may be the one
    assert backlog.objection("b", 3) == BEHIND
    assert backlog.objection("c", 0) == ""
    assert backlog.unknown() == {"b"}


def test_the_rows_to_look_through_are_those_of_destinations_that_may_be_tried():
    backlog = Backlog()
    backlog.defer(A0, 5, "no leader")
    backlog.defer(A0, 90, BEHIND)
    backlog.defer(A1, 30, "no leader")
    assert backlog.begin(but_not=()) == (5, 90)
    assert backlog.begin(but_not={A0}) == (30, 30)
    assert backlog.begin(but_not={A0, A1}) is None
    assert backlog.reasons() == ["a[0]: no leader", "a[1]: no leader"]


def test_a_destination_is_free_once_all_its_rows_were_passed():
    backlog = Backlog()
    backlog.defer(A0, 5, "no leader")
    backlog.defer(A0, 90, BEHIND)
    backlog.defer(A1, 30, "forbidden")
    assert backlog.begin(but_not={A1}) == (5, 90)
    backlog.passed(5, 50, but_not={A1})
    assert backlog.begin(but_not={A1}) == (51, 90)
    assert backlog.objection("a", 1) == BEHIND
    backlog.defer(A0, 7, "late")  # a row with a smaller id that came later is not passed by this
    backlog.passed(51, 90, but_not={A1})
    assert backlog.begin(but_not=()) == (7, 90)
    backlog.passed(7, 90, but_not=())
    assert not backlog
    assert backlog.objection("a", 0) == ""


def test_a_row_that_was_deferred_while_the_rows_were_looked_through_is_not_passed():
    backlog = Backlog()
    backlog.defer(A0, 5, "Kafka is away")
    backlog.defer(A0, 9, BEHIND)
    assert backlog.begin(but_not=()) == (5, 9)
    backlog.defer(A0, 7, "its client was replaced")
    backlog.defer(B, 8, "unknown")
    backlog.passed(5, 9, but_not=())
    assert backlog.objection("a", 0) == BEHIND
    assert backlog.begin(but_not=()) == (7, 9)
    backlog.passed(7, 9, but_not=())
    assert not backlog


def test_the_rows_of_a_backlog_are_known():
    backlog = Backlog()
    backlog.defer(A0, 5, "no leader")
    backlog.defer(A0, 9, BEHIND)
    assert [backlog.holds(row) for row in (4, 5, 7, 9, 10)] == [False, True, True, True, False]

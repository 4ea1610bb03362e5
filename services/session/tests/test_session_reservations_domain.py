"""What becomes of reservations, and how many a station has room for: plain values."""

from datetime import datetime, timedelta

import msgspec
import pytest
from chargebus_ocppj.schemas import validate_call
from chargebus_session.reservations.domain.reservation import (
    OPEN,
    Begun,
    Reservation,
    Told,
    answered,
    asking,
    booted,
    next_step,
    over,
    unwanted,
    updated,
    used,
)
from chargebus_session.reservations.domain.room import Place, check_place, check_room
from chargebus_session.reservations.errors import NoSuchPlaceError, ReservedError
from chargebus_session.reservations.routes import cancel_forms, reserve_forms
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime.fromisoformat("2025-06-01T12:00:00Z")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NEW = Reservation(7, "CS1", 1, "", "GOOD", "", "good", "FAMILY", NOON + HOUR, NOON, NOON)
ASKED = asking(NEW, "reserve", "c1")


def told(outcome="answered", status="", **more):
    return Told(outcome, NOON, status, **more)


def held(**more):
    return msgspec.structs.replace(answered(ASKED, told(status="Accepted"), NOON), **more)


def begun(evse_id=1, token_key="good", group_id="FAMILY", at=NOON, **more):
    return Begun("CS1", "s1", evse_id, at, token_key, group_id, **more)


def test_H01_an_accepted_one_is_reserved_until_its_end():
    reserved = held()
    assert (reserved.state, reserved.question, reserved.due_at) == ("reserved", "", NOON + HOUR)
    assert next_step(reserved, NOON + 59 * MINUTE) == "wait"
    assert next_step(reserved, NOON + HOUR) == "expire"


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Rejected", "Unavailable"])
def test_H01_a_refusal_is_shown_with_the_stations_word(word):
    refused = answered(ASKED, told(status=word, why="Busy: later"), NOON)
    assert (refused.state, refused.reason, refused.detail, refused.due_at) == ("refused", word, "Busy: later", None)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (told("undeliverable", why="it is not connected"), "undeliverable"),
        (told("expired"), "expired"),
        (told("refused", error_code="NotImplemented"), "NotImplemented"),
    ],
)
def test_one_that_its_station_never_took_is_refused(outcome, reason):
    refused = answered(ASKED, outcome, NOON)
    assert (refused.state, refused.reason) == ("refused", reason)


@pytest.mark.parametrize("outcome", [told("timed_out"), told(status="Accepted", broken=True), told()])
def test_without_a_readable_answer_nobody_knows_and_it_is_asked_again(outcome):
    unknown = answered(ASKED, outcome, NOON)
    assert (unknown.state, unknown.question) == ("unknown", "")
    assert NOON < unknown.due_at < NOON + HOUR
    assert next_step(unknown, unknown.due_at) == "reserve"


def test_a_station_that_never_answers_is_asked_to_cancel_so_that_no_phantom_stays():
    reservation, steps = ASKED, []
    while reservation.is_open and len(steps) < 9:
        reservation = answered(reservation, told("timed_out"), NOON)
        steps.append(next_step(reservation, NOON))
        if steps[-1] == "cancel":
            asked = asking(reservation, "cancel", "c9")
            reservation = answered(asked, told(status="Rejected"), NOON)
        else:
            reservation = asking(reservation, "reserve", "c")
    assert steps == ["reserve"] * 4 + ["cancel"]
    assert (reservation.state, reservation.reason) == ("cancelled", "no_answer")


def test_a_reservation_that_is_known_to_nobody_expires_all_the_same():
    unknown = answered(msgspec.structs.replace(ASKED, attempts=40), told("timed_out"), NOON)
    assert unknown.due_at == NOON + 960 * timedelta(seconds=1)
    assert next_step(unknown, NOON + HOUR) == "expire"


def test_H02_a_cancelled_one_is_over_whether_the_station_knew_it_or_not():
    asked = asking(unwanted(held(), "operator", NOON), "cancel", "c2")
    accepted, rejected = (answered(asked, told(status=word), NOON) for word in ("Accepted", "Rejected"))
    assert [(each.state, each.reason) for each in (accepted, rejected)] == [("cancelled", "operator")] * 2
    assert (accepted.detail, "no such reservation" in rejected.detail) == ("", True)
    silent = answered(asked, told("timed_out"), NOON)
    assert (silent.state, next_step(silent, NOON)) == ("unknown", "cancel")


def test_one_that_is_cancelled_while_its_station_is_asked_is_cancelled_once_that_answers():
    unwished = unwanted(ASKED, "operator", NOON)
    assert (unwished.question, unwished.due_at, next_step(unwished, NOON)) == ("reserve", NOON + HOUR, "wait")
    yes = answered(unwished, told(status="Accepted"), NOON)
    assert (yes.due_at, next_step(yes, NOON)) == (NOON, "cancel")
    assert answered(unwished, told(status="Occupied"), NOON).state == "cancelled"
    assert answered(unwished, told("undeliverable"), NOON).state == "cancelled"


def test_a_station_that_booted_is_told_it_anew():
    forgotten = booted(held(), NOON + MINUTE, NOON + MINUTE)
    assert (forgotten.state, forgotten.reason, next_step(forgotten, NOON + MINUTE)) == ("unknown", "boot", "reserve")
    again = answered(asking(forgotten, "reserve", "c3"), told(status="Accepted"), NOON + MINUTE)
    assert (again.state, again.set_anew) == ("reserved", 1)
    refused = answered(asking(forgotten, "reserve", "c3"), told(status="Occupied"), NOON + MINUTE)
    assert (refused.state, refused.reason) == ("removed", "Occupied")
    away = answered(asking(forgotten, "reserve", "c3"), told("undeliverable"), NOON + MINUTE)
    assert (away.state, next_step(away, away.due_at)) == ("unknown", "reserve")


def test_a_boot_from_before_the_station_said_yes_changes_nothing():
    assert booted(held(), NOON - MINUTE, NOON) == held()
    assert booted(ASKED, NOON + MINUTE, NOON) == ASKED


@pytest.mark.parametrize(
    ("word", "state"), [("Expired", "expired"), ("Removed", "removed"), ("NoTransaction", "removed")]
)
def test_H04_a_station_tells_the_end_by_itself(word, state):
    ended = updated(held(), word, NOON)
    assert (ended.state, ended.reason) == (state, word)
    assert updated(ended, "Removed", NOON + MINUTE) == ended


@pytest.mark.parametrize(
    ("what", "by"),
    [
        (begun(), "id_token"),
        (begun(token_key="other"), "group_id"),
        (begun(token_key="other", group_id="", reservation_id=7), "reservation_id"),
        (begun(evse_id=2, token_key="", group_id="", reservation_id=7), "reservation_id"),
    ],
)
def test_H03_a_transaction_of_whom_it_is_for_uses_it(what, by):
    ended = used(held(), what, NOON)
    assert (ended.state, ended.reason, ended.session_id) == ("used", by, "s1")


@pytest.mark.parametrize(
    "what",
    [
        begun(evse_id=2),
        begun(token_key="other", group_id="OTHERS"),
        begun(token_key="other", group_id=""),
        begun(reservation_id=8),
        begun(at=NOON - HOUR),
        begun(token_key="", group_id=""),
        msgspec.structs.replace(begun(reservation_id=7), station_id="CS2"),
    ],
)
def test_H03_any_other_transaction_leaves_it(what):
    assert used(held(), what, NOON) == held()


def test_one_for_a_token_alone_is_not_for_its_group():
    alone = held(group_id="")
    assert used(alone, begun(token_key="other"), NOON) == alone
    assert used(alone, begun(token_key="other", group_id=""), NOON) == alone


def test_a_late_event_that_names_it_uses_it_though_it_was_taken_for_over():
    ended = over(held(), "expired", NOON, "time")
    assert used(ended, begun(reservation_id=7), NOON).state == "used"
    assert used(ended, begun(), NOON) == ended


def test_what_comes_of_asking_changes_nothing_that_is_over():
    ended = updated(ASKED, "Removed", NOON)
    assert answered(ended, told(status="Accepted"), NOON) == ended


EVSES = {1: frozenset({"ccs2"}), 2: frozenset({"ctype2"}), 3: frozenset()}


def running(*places):
    return [msgspec.structs.replace(held(), reservation_id=n, evse_id=e, connector_type=t)
            for n, (e, t) in enumerate(places, 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("there", "place"),
    [
        ([], (1, "")),
        ([(2, "")], (1, "")),
        ([(0, "")], (1, "")),
        ([(0, ""), (0, "")], (0, "")),
        ([(0, "CCS2")], (0, "cType2")),
        ([(0, ""), (0, "cType2")], (0, "CCS2")),
        ([(2, ""), (0, "CCS2")], (3, "cType2")),
    ],
)
def test_a_station_with_room_takes_one_more(there, place):
    check_place(Place(*place), EVSES)
    check_room(Place(*place), running(*there), EVSES)


@pytest.mark.parametrize(
    ("there", "place"),
    [
        ([(1, "")], (1, "")),
        ([(0, ""), (0, ""), (0, "")], (0, "")),
        ([(0, ""), (0, ""), (2, "")], (1, "")),
        ([(0, "CCS2"), (0, "CCS2")], (0, "CCS2")),
        ([(1, ""), (3, "")], (0, "CCS2")),
        ([(0, "cType2"), (0, "cType2")], (2, "")),
    ],
)
def test_never_two_on_one_evse_and_never_more_than_there_are(there, place):
    with pytest.raises(ReservedError):
        check_room(Place(*place), running(*there), EVSES)


def test_where_nothing_is_known_the_station_decides_but_for_the_same_evse():
    check_place(Place(9, "cCCS2"), {})
    check_room(Place(0, ""), running((0, ""), (5, "")), {})
    with pytest.raises(ReservedError, match="EVSE 5 is reserved until 2025-06-01T13:00:00Z"):
        check_room(Place(5, ""), running((5, "")), {})


@pytest.mark.parametrize(
    ("place", "said"), [((4, ""), "no EVSE 4"), ((1, "cType2"), "EVSE 1 has no connector of type cType2")]
)
def test_what_a_station_does_not_have_is_refused_with_what_it_has(place, said):
    with pytest.raises(NoSuchPlaceError, match=said):
        check_place(Place(*place), EVSES)
    with pytest.raises(NoSuchPlaceError, match="the station has no connector of type cMCS"):
        check_place(Place(0, "cMCS"), {1: frozenset({"ccs2"})})


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(1, 4))
def test_no_more_are_taken_than_there_are_evses(wanted, count):
    evses = {number: frozenset() for number in range(1, count + 1)}
    taken = []
    for evse_id in wanted:
        try:
            check_place(Place(evse_id, ""), evses)
            check_room(Place(evse_id, ""), running(*taken), evses)
        except (ReservedError, NoSuchPlaceError):
            continue
        taken.append((evse_id, ""))
    fixed = [evse_id for evse_id, _ in taken if evse_id]
    assert len(taken) <= count
    assert len(fixed) == len(set(fixed))


@pytest.mark.parametrize(
    ("change", "versions"),
    [
        ({}, {"1.6", "2.0.1", "2.1"}),
        ({"evse_id": 0}, {"1.6", "2.0.1", "2.1"}),
        ({"evse_id": 0, "connector_type": "cCCS2"}, {"2.0.1", "2.1"}),
        ({"group_id": "G" * 21}, {"2.0.1", "2.1"}),
        ({"id_token": "T" * 37}, {"2.1"}),
    ],
)
def test_each_version_is_asked_in_its_words_and_none_that_has_no_words_for_it(change, versions):
    reservation = msgspec.structs.replace(NEW, **change)
    forms = reserve_forms(reservation)
    assert {version for form in forms for version in form.versions} == versions
    for form in (*forms, *cancel_forms(reservation)):
        for version in form.versions:
            validate_call(version, form.action, bytes(form.payload))


def test_all_open_states_take_room():
    assert {"asked", "reserved", "unknown"} == set(OPEN)

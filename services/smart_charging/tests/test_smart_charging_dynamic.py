"""Limits told by dynamic profiles (OCPP 2.1): updated by us, or asked for by the station, and counted all the while."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_ocppj.schemas import encode_result
from chargebus_smart_charging.sites.domain.site import Evse
from chargebus_smart_charging.steering import routes, v21
from chargebus_smart_charging.steering.domain import steered as steering
from chargebus_smart_charging.steering.domain.habits import Habits
from chargebus_smart_charging.steering.domain.profiles import profile_id
from chargebus_smart_charging.steering.domain.pulls import Pull, answer_to
from chargebus_smart_charging.steering.domain.stations import Station, folded
from chargebus_smart_charging.steering.domain.steered import Steerable, Steered, counted_a
from chargebus_smart_charging.steering.domain.stepping import Step, step

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EVSE = Evse("CS-1", 1, "panel", voltage_v=230.0, phases=(1, 2, 3), min_a=6.0, max_a=32.0)
STEERABLE = Steerable(EVSE, habits=Habits(dynamic=True), default_a=8.0, version="2.1")
WATTS = msgspec.structs.replace(STEERABLE, habits=Habits(dynamic=True, unit="W"), phases=(0, 1, 2))


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def charging(steerable: Steerable = STEERABLE) -> Steered:
    steered = steering.connected(Steered(verified_at=NOW), after(-700))
    steered = steering.transaction_ended(steered, after(-650))
    steered = answered(step(steered, None, steerable, after(-640)), after(-640))
    return steering.transaction_began(steered, "T1", after(-600))


def answered(done: Step, at: datetime, answer: steering.Answer = "accepted") -> Steered:
    steered = done.steered
    for order in done.orders:
        steered = steering.answered(steered, order.number, answer, at)
    return steered


def told(steered: Steered, amperes: float, at: datetime, steerable: Steerable = STEERABLE) -> Steered:
    return answered(step(steered, amperes, steerable, at), at)


def draws(steered: Steered, amperes: float, at: datetime) -> Steered:
    return steering.measured(steered, (amperes,) * 3, at, STEERABLE)


def pulls(steered: Steered, at: datetime) -> tuple[float, Steered]:
    """Let the station ask for its limit: what it is answered, and the steering with that."""
    found = answer_to(steered, at)
    assert found is not None
    limit, pulled = found
    return limit, folded(steered, Station("CS-1"), (), None, STEERABLE, pulled)


def orders(done: Step) -> list:
    return [order for order in done.orders if order.asking == "limit"]


def form(done: Step, steerable: Steerable = STEERABLE) -> tuple[str, dict]:
    """The one form in which a limit is told."""
    [order] = orders(done)
    [form] = routes.forms_of(order, steerable)
    assert form.versions == ("2.1",)
    return form.action, msgspec.json.decode(form.payload)


# What is told


def test_K28_FR_01_a_dynamic_profile_has_one_period_an_end_and_is_pulled_a_few_times_in_its_life():
    action, payload = form(step(charging(), 16.0, STEERABLE, NOW))

    profile = payload["chargingProfile"]
    [schedule] = profile["chargingSchedule"]
    assert (action, payload["evseId"], profile["chargingProfileKind"]) == ("SetChargingProfile", 1, "Dynamic")
    assert (profile["chargingProfilePurpose"], profile["transactionId"]) == ("TxProfile", "T1")
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 16.0, "numberPhases": 3}]
    assert {"startSchedule", "duration"}.isdisjoint(schedule)
    assert profile["dynUpdateInterval"] == 300
    assert datetime.fromisoformat(profile["validTo"]) == after(1800)
    assert (profile["maxOfflineDuration"], profile["invalidAfterOfflineDuration"]) == (600, True)


def test_K29_FR_01_a_change_updates_the_profile_that_is_held_and_does_not_move_its_end():
    done = step(told(charging(), 16.0, NOW), 10.0, STEERABLE, after(100))

    assert form(done) == (
        "UpdateDynamicSchedule",
        {"chargingProfileId": profile_id(1, "TxProfile"), "scheduleUpdate": {"limit": 10.0}},
    )
    assert answered(done, after(101)).limit.accepted.until == after(1800)


def test_a_profile_that_is_half_over_is_set_anew_however_often_it_was_updated():
    updated = told(told(charging(), 16.0, NOW), 10.0, after(800))
    assert not orders(step(updated, 10.0, STEERABLE, after(899)))

    done = step(updated, 10.0, STEERABLE, after(900))

    assert form(done)[0] == "SetChargingProfile"
    assert orders(done)[0].until == after(2700)


def test_what_falls_ahead_is_told_by_a_profile_that_falls_by_itself():
    done = step(charging(), 16.0, STEERABLE, NOW, ahead=[(after(600), 8.0)])

    assert not orders(done)[0].dynamic
    assert [amperes for _, amperes in orders(done)[0].levels] == [16.0, 8.0]


@pytest.mark.parametrize("dynamic", [None, False])
def test_a_station_that_does_not_say_that_it_takes_dynamic_profiles_is_given_none(dynamic):
    steerable = msgspec.structs.replace(STEERABLE, habits=Habits(dynamic=dynamic))

    assert not orders(step(charging(steerable), 16.0, steerable, NOW))[0].dynamic


def test_what_is_not_answered_or_may_be_lost_is_not_updated_but_set():
    once = told(charging(), 16.0, NOW)
    unknown = answered(step(once, 10.0, STEERABLE, after(100)), after(110), "unknown")
    booted = steering.booted(once, after(90), STEERABLE)

    assert form(step(unknown, 10.0, STEERABLE, after(130)))[0] == "SetChargingProfile"
    assert form(step(booted, 10.0, STEERABLE, after(130)))[0] == "SetChargingProfile"


def test_a_limit_in_watts_is_updated_in_watts():
    done = step(told(charging(WATTS), 16.0, NOW, WATTS), 10.0, WATTS, after(100))

    assert form(done, WATTS)[1]["scheduleUpdate"] == {"limit": 6900.0}


# What is refused


@pytest.mark.parametrize("answer", ["refused", "unsupported"])
def test_a_station_that_refuses_a_dynamic_profile_is_given_another_at_once_in_the_same_way(answer):
    refused = answered(step(charging(), 16.0, STEERABLE, NOW), after(1), answer)

    done = step(refused, 16.0, STEERABLE, after(2))

    assert [(order.rung, order.dynamic) for order in orders(done)] == [("TxProfile", False)]
    assert orders(step(steering.booted(refused, after(3), STEERABLE), 16.0, STEERABLE, after(4)))[0].dynamic


def test_a_station_that_refuses_an_update_may_hold_nothing_any_more():
    refused = answered(step(told(charging(), 6.0, NOW), 12.0, STEERABLE, after(100)), after(101), "refused")

    assert counted_a(refused, STEERABLE, after(101)) == 8, "its default"
    assert [order.dynamic for order in orders(step(refused, 6.0, STEERABLE, after(102)))] == [False]


# What is pulled, and counted


def test_TC_K_121_a_pull_is_answered_by_what_the_station_was_told_last():
    steered = told(charging(), 16.0, NOW)
    assert pulls(steered, after(10))[0] == 16.0

    lowered = step(steered, 10.0, STEERABLE, after(100)).steered

    assert pulls(lowered, after(101))[0] == 10.0, "it has not answered the update yet"


def test_a_pull_in_watts_is_answered_in_watts():
    assert pulls(told(charging(WATTS), 10.0, NOW, WATTS), after(10))[0] == 6900.0


def test_K28_FR_12_a_pull_is_refused_without_a_dynamic_profile_or_after_its_end():
    plain = msgspec.structs.replace(STEERABLE, habits=Habits())
    held = told(charging(), 16.0, NOW)

    assert answer_to(told(charging(plain), 16.0, NOW, plain), after(10)) is None
    assert answer_to(charging(), after(10)) is None
    assert answer_to(held, after(1801)) is None
    assert answer_to(steering.transaction_ended(held, after(20)), after(30)) is None


@pytest.mark.parametrize(("profile", "key"), [("TxProfile", ("CS-1", 3)), ("default", None)])
def test_a_pull_names_its_profile(profile, key):
    assert Pull("CS-1", profile_id(3, profile)).key == key
    assert Pull("CS-1", 5).key is None


@pytest.mark.parametrize("limit", [7.5, None])
def test_the_answer_to_a_pull_is_one(limit):
    encode_result("2.1", "PullDynamicScheduleUpdate", v21.pull_answer(Pull("CS-1", 5), limit))


def lowered_after_a_pull() -> Steered:
    """A station that was answered 16 A, and has taken an update to 10 A a moment later, and is seen to draw that."""
    _, steered = pulls(draws(told(charging(), 16.0, NOW), 16.0, after(90)), after(100))
    return draws(told(steered, 10.0, after(101)), 10.0, after(103))


def test_an_answer_that_may_come_late_is_counted_until_the_limit_was_told_once_more():
    steered = lowered_after_a_pull()
    assert counted_a(steered, STEERABLE, after(103)) == 16
    steered = draws(steered, 10.0, after(225))
    assert counted_a(steered, STEERABLE, after(229)) == 16
    assert not orders(step(steered, 10.0, STEERABLE, after(229)))

    again = step(steered, 10.0, STEERABLE, after(230))
    assert orders(again)

    assert counted_a(draws(answered(again, after(231)), 10.0, after(300)), STEERABLE, after(300)) == 10


def test_who_draws_by_an_answer_that_came_late_is_not_taken_to_disobey():
    steered = draws(lowered_after_a_pull(), 16.0, after(220))

    assert step(steered, 10.0, STEERABLE, after(221)).steered.disobeys_since is None


def test_a_raise_that_is_refused_counts_where_it_was_pulled_meanwhile():
    raised = step(told(charging(), 10.0, NOW), 16.0, STEERABLE, after(100))
    limit, steered = pulls(raised.steered, after(100.5))
    assert limit == 16.0

    refused = steering.answered(steered, orders(raised)[0].number, "refused", after(101))

    assert counted_a(refused, STEERABLE, after(102)) == 16


def test_a_pull_of_another_transaction_or_long_ago_says_nothing():
    _, steered = pulls(told(charging(), 16.0, NOW), after(100))
    pulled = steered.pulled
    other = told(steering.transaction_began(steered, "T2", after(200)), 10.0, after(200))
    later = told(steered, 10.0, after(300))

    assert folded(other, Station("CS-1"), (), None, STEERABLE, pulled).pulled is None
    assert folded(later, Station("CS-1"), (), None, STEERABLE, pulled).pulled is None

"""How one EVSE is steered: what it is told and when, how it is contained, and what its operator is told."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from chargebus_simulation.stations import Profile, SimStation, Slot, Temper
from chargebus_smart_charging.sites.domain.site import Evse, Policy
from chargebus_smart_charging.steering.domain import steered as steering
from chargebus_smart_charging.steering.domain.habits import LADDER, Habits
from chargebus_smart_charging.steering.domain.held import Order
from chargebus_smart_charging.steering.domain.steered import Steerable, Steered, counted, counted_a
from chargebus_smart_charging.steering.domain.stepping import Step, step

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EVSE = Evse("CS-1", 1, "panel", voltage_v=230.0, phases=(1, 2, 3), min_a=6.0, max_a=32.0)
STEERABLE = Steerable(EVSE, default_a=8.0, version="2.0.1")
POLICY = Policy()


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def with_policy(**changes: object) -> Steerable:
    return msgspec.structs.replace(STEERABLE, policy=msgspec.structs.replace(POLICY, **changes))


def with_habits(**habits: object) -> Steerable:
    return msgspec.structs.replace(STEERABLE, habits=msgspec.convert(habits, Habits))


def charging(steerable: Steerable = STEERABLE) -> Steered:
    """An EVSE whose station has its default, and whose transaction began a while ago."""
    steered = steering.connected(Steered(verified_at=NOW), after(-700))
    steered = steering.transaction_ended(steered, after(-650))
    steered = all_accepted(step(steered, None, steerable, after(-640)), after(-640))
    return steering.transaction_began(steered, "T1", after(-600))


def all_accepted(done: Step, at: datetime, answer: steering.Answer = "accepted") -> Steered:
    steered = done.steered
    for order in done.orders:
        steered = steering.answered(steered, order.number, answer, at)
    return steered


def limited(amperes: float, steerable: Steerable = STEERABLE, at: datetime = NOW) -> Steered:
    return all_accepted(step(charging(steerable), amperes, steerable, at), at)


def draws(steered: Steered, amperes: float, at: datetime, steerable: Steerable = STEERABLE) -> Steered:
    return steering.measured(steered, (amperes,) * 3, at, steerable)


def limits(done: Step) -> list[float]:
    return [order.limit_a for order in done.orders if order.asking == "limit"]


# What counts


def test_while_a_station_is_offline_what_another_vehicle_may_draw_on_other_phases_counts():
    one_phase = msgspec.structs.replace(STEERABLE, phases=(1,))
    steered = limited(16.0, one_phase)
    assert counted(steered, one_phase, after(30)) == (0.0, 16.0, 0.0)

    away = steering.lost(steered, after(60))
    assert counted(away, one_phase, after(90)) == (8.0, 16.0, 8.0), "by its default"
    ignoring = msgspec.structs.replace(away, rung="none")
    assert counted(ignoring, one_phase, after(90)) == (32.0, 32.0, 32.0)
    on_one = msgspec.structs.replace(one_phase, evse=msgspec.structs.replace(EVSE, phases=(2,)))
    assert counted(away, on_one, after(90)) == (0.0, 16.0, 0.0), "nothing is connected to the others"


def test_a_station_of_which_nothing_was_ever_heard_is_counted_at_its_largest_current():
    assert counted(Steered(), STEERABLE, NOW) == (32.0, 32.0, 32.0)


def test_what_is_counted_stands_on_the_phases_of_the_site_that_the_vehicle_uses():
    one = msgspec.structs.replace(STEERABLE, evse=msgspec.structs.replace(EVSE, phases=(3, 1, 2)), phases=(2,))

    assert counted(limited(20.0, one), one, NOW) == (0.0, 0.0, 20.0)


def test_an_evse_without_a_transaction_counts_for_nothing_while_its_station_is_there():
    steered = steering.transaction_ended(charging(), after(-10))

    assert counted_a(steered, STEERABLE, NOW) == 0
    assert counted_a(steering.lost(steered, NOW), STEERABLE, NOW) == 8


def test_an_offline_station_counts_by_its_last_limit_until_that_runs_out_then_by_its_default():
    steered = steering.lost(limited(20.0), after(10))

    assert counted_a(steered, STEERABLE, after(1700)) == 20
    assert counted_a(steered, STEERABLE, after(1900)) == 8


def test_an_offline_station_whose_limits_are_0_does_not_count_as_0():
    steerable = msgspec.structs.replace(STEERABLE, default_a=0.0)

    assert counted_a(steering.lost(limited(0.0, steerable), after(10)), steerable, after(100)) == 6


def test_a_reduction_counts_once_it_was_accepted_and_is_seen_to_have_come_down():
    high = draws(limited(20.0), 20.0, after(5))
    done = step(high, 10.0, STEERABLE, after(70))
    assert counted_a(done.steered, STEERABLE, after(70)) == 20
    accepted = all_accepted(done, after(71))
    assert counted_a(accepted, STEERABLE, after(80)) == 20

    assert counted_a(draws(accepted, 10.2, after(81)), STEERABLE, after(81)) == 10


def test_a_vehicle_that_drew_less_already_proves_nothing_before_the_grace_is_over():
    low = draws(limited(20.0), 6.0, after(5))
    accepted = draws(all_accepted(step(low, 10.0, STEERABLE, after(70)), after(70)), 6.0, after(80))

    assert counted_a(accepted, STEERABLE, after(81)) == 20
    assert counted_a(draws(accepted, 6.0, after(131)), STEERABLE, after(131)) == 10


def test_a_reduction_that_is_not_seen_counts_as_before_of_a_station_that_measures():
    high = draws(limited(20.0), 20.0, after(5))
    accepted = all_accepted(step(high, 10.0, STEERABLE, after(70)), after(70))

    assert counted_a(accepted, STEERABLE, after(1000)) == 20


@pytest.mark.parametrize(("unmeasured", "amperes"), [("trust", 10.0), ("count", 20.0)])
def test_a_station_that_never_measures_is_believed_after_its_grace_where_the_site_says_so(unmeasured, amperes):
    steerable = with_policy(unmeasured=unmeasured)
    first = limited(20.0, steerable)
    accepted = all_accepted(step(first, 10.0, steerable, after(70)), after(70))

    assert counted_a(accepted, steerable, after(120)) == 20
    assert counted_a(accepted, steerable, after(131)) == amperes


@pytest.mark.parametrize(
    ("answer", "amperes"), [("unknown", 32.0), ("refused", 10.0), ("undelivered", 10.0), ("accepted", 32.0)]
)
def test_a_raise_counts_from_when_it_is_told_until_it_is_known_not_to_hold(answer, amperes):
    done = step(limited(10.0), 32.0, STEERABLE, after(200))
    assert counted_a(done.steered, STEERABLE, after(200)) == 32

    assert counted_a(all_accepted(done, after(201), answer), STEERABLE, after(201)) == amperes


def test_what_the_station_says_to_hold_beyond_what_it_was_told_counts_and_is_told_again():
    drifted = steering.reported(limited(10.0), 16.0, after(100))
    done = step(drifted, 10.0, STEERABLE, after(101))

    assert counted_a(drifted, STEERABLE, after(100)) == 32  # who has lost its limit may have lost its default
    assert limits(done) == [10.0]
    assert [(notice.rule, notice.is_open) for notice in done.notices] == [("profile_drift", True)]


def test_what_others_allow_below_what_it_was_told_is_a_ceiling():
    assert steering.reported(limited(20.0), 12.0, after(100)).ceiling_a == 12


def test_a_ceiling_is_planned_with_for_a_while_and_asked_for_once_it_is_told_more():
    ceiling = steering.reported(limited(20.0), 12.0, after(100))
    lowered = all_accepted(step(ceiling, 12.0, STEERABLE, after(101)), after(101))
    same = steering.reported(lowered, 12.0, after(1000))
    assert [steering.by_others_a(same, after(at)) for at in (1001, 1899, 1900)] == [12.0, 12.0, None]
    assert not asks_to_verify(same, 12.0, 1500)

    raised = all_accepted(step(same, 20.0, STEERABLE, after(1901)), after(1901))

    assert asks_to_verify(raised, 20.0, 1902)
    assert steering.by_others_a(steering.reported(raised, 12.0, after(1903)), after(1903)) == 12
    assert steering.reported(raised, 20.0, after(1903)).ceiling_a is None


def test_what_a_station_was_asked_before_its_limit_was_told_says_nothing_of_that_and_is_asked_once_more():
    charging = steering.transaction_began(limited(0.0), "T2", after(100))
    asked = step(msgspec.structs.replace(charging, verified_at=None), None, STEERABLE, after(100 + 3 * 60))
    [verify] = [order for order in asked.orders if order.asking == "verify"]
    raised = step(asked.steered, 20.0, STEERABLE, after(281))
    assert limits(raised) == [20.0]

    said = steering.reported(raised.steered, 0.0, after(282), verify.number)
    taken = all_accepted(msgspec.structs.replace(raised, steered=said), after(283))

    assert steering.by_others_a(said, after(282)) is None
    assert asks_to_verify(taken, 20.0, 284)
    assert steering.reported(taken, 0.0, after(285), taken.last_number + 1).ceiling_a == 0.0


def test_a_station_that_reads_more_than_its_most_at_its_most_has_not_shown_that_it_takes_no_less():
    steered = limited(32.0)
    for at in range(100, 2000, 60):
        steered = all_accepted(step(draws(steered, 38.0, after(at)), 32.0, STEERABLE, after(at + 1)), after(at + 2))
    assert steered.disobeys_since is not None
    assert steered.rung == "TxProfile"

    assert limits(step(steered, 6.0, STEERABLE, after(3000))) == [6.0]


def asks_to_verify(steered: Steered, wanted_a: float, at: float) -> bool:
    return "verify" in [order.asking for order in step(steered, wanted_a, STEERABLE, after(at)).orders]


def test_a_default_that_its_station_does_not_report_is_given_again_and_its_operator_told():
    steered = steering.transaction_ended(charging(), after(-10))
    lost = steering.default_reported(steered, None, after(0))
    done = step(lost, None, STEERABLE, after(1))

    assert counted_a(steering.transaction_began(lost, "T2", after(1)), STEERABLE, after(1)) == 32
    assert [order.asking for order in done.orders] == ["default"]
    assert [(notice.rule, notice.is_open) for notice in done.notices] == [("profile_drift", True)]
    found = steering.default_reported(all_accepted(done, after(2)), 8.0, after(3))
    assert [notice.is_open for notice in step(found, None, STEERABLE, after(4)).notices] == [False]


@pytest.mark.parametrize(("amperes", "drifted"), [(8.0, False), (6.0, False), (16.0, True), (None, True)])
def test_a_default_that_allows_more_than_was_told_is_a_drift(amperes, drifted):
    steered = steering.default_reported(steering.transaction_ended(charging(), after(-10)), amperes, after(0))

    assert (steered.drifted, steered.default.accepted is None) == (drifted, drifted)


def test_a_report_that_was_asked_for_before_the_default_was_told_says_nothing_of_it():
    steered = charging()

    assert not steering.default_reported(steered, None, after(-641)).drifted
    once = steering.default_reported(steered, None, after(0))
    assert steering.default_reported(once, 8.0, after(0)) == once  # it is taken once


# What it is told


def test_a_station_gets_its_default_once_and_again_after_each_boot():
    steered = steering.connected(Steered(), NOW)
    first = step(steered, None, STEERABLE, NOW)
    assert [(order.asking, order.limit_a) for order in first.orders] == [("default", 8.0)]
    kept = all_accepted(first, NOW)
    assert [order.asking for order in step(kept, None, STEERABLE, after(60)).orders] == ["verify"]

    again = step(steering.booted(kept, after(60), STEERABLE), None, STEERABLE, after(60))

    assert [order.asking for order in again.orders] == ["default"]


def test_a_limit_goes_to_the_transaction_and_lives_for_a_bounded_time():
    (order,) = step(charging(), 16.0, STEERABLE, NOW).orders

    assert (order.rung, order.transaction_id, order.levels) == ("TxProfile", "T1", ((NOW, 16.0),))
    assert order.until == after(POLICY.profile_life_s)


def test_a_limit_is_never_told_to_rise_later_and_is_told_to_fall():
    ahead = ((after(300), 20.0), (after(600), 10.0), (after(900), 12.0), (after(1200), 6.0), (after(9000), 0.0))
    (order,) = step(charging(), 16.0, STEERABLE, NOW, ahead).orders

    assert order.levels == ((NOW, 16.0), (after(600), 10.0), (after(1200), 6.0))


def test_a_station_gets_no_more_periods_than_it_can_hold():
    few = with_habits(max_periods=2)
    (order,) = step(charging(few), 16.0, few, NOW, ((after(60), 10.0), (after(120), 6.0))).orders

    assert order.levels == ((NOW, 16.0), (after(60), 10.0))


def test_a_rise_within_the_dead_band_is_not_sent_and_a_reduction_always_is():
    steered = limited(16.0)

    assert not limits(step(steered, 16.9, STEERABLE, after(100)))
    assert limits(step(steered, 17.0, STEERABLE, after(100))) == [17.0]
    assert limits(step(steered, 15.9, STEERABLE, after(100))) == [15.9]


def test_rises_are_spaced_and_reductions_are_not():
    steered = limited(16.0)

    assert not limits(step(steered, 20.0, STEERABLE, after(9)))
    assert limits(step(steered, 20.0, STEERABLE, after(10))) == [20.0]
    assert limits(step(steered, 10.0, STEERABLE, after(1))) == [10.0]


def test_a_station_that_limits_the_rate_of_updates_is_told_less_often():
    slow = with_habits(update_spacing_s=120.0)

    assert not limits(step(limited(16.0, slow), 20.0, slow, after(119)))
    assert limits(step(limited(16.0, slow), 20.0, slow, after(120))) == [20.0]


def test_a_limit_is_renewed_when_half_its_life_is_over():
    steered = limited(16.0)

    assert not limits(step(steered, 16.0, STEERABLE, after(899)))
    assert limits(step(steered, 16.0, STEERABLE, after(900))) == [16.0]


def test_a_vehicle_that_says_what_it_needs_gets_its_limit_though_nothing_changed():
    asked = msgspec.structs.replace(STEERABLE, needs_at=after(60))
    steered = limited(16.0)
    assert not step(steered, 16.0, STEERABLE, after(61)).orders

    done = step(steered, 16.0, asked, after(61))

    assert limits(done) == [16.0]
    assert not step(all_accepted(done, after(62)), 16.0, asked, after(63)).orders


def test_the_same_is_not_asked_while_its_answer_is_awaited_and_less_is():
    done = step(charging(), 16.0, STEERABLE, NOW)

    assert not step(done.steered, 16.0, STEERABLE, after(5)).orders
    assert not step(done.steered, 32.0, STEERABLE, after(15)).orders
    assert limits(step(done.steered, 10.0, STEERABLE, after(5))) == [10.0]


def test_a_limit_is_told_in_steps_of_the_evse_and_of_a_tenth_and_never_as_more():
    stepped = msgspec.structs.replace(STEERABLE, evse=msgspec.structs.replace(EVSE, step_a=2.0))

    assert limits(step(charging(stepped), 15.97, stepped, NOW)) == [14.0]
    assert limits(step(charging(), 15.97, STEERABLE, NOW)) == [15.9]
    assert limits(step(charging(), 0.3, STEERABLE, NOW)) == [0.3]


def test_a_station_that_refuses_0_is_told_its_least_current_and_counted_at_it():
    refused = all_accepted(step(charging(), 0.0, STEERABLE, NOW), NOW, "refused")
    assert not steering_takes_zero(refused)

    done = step(refused, 0.0, STEERABLE, after(1))

    assert limits(done) == [6.0]
    assert done.steered.rung == "TxProfile"


def test_a_station_that_refuses_a_0_to_come_is_told_its_least_current_there():
    refused = all_accepted(step(charging(), 10.0, STEERABLE, NOW, ((after(600), 0.0),)), NOW, "refused")
    (order,) = step(refused, 10.0, STEERABLE, after(1), ((after(600), 0.0),)).orders

    assert order.rung == "TxProfile"
    assert order.levels == ((after(1), 10.0), (after(600), 6.0))


def test_a_station_whose_default_of_0_was_taken_does_not_refuse_a_limit_of_0_for_being_0():
    none_by_itself = msgspec.structs.replace(STEERABLE, default_a=0.0)
    refused = all_accepted(step(charging(none_by_itself), 0.0, none_by_itself, NOW), NOW, "refused")

    assert steering_takes_zero(refused)
    assert counted_a(refused, none_by_itself, after(1)) == 0.0
    assert not step(refused, 0.0, none_by_itself, after(1)).orders


def test_a_station_that_refuses_a_default_of_0_and_any_other_has_not_refused_0():
    none_by_itself = msgspec.structs.replace(STEERABLE, default_a=0.0)
    known = steering.transaction_ended(steering.connected(Steered(verified_at=NOW), NOW), after(1))
    refused = all_accepted(step(known, None, none_by_itself, after(2)), after(2), "refused")
    assert not steering_takes_zero(refused)

    done = step(refused, None, none_by_itself, after(3))
    assert done.orders[0].limit_a == 6.0
    again = all_accepted(done, after(3), "refused")

    assert steering_takes_zero(again)
    later = step(again, None, none_by_itself, after(60))
    assert later.orders[0].limit_a == 0.0
    assert steering_takes_zero(all_accepted(later, after(60), "refused")), "that is no news"


def test_a_way_that_takes_nothing_tells_nothing_of_0():
    steered = charging()
    for at in (0, 1, 60):
        steered = all_accepted(step(steered, 0.0, STEERABLE, after(at)), after(at), "refused")
    done = step(steered, 0.0, STEERABLE, after(61))

    assert (done.steered.rung, limits(done)) == ("TxDefaultProfile", [0.0])


def steering_takes_zero(steered: Steered) -> bool:
    return not steered.zero_refused


def test_nothing_is_told_to_a_station_that_is_offline():
    assert not step(steering.lost(limited(16.0), after(5)), 6.0, STEERABLE, after(6)).orders


def test_what_was_not_taken_is_tried_again_later_and_later():
    steered, told_at = charging(), []
    for second in range(0, 1000, 5):
        done = step(steered, 16.0, STEERABLE, after(second))
        told_at += [second for order in done.orders if order.asking == "limit"]
        steered = all_accepted(done, after(second), "unknown")

    assert told_at == [0, 20, 60, 140, 300, 620]
    assert "station_unsteerable" in steered.alerts


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_a_station_that_no_way_steers_is_told_its_limit_all_the_same_later_and_later(answer):
    """Its meter may say too much, and what it took before may hold."""
    steered = draws(limited(16.0), 19.2, after(100))
    steered = msgspec.structs.replace(steered, disobeys_since=after(100), rung="none", refused=LADDER[:-1])
    told_at = []
    for second in range(110, 2000, 5):
        done = step(steered, 6.0, STEERABLE, after(second))
        told_at += [(second, order.rung) for order in done.orders if order.asking == "limit"]
        steered = draws(all_accepted(done, after(second), answer), 7.2, after(second + 2))

    times, ways = zip(*told_at, strict=True)
    apart = [later - sooner for sooner, later in pairwise(times)]
    assert set(ways) == {"TxProfile"}
    assert len(times) < 12
    assert apart[-1] > 300
    assert counted(steered, STEERABLE, after(2000)) == (32.0, 32.0, 32.0)


def asked_while_unreached(steered: Steered, wanted_a: float | None, steerable: Steerable) -> list[tuple[int, str]]:
    """What a station is asked that counts as connected and is not, decided each 2 seconds, and when."""
    asked = []
    for second in range(0, 400, 2):
        done = step(steered, wanted_a, steerable, after(second))
        asked += [(second, order.asking) for order in done.orders]
        steered = all_accepted(done, after(second), "undelivered")
    assert (steered.retry, steered.default_retry, steered.acting_retry) == (steering.Retry(),) * 3
    return asked


def test_what_does_not_reach_its_station_is_asked_later_and_later_and_is_no_strike():
    times = [0, 2, 6, 14, 30, 62, 126, 246, 366]
    new = steering.connected(Steered(), after(-700))
    verifying = msgspec.structs.replace(limited(16.0), verified_at=None)
    policy = with_policy(containment="unavailable")
    disobeying = msgspec.structs.replace(draws(limited(10.0, policy, after(-200)), 16.0, after(-70)), verified_at=NOW)
    disobeying = msgspec.structs.replace(disobeying, disobeys_since=after(-70), rung="none", refused=LADDER[:-1])

    assert asked_while_unreached(charging(), 16.0, STEERABLE) == [(each, "limit") for each in times]
    assert asked_while_unreached(new, None, STEERABLE) == [(each, "default") for each in times]
    assert asked_while_unreached(verifying, 16.0, STEERABLE) == [(each, "verify") for each in times]
    assert asked_while_unreached(disobeying, None, policy) == [(each, "disable") for each in times]


def test_a_limit_that_did_not_reach_its_station_says_nothing_of_whether_that_obeys():
    disobeying = draws(limited(10.0), 16.0, after(70))
    for second in (71, 131, 191):
        disobeying = all_accepted(step(disobeying, 10.0, STEERABLE, after(second)), after(second), "undelivered")
        disobeying = draws(disobeying, 16.0, after(second + 1))

    assert disobeying.retry.strikes == 0
    assert step(disobeying, 10.0, STEERABLE, after(251)).steered.rung == "TxProfile"


def test_what_did_not_reach_its_station_is_asked_at_once_after_it_connects_or_answers():
    lost = all_accepted(step(charging(), 16.0, STEERABLE, NOW), NOW, "undelivered")
    assert not step(lost, 16.0, STEERABLE, after(1)).orders

    anew = step(steering.connected(lost, after(1)), 16.0, STEERABLE, after(1))

    assert limits(anew) == [16.0]
    assert all_accepted(step(lost, 16.0, STEERABLE, after(20)), after(21)).unreached == steering.Retry()


def test_the_alert_is_over_once_the_station_takes_what_it_is_told():
    steered = charging()
    for second in (0, 20, 60, 140):
        steered = all_accepted(step(steered, 16.0, STEERABLE, after(second)), after(second), "unknown")
    assert "station_unsteerable" in steered.alerts

    taken = all_accepted(step(steered, 16.0, STEERABLE, after(300)), after(300))
    done = step(taken, 16.0, STEERABLE, after(301))

    assert [(notice.rule, notice.is_open) for notice in done.notices] == [("station_unsteerable", False)]
    assert not done.steered.alerts


# The ladder


def refuses_as_absent(steered: Steered, at: datetime) -> Steered:
    return all_accepted(step(steered, 12.0, STEERABLE, at), at, "absent")


def test_E17_a_station_that_has_booted_and_does_not_know_its_transaction_yet_is_told_again_soon():
    steered = steering.booted(limited(20.0), after(10), STEERABLE)
    for seconds in (11, 17, 23, 29):
        steered = refuses_as_absent(steered, after(seconds))

    assert limits(step(steered, 12.0, STEERABLE, after(33))) == []
    done = step(steered, 12.0, STEERABLE, after(34))
    assert (limits(done), done.steered.rung) == ([12.0], "TxProfile")


def test_a_station_that_never_knows_its_transaction_is_steered_in_the_next_way():
    steered = charging()
    for seconds in (0, 30):
        steered = refuses_as_absent(steered, after(seconds))

    assert step(steered, 12.0, STEERABLE, after(31)).steered.rung == "TxDefaultProfile"


def fallen_to_default() -> tuple[Steered, SimStation]:
    """An EVSE, and its station: it took 16 A for its transaction, refuses such profiles since, and took 8 A else."""
    station = SimStation("CS-1", Temper(), {1: 32.0})
    steered = carried_out(step(charging(), 16.0, STEERABLE, NOW), station)
    station.temper = Temper(refuses=frozenset({"TxProfile"}))
    for seconds in (30.0, 60.0, 90.0):
        steered = carried_out(step(steered, 8.0, STEERABLE, after(seconds)), station)
    return steered, station


def carried_out(done: Step, station: SimStation) -> Steered:
    """Return it after its station was told the limits of a step; what is to be cleared it has not answered."""
    steered = done.steered
    for order in done.orders:
        if order.asking != "limit":
            continue
        slot: Slot = "TxProfile" if order.rung == "TxProfile" else "TxDefaultProfile above"
        taken = station.put(1, slot, Profile(((0.0, order.limit_a),)), in_transaction=True)
        answer: steering.Answer = "accepted" if taken == "Accepted" else "refused"
        steered = steering.answered(steered, order.number, answer, order.at)
    return steered


def test_a_profile_of_the_transaction_that_was_left_counts_until_its_station_has_cleared_it():
    steered, station = fallen_to_default()
    assert steered.rung == "TxDefaultProfile"
    assert station.says_a(1, 0.0) == 16.0, "the profile of the transaction goes before"
    assert counted_a(steered, STEERABLE, after(91)) == 16.0

    done = step(steered, 8.0, STEERABLE, after(91))
    [order] = done.orders
    assert (order.asking, order.rung) == ("clear", "TxProfile")
    assert step(done.steered, 8.0, STEERABLE, after(92)).orders == (), "it is asked once"
    assert counted_a(done.steered, STEERABLE, after(92)) == 16.0

    station.clear(1, "TxProfile")
    cleared = steering.answered(done.steered, order.number, "accepted", after(93))
    seen = draws(cleared, 8.0, after(180))
    assert station.says_a(1, 0.0) == 8.0
    assert counted_a(seen, STEERABLE, after(181)) == 8.0
    assert step(seen, 8.0, STEERABLE, after(181)).orders == ()


@pytest.mark.parametrize("answer", ["refused", "unknown", "undelivered", "unsupported"])
def test_a_profile_that_its_station_did_not_clear_counts_on_and_is_cleared_once_more(answer):
    steered, _ = fallen_to_default()
    done = step(steered, 8.0, STEERABLE, after(91))
    kept = steering.answered(done.steered, done.orders[0].number, answer, after(93))

    assert counted_a(kept, STEERABLE, after(150)) == 16.0
    again = step(kept, 8.0, STEERABLE, after(150))
    assert [(order.asking, order.rung) for order in again.orders] == [("clear", "TxProfile")]


def test_a_profile_that_was_left_is_over_with_its_transaction_or_its_life():
    steered, _ = fallen_to_default()

    assert steering.transaction_ended(steered, after(95)).limit.left == ()
    over = after(POLICY.profile_life_s + 11)
    assert step(steered, 8.0, STEERABLE, over).steered.limit.left == ()
    assert counted_a(steered, STEERABLE, over) == 8.0


def test_a_way_that_is_refused_twice_gives_way_to_the_next_one_until_the_end():
    steerable = msgspec.structs.replace(with_policy(on_off=True), limit_key="Station-MaxCurrent", id_token="AB12")
    steered, rungs = charging(steerable), []
    for second in range(0, 3000, 20):
        done = step(steered, 16.0, steerable, after(second))
        if not rungs or rungs[-1] != done.steered.rung:
            rungs.append(done.steered.rung)
        steered = all_accepted(done, after(second), "refused")

    assert rungs == [*LADDER[:5]]


def test_at_the_end_of_the_ladder_it_is_counted_at_its_full_power():
    steered = charging()
    for rung in LADDER[:-1]:
        steered = steering.fallen(steered, rung)
    done = step(steered, 6.0, STEERABLE, NOW)

    assert done.steered.rung == "none"
    assert counted_a(done.steered, STEERABLE, NOW) == 32
    assert [(notice.rule, notice.is_open) for notice in done.notices] == [("station_unsteerable", True)]


def test_a_way_that_is_not_supported_is_tried_once():
    refused = all_accepted(step(charging(), 16.0, STEERABLE, NOW), NOW, "unsupported")
    (order,) = step(refused, 16.0, STEERABLE, after(1)).orders

    assert order.rung == "TxDefaultProfile"


def test_the_station_maximum_is_no_way_for_one_of_several_evses():
    steerable = msgspec.structs.replace(
        STEERABLE, alone=False, habits=Habits(refused=("TxProfile", "TxDefaultProfile"))
    )

    assert step(charging(steerable), 16.0, steerable, NOW).steered.rung == "none"


def test_a_limit_that_outlives_its_transaction_is_taken_back():
    steerable = with_habits(refused=["TxProfile"])
    steered = steering.transaction_ended(limited(16.0, steerable), after(100))

    (order,) = step(steered, None, steerable, after(101)).orders

    assert (order.asking, order.rung) == ("clear", "TxDefaultProfile")


def test_where_there_is_one_stack_level_the_limit_ends_in_the_default():
    steerable = with_habits(refused=["TxProfile"], max_stack_level=0)
    (order,) = [o for o in step(charging(steerable), 16.0, steerable, NOW).orders if o.asking == "limit"]

    assert order.levels == ((NOW, 16.0), (after(1800), 8.0))
    assert order.until is None


def test_a_station_maximum_ends_in_the_default_and_is_renewed_before_it_does():
    steerable = with_habits(refused=["TxProfile", "TxDefaultProfile"])
    steered = limited(16.0, steerable)
    order = steered.limit.accepted

    assert order is not None
    assert (order.rung, order.levels, order.until) == (
        "ChargingStationMaxProfile",
        ((NOW, 16.0), (after(1800), 8.0)),
        None,
    )
    assert not limits(step(steered, 16.0, steerable, after(899)))
    assert limits(step(steered, 16.0, steerable, after(900))) == [16.0]


def test_a_station_that_knows_no_limits_is_stopped_and_started_where_the_site_says_so():
    steerable = msgspec.structs.replace(
        with_policy(on_off=True), alone=False, id_token="AB12", habits=Habits(refused=("TxProfile", "TxDefaultProfile"))
    )
    stopped = step(charging(steerable), 0.0, steerable, NOW)
    assert [order.asking for order in stopped.orders] == ["suspend"]
    idle = steering.transaction_ended(all_accepted(stopped, NOW), after(5))

    assert [order.asking for order in step(idle, 32.0, steerable, after(60)).orders] == ["resume"]


# Whether it obeys


def test_who_draws_more_than_its_limit_is_found_counted_and_told_again():
    steered = draws(limited(10.0), 16.0, after(70))
    done = step(steered, 10.0, STEERABLE, after(71))

    assert counted_a(done.steered, STEERABLE, after(71)) == pytest.approx(17.6)
    assert [(notice.rule, notice.is_open) for notice in done.notices] == [("limit_disobeyed", True)]
    assert limits(done) == [10.0]


def test_who_is_told_less_time_and_again_is_found_out_as_if_it_was_told_once():
    steered = draws(limited(32.0), 32.0, after(5))
    found = []
    for second in range(60, 300, 30):
        done = step(steered, 24.0 - second / 60, STEERABLE, after(second))
        found.append(done.steered.disobeys_since)
        steered = draws(all_accepted(done, after(second)), 32.0, after(second + 25))

    assert found[:2] == [None, None]
    assert found[4] is not None


def test_who_follows_what_it_is_told_time_and_again_has_the_grace_for_each():
    steered, told_a = draws(limited(32.0), 32.0, after(5)), [32.0]
    for second in range(60, 300, 30):
        told_a.append(24.0 - second / 30)
        done = step(steered, told_a[-1], STEERABLE, after(second))
        steered = draws(all_accepted(done, after(second)), told_a[-2], after(second + 25))
        assert done.steered.disobeys_since is None


def test_who_disobeys_and_is_not_measured_any_more_is_counted_at_its_largest_current():
    done = step(draws(limited(10.0), 16.0, after(70)), 10.0, STEERABLE, after(71))

    assert counted_a(done.steered, STEERABLE, after(400)) == 32


def test_who_has_disobeyed_in_a_transaction_that_is_over_is_counted_as_any_other_while_it_is_offline():
    disobeying = all_accepted(step(draws(limited(10.0), 16.0, after(70)), 10.0, STEERABLE, after(71)), after(72))
    fallen = steering.fallen(disobeying, "TxProfile")
    over = steering.transaction_ended(fallen, after(80))

    assert counted_a(steering.lost(fallen, after(90)), STEERABLE, after(900)) == 32
    assert counted_a(steering.lost(over, after(90)), STEERABLE, after(900)) == 8
    assert (over.refused, over.retry) == (fallen.refused, fallen.retry)


def test_a_reading_before_the_grace_is_over_is_no_disobedience():
    steered = draws(draws(limited(20.0), 20.0, after(5)), 20.0, after(69))
    reduced = draws(all_accepted(step(steered, 10.0, STEERABLE, after(70)), after(71)), 20.0, after(130))

    assert step(reduced, 10.0, STEERABLE, after(130)).steered.disobeys_since is None
    assert step(draws(reduced, 20.0, after(132)), 10.0, STEERABLE, after(132)).steered.disobeys_since is not None


def test_a_reading_of_just_before_a_limit_fell_by_itself_is_no_disobedience():
    steered = charging()
    steered = all_accepted(step(steered, 16.0, STEERABLE, NOW, ((after(600), 10.0),)), NOW)
    seen = draws(draws(steered, 16.0, after(500)), 16.0, after(599))
    reduced = all_accepted(step(seen, 6.0, STEERABLE, after(620)), after(621))

    assert step(reduced, 6.0, STEERABLE, after(622)).steered.disobeys_since is None


def test_who_obeys_again_is_counted_by_its_limit_and_the_alert_is_over():
    done = step(draws(limited(10.0), 16.0, after(70)), 10.0, STEERABLE, after(71))
    obeys = draws(all_accepted(done, after(71)), 10.0, after(140))
    done = step(obeys, 10.0, STEERABLE, after(141))

    assert [(notice.rule, notice.is_open) for notice in done.notices] == [("limit_disobeyed", False)]
    assert counted_a(done.steered, STEERABLE, after(141)) == 10


def test_a_limit_that_is_taken_and_ignored_is_tried_in_the_next_way():
    steered, rungs = limited(10.0), set()
    for second in range(70, 400, 30):
        done = step(draws(steered, 20.0, after(second)), 10.0, STEERABLE, after(second))
        rungs |= {order.rung for order in done.orders if order.asking == "limit"}
        steered = all_accepted(done, after(second))

    assert rungs >= {"TxProfile", "TxDefaultProfile"}


@pytest.mark.parametrize(("containment", "asking"), [("suspend", "suspend"), ("unavailable", "disable")])
def test_who_goes_on_disobeying_is_contained_as_the_site_says(containment, asking):
    steerable = with_policy(containment=containment)
    steered, asked = limited(10.0, steerable), []
    for second in range(70, 200, 30):
        done = step(draws(steered, 20.0, after(second), steerable), 10.0, steerable, after(second))
        asked += [order.asking for order in done.orders if order.asking not in ("limit", "clear")]
        steered = all_accepted(done, after(second))

    assert asked == [asking]


def test_an_evse_that_was_made_unavailable_is_given_back():
    steerable = with_policy(containment="unavailable")
    disabled = msgspec.structs.replace(charging(steerable), contained_by="disable", contained_at=NOW)
    idle = steering.transaction_ended(disabled, after(1))

    assert not step(idle, None, steerable, after(800)).orders
    assert [order.asking for order in step(idle, None, steerable, after(901)).orders] == ["enable"]


def test_an_answer_that_nobody_waits_for_changes_nothing():
    steered = limited(10.0)

    assert steering.answered(steered, 99, "accepted", NOW) == steered


def test_the_state_is_kept_as_json():
    done = step(draws(limited(10.0), 16.0, after(70)), 10.0, STEERABLE, after(71))

    assert msgspec.json.decode(msgspec.json.encode(done.steered), type=Steered) == done.steered


def test_an_order_without_levels_limits_nothing():
    assert Order(1, "clear", NOW).limit_a == steering.UNLIMITED

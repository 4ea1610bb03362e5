from datetime import UTC, datetime, timedelta
from itertools import permutations

import msgspec
import pytest
from chargebus_session.transactions.domain.events import Event, Sample
from chargebus_session.transactions.domain.fold import Fold, merge
from chargebus_session.transactions.domain.registers import KEPT
from chargebus_session.transactions.domain.sessions import summarize
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
IMPLAUSIBLE = ("energy_from_readings", "energy_implausible")
RESTARTED = ("energy_from_readings", "meter_restarted")
WENT_BACK = ("energy_from_readings", "meter_went_back")


def transaction(*readings_wh, minutes_apart=10.0, begin="Transaction.Begin", end="Transaction.End", **more):
    """The events of a transaction with one reading each, the last one its end."""
    last = len(readings_wh) - 1
    for number, wh in enumerate(readings_wh):
        kind, context = ("Started", begin) if number == 0 else ("Updated", "Sample.Periodic")
        if number == last:
            kind, context = "Ended", end
        at = NOON + timedelta(minutes=minutes_apart * number)
        samples = () if wh is None else (Sample(at, float(wh), context, "Outlet", 0),)
        yield Event(number, kind, at, NOON, samples=samples, **more)


def summary_of(events, fold=None):
    for event in events:
        fold = merge(fold, event, None)
    return summarize(fold)


def shown(*readings_wh, **more):
    summary = summary_of(transaction(*readings_wh, **more))
    return summary.energy_wh, summary.energy_source, summary.flags


def test_a_register_that_rises_as_it_can_tells_the_energy():
    assert shown(1000, 3000, 5500) == (4500, "register", ())


def test_a_meter_that_was_not_ready_at_the_begin_counts_from_its_first_credible_reading():
    assert shown(0, 909_948, 910_031) == (83, "readings", IMPLAUSIBLE)
    assert shown(0, 0, 0, 4_075_900, 4_075_950, 4_076_000) == (100, "readings", IMPLAUSIBLE)


def test_what_no_power_explains_and_no_reading_corrects_is_no_energy():
    assert shown(0, 4_076_000, minutes_apart=60) == (None, "", ("energy_implausible",))


def test_much_energy_in_much_time_is_energy():
    assert shown(0, 4_000_000, minutes_apart=60 * 10) == (4_000_000, "register", ())


def test_a_register_below_zero_is_no_reading():
    assert shown(-1, 5000) == (None, "", ("energy_unknown",))
    assert shown(-1, 1000, 5000) == (4000, "readings", ("energy_from_readings",))
    assert shown(1000, -5, 5000) == (4000, "register", ())


def test_the_largest_power_of_the_place_decides():
    events = tuple(transaction(0, 900_000, minutes_apart=60))

    assert summary_of(events).energy_wh is None
    assert summary_of(events, Fold(NOON, max_power_w=1e6)).energy_wh == 900_000


def test_without_a_clock_an_hour_stands_for_the_time_between_two_readings():
    clockless = {"flags": ("clock_implausible",), "minutes_apart": 60 * 24 * 365}

    assert shown(0, 909_948, 910_031, **clockless) == (83, "readings", ("clock_implausible", *IMPLAUSIBLE))
    assert shown(100, 60_000, **clockless) == (59_900, "register", ("clock_implausible",))


def test_a_reading_of_another_year_explains_nothing():
    started, *rest = transaction(0, 909_948, 910_031)
    [sample] = started.samples
    strange = msgspec.structs.replace(sample, at=NOON.replace(year=1970))

    summary = summary_of((msgspec.structs.replace(started, samples=(strange,)), *rest))

    assert (summary.energy_wh, summary.flags) == (83, IMPLAUSIBLE)


def test_a_meter_that_restarts_is_worth_what_its_rising_parts_tell():
    assert shown(0, 40, 90, 153, 0, 30, 62) == (215, "readings", RESTARTED)
    assert shown(1000, 9000, 1001) == (8000, "readings", WENT_BACK)
    assert shown(0, 153, 62) == (153, "readings", WENT_BACK)


def test_a_meter_that_restarts_and_comes_further_than_before_is_seen():
    assert shown(0, 3000, 6000, 0, 4000, 8000) == (14_000, "readings", RESTARTED)


def test_a_register_that_rolls_over_is_worth_at_least_its_rising_parts():
    assert shown(999_990_000, 999_999_000, 500, 9500) == (18_000, "readings", RESTARTED)


def test_an_end_of_zero_is_no_reading_of_the_end():
    assert shown(900_000, 905_000, 906_000, 0) == (6000, "readings", WENT_BACK)


def test_a_meter_that_went_back_and_no_reading_between_is_no_energy():
    assert shown(900, 100) == (None, "", ("meter_went_back",))


@pytest.mark.parametrize("wrong", [[0], [0, 0, 0], [910_000_000], [0, 910_000_000, 0]])
def test_a_value_that_its_neighbours_contradict_is_no_reading(wrong):
    assert shown(1000, 1500, *wrong, 2000, 2500) == (1500, "register", ())


def test_a_value_rounded_down_is_no_meter_that_went_back():
    assert shown(1000, 1509.6, 1500) == (500, "register", ())


def test_a_meter_that_never_was_ready_is_no_energy_but_what_it_says():
    assert shown(0, 909_948, 0) == (None, "", ("energy_implausible", "meter_went_back"))


def test_an_end_without_a_reading_is_counted_to_the_last_one_and_marked():
    assert shown(1000, 3000, 5000, None) == (4000, "readings", ("energy_from_readings",))


def test_a_start_without_a_reading_is_counted_from_the_first_one_and_marked():
    assert shown(None, 3000, 5000) == (2000, "readings", ("energy_from_readings",))


@pytest.mark.parametrize("readings_wh", [(None, None), (1000, None), (None, 5000)])
def test_an_end_whose_energy_nobody_knows_says_so(readings_wh):
    assert shown(*readings_wh) == (None, "", ("energy_unknown",))


def test_nothing_is_missing_while_a_transaction_goes_on():
    started, updated, _ended = transaction(1000, 3000, 5000)

    assert summary_of((started,)).flags == summary_of((started, updated)).flags == ()


def test_what_comes_after_the_end_is_not_of_the_transaction():
    late = Event(
        9, "Updated", NOON, NOON, samples=(Sample(NOON + timedelta(days=3), 25e6, "Sample.Clock", "Outlet", 0),)
    )

    summary = summary_of((*transaction(0, 1000, 2000), late))

    assert (summary.energy_wh, summary.flags) == (2000, ())


def test_another_place_is_asked_where_the_outlet_does_not_tell():
    inlet = (
        Event(3, "Updated", NOON, NOON, samples=(Sample(NOON, 70.0, "Transaction.Begin", "Inlet", 0),)),
        Event(4, "Updated", NOON, NOON, samples=(Sample(NOON, 95.0, "Transaction.End", "Inlet", 0),)),
    )

    summary = summary_of((*transaction(0, 4_000_000), *inlet))

    assert (summary.meter_start_wh, summary.energy_wh) == (70, 25)


def test_all_readings_of_a_transaction_may_come_with_its_end():
    samples = tuple(Sample(NOON + timedelta(minutes=m), 100.0 * m, "Sample.Periodic", "Outlet", m) for m in range(60))
    updated = Event(1, "Updated", NOON, NOON, samples=samples[30:31])
    ended = Event(2, "Ended", NOON + timedelta(minutes=60), NOON, samples=samples)

    assert summary_of((updated, ended, Event(0, "Started", NOON, NOON, samples=samples[:1]))).energy_wh == 5900


def test_the_readings_of_a_long_transaction_take_no_more_room_than_those_of_a_short_one():
    fold = None
    for event in transaction(*range(0, 100_000, 100)):
        fold = merge(fold, event, None)

    [register] = fold.registers.values()
    assert len(register.some) == KEPT
    assert len(msgspec.msgpack.encode(fold)) < 700


def test_a_long_transaction_whose_meter_restarts_is_seen():
    energy_wh, source, flags = shown(*range(0, 50_000, 100), *range(0, 80_000, 100), minutes_apart=1)

    assert (source, flags) == ("readings", RESTARTED)
    assert 80_000 < energy_wh < 130_000


readings = st.lists(st.sampled_from([0, 10, 20, 500, 1000, 1500, 9000, 909_948, 910_031]), min_size=2, max_size=6)


@given(readings)
def test_the_order_of_arrival_makes_no_difference(readings_wh):
    events = tuple(transaction(*readings_wh))

    assert len({summary_of(order) for order in list(permutations(events))[:120]}) == 1


@given(st.lists(st.integers(0, 10**7), min_size=KEPT + 1, max_size=60), st.randoms())
def test_which_readings_are_kept_does_not_depend_on_the_order_either(readings_wh, random):
    events = list(transaction(*readings_wh))
    in_order = summary_of(events)
    random.shuffle(events)

    assert summary_of(events) == in_order


@given(readings)
def test_an_end_without_energy_always_says_why(readings_wh):
    energy_wh, source, flags = shown(*readings_wh)

    assert (energy_wh is None) == (source == "")
    assert energy_wh is not None or flags


@given(st.lists(st.integers(0, 9000), min_size=2, max_size=40).map(sorted))
def test_a_register_that_only_rises_is_never_doubted(readings_wh):
    assert shown(*readings_wh) == (readings_wh[-1] - readings_wh[0], "register", ())


def sample(wh, minutes, context="Sample.Periodic", **more):
    return Sample(NOON + timedelta(minutes=minutes), float(wh), context, more.pop("location", "Outlet"), 0, **more)


def told(*messages, **more):
    """Return what a transaction of an hour comes to whose events bring these samples, the last ones its end."""
    last = len(messages) - 1
    kinds = ("Started", *["Updated"] * (last - 1), "Ended")
    hour = timedelta(hours=1)
    times = [NOON + hour * number / last for number in range(last + 1)]
    events = [
        Event(number, kind, at, NOON, samples=tuple(samples), **more)
        for number, (kind, at, samples) in enumerate(zip(kinds, times, messages, strict=True))
    ]
    [summary] = {summary_of(order) for order in permutations(events)}
    return summary.energy_wh, summary.energy_source, summary.flags


def phases(*each, minutes, names=("L1", "L2", "L3"), context="Sample.Periodic"):
    return [sample(wh, minutes, context, phase=name) for name, wh in zip(names, each, strict=False)]


@pytest.mark.parametrize("names", [("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N")])
def test_registers_of_phases_add_up(names):
    begin = phases(100, 200, 300, minutes=0, names=names)
    end = phases(1100, 1200, 1400, minutes=60, names=names)

    assert told(begin, end) == (3100, "per_phase", ("energy_per_phase",))


def test_one_phase_alone_is_all_there_is():
    assert told(phases(100, minutes=0), phases(900, minutes=60)) == (800, "per_phase", ("energy_per_phase",))


def test_a_register_of_all_phases_stands_for_them():
    begin = [*phases(100, 200, 300, minutes=0), sample(600, 0)]
    end = [sample(3600, 60), *phases(1100, 1200, 1300, minutes=60)]

    assert told(begin, phases(500, 500, 500, minutes=30), end) == (3000, "register", ())


def test_what_lies_between_two_phases_is_no_energy_of_either():
    names = ("L1-L2", "L2-L3", "L3-L1")

    assert told(phases(1, 1, 1, minutes=0, names=names), phases(9, 9, 9, minutes=60, names=names))[0] is None


def test_a_phase_that_no_power_explains_leaves_the_whole_unknown():
    energy_wh, _source, flags = told(phases(100, 0, minutes=0), phases(900, 4_000_000, minutes=60))

    assert (energy_wh, flags) == (None, ("energy_implausible",))


def interval(wh, minutes, context="Sample.Periodic", **more):
    return sample(wh, minutes, context, interval=True, **more)


def test_intervals_add_up_where_there_is_no_register():
    messages = [interval(7, 0)], [interval(500, 20)], [interval(400, 40), interval(500, 20)], [interval(300, 60)]

    assert told(*messages) == (1200, "intervals", ("energy_from_readings",))


def test_intervals_by_the_clock_are_not_added_to_others():
    periodic = [interval(500, 30)], [interval(500, 60, "Transaction.End")]
    by_clock = [interval(990, 60, "Sample.Clock")]

    assert told([], *periodic, by_clock)[0] == 1000
    assert told([], by_clock, [])[0] == 990


@pytest.mark.parametrize("begin_wh", [0, 100])
def test_intervals_count_for_nothing_where_a_register_runs(begin_wh):
    assert told([sample(begin_wh, 0)], [interval(500, 30)], [sample(begin_wh + 900, 60)]) == (900, "register", ())


def test_intervals_count_where_the_register_stands_at_zero():
    assert told([sample(0, 0)], [interval(500, 30)], [sample(0, 60)])[:2] == (500, "intervals")


def test_intervals_that_no_power_explains_are_no_energy():
    assert told([], [interval(4e6, 30)], []) == (None, "", ("energy_implausible",))


def test_the_first_of_very_many_intervals_are_kept():
    message = [interval(1, minutes) for minutes in range(1, 1000)]

    assert told([], message, [])[0] == 500


def test_the_place_nearest_to_the_car_is_asked_first():
    places = ("Upstream", "Body", "Inlet", "EV", "Cable", "Outlet")
    for number, place in enumerate(places):
        begin = [sample(0, 0, location=each) for each in places[: number + 1]]
        end = [sample(100 * (1 + each), 60, location=name) for each, name in enumerate(places[: number + 1])]
        assert told(begin, end)[0] == 100 * (1 + number), place

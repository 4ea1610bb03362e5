"""Variables, registration, profiles, history: what is pure in a station."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_station.charging import Outlet
from chargebus_station.device_model import (
    DataType,
    DeviceModel,
    Mutability,
    Takes,
    Variable,
    VariableAddress,
    VariableStatus,
)
from chargebus_station.history import Fate, History, MessageEntry, TransactionEntry
from chargebus_station.limits import Moment
from chargebus_station.profiles import ChargingProfiles, Period, Profile, RateUnit
from chargebus_station.registration import OWN_RETRY_S, Origin, Registration, Status
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AC, DC = Outlet(22_000, 3), Outlet(150_000, 0)


def device():
    return DeviceModel(
        {
            VariableAddress("Ctrlr", "Interval"): Variable("60", DataType.INTEGER, minimum=0, maximum=100),
            VariableAddress("Ctrlr", "Enabled"): Variable("true", DataType.BOOLEAN),
            VariableAddress("Ctrlr", "Serial"): Variable("7", mutability=Mutability.READ_ONLY),
            VariableAddress("Ctrlr", "Password"): Variable("x", mutability=Mutability.WRITE_ONLY),
            VariableAddress("Ctrlr", "Name"): Variable("a", takes=Takes.AFTER_REBOOT),
            VariableAddress("Ctrlr", "Points"): Variable("", DataType.MEMBER_LIST, allowed=("A", "B")),
        }
    )


@pytest.mark.parametrize(
    ("variable", "text", "outcome"),
    [
        ("Interval", "61", VariableStatus.ACCEPTED),
        ("Interval", "banana", VariableStatus.REJECTED),
        ("Interval", "101", VariableStatus.REJECTED),
        ("Interval", "1.5", VariableStatus.REJECTED),
        ("Enabled", "FALSE", VariableStatus.ACCEPTED),
        ("Enabled", "no", VariableStatus.REJECTED),
        ("Serial", "8", VariableStatus.REJECTED),
        ("Password", "y", VariableStatus.ACCEPTED),
        ("Name", "b", VariableStatus.REBOOT_REQUIRED),
        ("Points", "B, A", VariableStatus.ACCEPTED),
        ("Points", "A,C", VariableStatus.REJECTED),
        ("Nothing", "x", VariableStatus.UNKNOWN_VARIABLE),
    ],
)
def test_B05_a_variable_takes_what_fits_it(variable, text, outcome):
    assert device().write(VariableAddress("Ctrlr", variable), text) is outcome


def test_names_of_variables_are_case_insensitive():
    model = device()
    assert model.write(VariableAddress("CTRLR", "interval"), "61") is VariableStatus.ACCEPTED
    assert model.read(VariableAddress("Ctrlr", "INTERVAL")) == (VariableStatus.ACCEPTED, "61")


def test_B05_a_refused_value_changes_nothing():
    model = device()
    model.write(VariableAddress("Ctrlr", "Interval"), "banana")
    assert model.value(VariableAddress("Ctrlr", "Interval")) == "60"


def test_B06_what_may_not_be_read_is_not_shown():
    assert device().read(VariableAddress("Ctrlr", "Password")) == (VariableStatus.REJECTED, "")
    assert device().read(VariableAddress("Ctrlr", "Interval")) == (VariableStatus.ACCEPTED, "60")
    assert device().read(VariableAddress("Ctrlr", "Nothing")) == (VariableStatus.UNKNOWN_VARIABLE, "")
    assert device().read(VariableAddress("Nobody", "Interval")) == (VariableStatus.UNKNOWN_COMPONENT, "")
    assert device().read(VariableAddress("Ctrlr", "Interval", evse_id=1)) == (VariableStatus.UNKNOWN_COMPONENT, "")


def test_a_new_station_boots_at_once_and_sends_nothing_else():
    registration = Registration()
    assert registration.boot_wait_s(NOW) == 0
    assert not registration.may_send(Origin.STATION)
    assert not registration.may_send(Origin.CSMS)


@pytest.mark.parametrize("status", [Status.PENDING, Status.REJECTED])
def test_B02_B03_the_interval_is_waited_for(status):
    registration = Registration()
    registration.answered(status, 300, NOW)
    assert registration.boot_wait_s(NOW) == 300
    assert registration.boot_wait_s(NOW + timedelta(seconds=301)) == 0
    assert not registration.may_send(Origin.STATION)
    assert registration.may_send(Origin.CSMS) is (status is Status.PENDING)


def test_B02_FR_06_an_interval_of_zero_leaves_the_wait_to_the_station():
    registration = Registration()
    registration.answered(Status.PENDING, 0, NOW)
    assert registration.boot_wait_s(NOW) == OWN_RETRY_S


def test_an_accepted_station_boots_again_only_when_asked():
    registration = Registration()
    registration.answered(Status.ACCEPTED, 300, NOW)
    assert registration.boot_wait_s(NOW + timedelta(days=1)) is None
    registration.asked_for = True
    assert registration.boot_wait_s(NOW) == 0


def profile(number, purpose="TxDefaultProfile", **more):
    fields = {"evse_id": 1, "stack_level": 0, "kind": "Relative", "unit": RateUnit.WATTS, "periods": ((0, 5000.0),)}
    given = {**fields, **more}
    return Profile(id=number, purpose=purpose, **{**given, "periods": tuple(Period(*p) for p in given["periods"])})


def limit(profiles, evse_id=1, at=NOW, outlet=AC):
    return profiles.limit(evse_id, Moment(at, NOW)).watts(outlet)


def test_no_profile_is_no_limit():
    assert limit(ChargingProfiles()) == math.inf


def test_K01_the_transaction_s_own_profile_goes_before_the_default_one():
    profiles = ChargingProfiles()
    profiles.install(profile(1))
    profiles.install(profile(2, "TxProfile", periods=((0, 9000.0),)))
    assert limit(profiles) == 9000
    profiles.transaction_ended(1)
    assert limit(profiles) == 5000


def test_the_lowest_purpose_wins_and_the_highest_stack_level_of_each():
    profiles = ChargingProfiles()
    profiles.install(profile(1, stack_level=1, periods=((0, 9000.0),)))
    profiles.install(profile(2, stack_level=0))
    assert limit(profiles) == 9000
    profiles.install(profile(3, "ChargePointMaxProfile", evse_id=0, periods=((0, 7000.0),)))
    assert limit(profiles) == 7000


def test_periods_follow_one_another_and_the_duration_ends_them():
    profiles = ChargingProfiles()
    profiles.install(profile(1, periods=((0, 5000.0), (600, 8000.0)), duration_s=1200))
    minutes = [limit(profiles, at=NOW + timedelta(minutes=minute)) for minute in (0, 9, 10, 19, 20)]
    assert minutes == [5000, 5000, 8000, 8000, math.inf]


def test_a_daily_schedule_comes_again():
    profiles = ChargingProfiles()
    begun = NOW - timedelta(days=3, hours=1)
    daily = {"kind": "Recurring", "recurrency": "Daily", "starts_at": begun, "duration_s": 7200}
    profiles.install(profile(1, **daily))
    assert limit(profiles) == 5000
    assert limit(profiles, at=NOW + timedelta(hours=2)) == math.inf


def test_amperes_count_on_every_phase():
    profiles = ChargingProfiles()
    profiles.install(profile(1, unit=RateUnit.AMPERES, periods=((0, 16.0),)))
    assert limit(profiles) == 16 * 230 * 3
    assert limit(profiles, outlet=DC) == 16 * 400


def test_a_profile_that_is_not_valid_yet_or_no_more_does_not_count():
    profiles = ChargingProfiles()
    profiles.install(profile(1, valid_from=NOW + timedelta(hours=1), valid_to=NOW + timedelta(hours=2)))
    hours = [limit(profiles, at=NOW + timedelta(hours=hour)) for hour in (0, 1, 2)]
    assert hours == [math.inf, 5000, math.inf]


@given(limits=st.lists(st.floats(0, 50_000), min_size=1, max_size=5))
def test_more_profiles_of_the_station_never_raise_the_limit(limits):
    profiles, before = ChargingProfiles(), math.inf
    for number, watts in enumerate(limits):
        profiles.install(profile(number, f"Purpose{number}", evse_id=0, periods=((0, watts),)))
        assert limit(profiles) <= before
        before = limit(profiles)


def entry(number, *fates):
    messages = [MessageEntry("TransactionEvent", "Started", n, NOW, False, fate=fate) for n, fate in enumerate(fates)]
    ended_at = NOW if fates else None
    return TransactionEntry(f"k{number}", "CS", "2.1", 1, 1, NOW, 100, ended_at=ended_at, messages=messages)


def test_books_forget_only_what_is_settled():
    history = History("CS", "2.1", keep=1)
    settled = [entry(n, Fate.ANSWERED) for n in range(3)]
    waiting = entry(9, Fate.ANSWERED, Fate.QUEUED)
    for each in (*settled, waiting, entry(10)):
        history.open(each)
    assert [kept.key for kept in history.transactions] == ["k2", "k9", "k10"]
    assert history.waiting == 1


def test_books_list_what_the_csms_must_know():
    history = History("CS", "2.1")
    for each in (entry(1, Fate.ANSWERED), entry(2, Fate.DISCARDED), entry(3, Fate.QUEUED, Fate.ANSWERED)):
        history.open(each)
    assert [known.key for known in history.answered_transactions()] == ["k1", "k3"]
    assert [known.start_answered for known in history.transactions] == [True, False, True]


def test_the_energy_of_a_transaction_is_the_difference_of_the_register():
    history, transaction = History("CS", "1.6"), entry(1)
    history.open(transaction)
    assert transaction.energy_wh is None
    history.close(transaction, NOW, 1600, "Local")
    assert (transaction.energy_wh, history.energy_wh, history.transactions_ended) == (1500, 1500, 1)

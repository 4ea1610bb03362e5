"""Charging profiles: which are taken, what they make of what a vehicle draws, and what is told of it."""

import asyncio
import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_station import charging, incidents, measurands
from chargebus_station.charging import Outlet, Vehicle
from chargebus_station.charging_habits import ChargingHabit
from chargebus_station.config import AC_22, DC_150, StationConfig
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.external_limits import ExternalLimit
from chargebus_station.history import TransactionEntry
from chargebus_station.limits import Limit, Moment
from chargebus_station.profile_rules import Capabilities, Refusal, refusal
from chargebus_station.profiles import ChargingProfiles, LimitAtSoC, Period, Profile, RateUnit
from chargebus_station.state import Evse, StationState
from chargebus_station.transaction import ChargingState, IdToken, Transaction
from chargebus_station.v16 import V16
from chargebus_station.v201 import V201

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ABLE = Capabilities(True, 3, ("A", "W"), 2, 3, switches_phases=False)
ONE_PHASE = Vehicle(40_000, 7_400, soc=0.2, phases=1)
SIXTEEN = Vehicle(60_000, 11_000, soc=0.2, max_current_a=16)


def profile(number=1, *limits, purpose="TxDefaultProfile", **more):
    fields = {"evse_id": 1, "stack_level": 0, "kind": "Relative", "unit": RateUnit.AMPERES}
    periods = tuple(Period(n * 600, limit) for n, limit in enumerate(limits or (16.0,)))
    return Profile(id=number, purpose=purpose, **{"periods": periods, **fields, **more})


def evse(transaction_id=None):
    entry = TransactionEntry("k", "CS", "2.1", 1, 1, NOW, 0, transaction_id=transaction_id)
    transaction = transaction_id and Transaction(entry, transaction_id, None, ChargingState.CHARGING)
    return Evse(1, AC_22, 0.0, transaction=transaction or None)


def refused(wanted, *held, able=ABLE, at=None):
    return refusal(wanted, able, held, evse() if at is None else at)


# What is drawn


def test_a_vehicle_of_one_phase_draws_on_one():
    charge = charging.advance(charging.begin(ONE_PHASE, AC_22), 60)
    shown = replace(Evse(1, AC_22, 0.0), charge=charge).read(NOW, 16 * 230.0)
    currents = [value.value for value in measurands.values(shown, ["Current.Import"])]
    assert currents == [16.0, 0.0, 0.0]


def test_a_vehicle_of_three_phases_has_one_at_an_outlet_of_one():
    charge = charging.advance(charging.begin(SIXTEEN, Outlet(7_400, 1)), 60)
    assert charging.power_w(charge) == pytest.approx(16 * 230)


def test_a_vehicle_never_draws_more_than_its_own_charger_takes():
    charge = charging.advance(charging.begin(replace(SIXTEEN, max_power_w=22_000), AC_22), 60)
    assert charging.power_w(charge) == 16 * 230 * 3


@pytest.mark.parametrize(("limit_a", "drawn_a"), [(5.9, 0), (6, 6), (10, 10), (32, 16)])
def test_a_vehicle_stops_below_six_amperes(limit_a, drawn_a):
    charge = charging.advance(charging.begin(SIXTEEN, AC_22), 60)
    assert charging.power_w(charge, limit_a * 690) == pytest.approx(drawn_a * 690, abs=70)


def test_a_DC_vehicle_takes_what_it_gets():
    assert charging.power_w(charging.begin(ONE_PHASE, DC_150), 500) == 500


def test_a_limit_in_watts_is_that_of_all_phases_and_one_in_amperes_of_each():
    assert Limit(phase_a=16).watts(AC_22, 1) == 16 * 230
    assert Limit(total_w=11_040).watts(AC_22, 1) == 11_040
    assert Limit(total_w=11_040).amperes(AC_22) == 16
    assert Limit(phase_a=16, phases=1).watts(AC_22) == 16 * 230


# Which profiles are taken


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (profile(), None),
        (profile(stack_level=4), Refusal.INVALID_STACK_LEVEL),
        (profile(1, 16, 10, 6), Refusal.TOO_MANY_PERIODS),
        (profile(evse_id=7), Refusal.UNKNOWN_EVSE),
        (profile(periods=(Period(60, 16),)), Refusal.INVALID_SCHEDULE),
        (profile(periods=(Period(0, 16), Period(0, 6))), Refusal.INVALID_SCHEDULE),
        (profile(1, -1), Refusal.INVALID_SCHEDULE),
        (profile(kind="Absolute"), Refusal.INVALID_SCHEDULE),
        (profile(1, 16, 10, kind="Dynamic"), Refusal.INVALID_SCHEDULE),
        (profile(periods=(Period(0, 16, 1, 2),)), Refusal.UNSUPPORTED_PARAM),
        (profile(purpose="ChargingStationMaxProfile"), Refusal.INVALID_PROFILE),
        (profile(purpose="ChargingStationExternalConstraints"), Refusal.INVALID_PROFILE),
        (profile(purpose="TxProfile", transaction_id="T1"), Refusal.TX_NOT_FOUND),
    ],
)
def test_K01_a_profile_that_the_station_cannot_take_is_refused_and_told_why(wanted, why):
    at = None if wanted.evse_id == 7 else evse()
    assert refusal(wanted, ABLE, (), at) is why


@pytest.mark.parametrize(
    ("transaction_id", "why"), [("T1", None), ("T2", Refusal.TX_NOT_FOUND), (None, Refusal.MISSING_PARAM)]
)
def test_K01_FR_03_FR_33_a_TxProfile_is_for_a_transaction_under_way(transaction_id, why):
    assert refused(profile(purpose="TxProfile", transaction_id=transaction_id), at=evse("T1")) is why


def test_K01_FR_05_FR_39_a_place_that_is_taken_is_given_up_to_the_same_id_only():
    assert refused(profile(1, 10), profile(1)) is None
    assert refused(profile(2, 10), profile(1)) is Refusal.DUPLICATE_PROFILE
    assert refused(profile(2, 10), profile(1), able=replace(ABLE, versions_2=False)) is None
    later = profile(2, valid_from=NOW + timedelta(hours=1))
    assert refused(later, profile(1, valid_to=NOW + timedelta(hours=1))) is None


def test_ids_of_others_are_not_for_the_CSMS():
    able = replace(ABLE, external_ids_to=100)
    assert refused(profile(100), able=able) is Refusal.INVALID_PROFILE
    assert refused(profile(101), able=able) is None


def test_only_so_many_profiles_are_held_and_those_of_others_do_not_count():
    held = [profile(n, stack_level=n) for n in (1, 2, 3)]
    assert refused(profile(9), *held) is Refusal.TOO_MANY_PROFILES
    assert refused(profile(2, stack_level=2), *held) is None
    assert refused(profile(9), *held[:2], ExternalLimit(6).profile) is None


@pytest.mark.parametrize(
    ("habit", "wanted", "why"),
    [
        (ChargingHabit.REFUSES_ZERO, profile(1, 0), Refusal.ZERO_NOT_ALLOWED),
        (ChargingHabit.REFUSES_TX_DEFAULT, profile(), Refusal.UNSUPPORTED_PURPOSE),
        (ChargingHabit.REFUSES_STATION_MAX, profile(purpose="ChargePointMaxProfile"), Refusal.UNSUPPORTED_PURPOSE),
        (ChargingHabit.REFUSES_AMPERES, profile(), Refusal.UNSUPPORTED_RATE_UNIT),
        (ChargingHabit.REFUSES_WATTS, profile(unit=RateUnit.WATTS), Refusal.UNSUPPORTED_RATE_UNIT),
    ],
)
def test_a_habit_refuses(habit, wanted, why):
    assert refused(wanted) is not why
    assert refused(wanted, able=replace(ABLE, habits=frozenset({habit}))) is why


def test_a_station_says_which_units_it_takes():
    def config(version):
        return StationConfig("CS", version, "ws://x", charging_habits={ChargingHabit.REFUSES_WATTS})

    keys = V16().variables(config("1.6"))
    assert keys[V16().address_of("ChargingScheduleAllowedChargingRateUnit")].value == "Current"
    variables = V201().variables(config("2.0.1"))
    assert variables[V201().address_of("SmartChargingCtrlr.RateUnit")].value == "A"


# What profiles allow


def limit_a(*held, evse_id=1, sharers=1, **moment):
    profiles = ChargingProfiles()
    for each in held:
        profiles.install(each)
    return profiles.limit(evse_id, Moment(**{"now": NOW, "begun_at": NOW, **moment}), sharers).phase_a


def test_the_limit_of_the_station_is_shared_by_those_who_charge():
    whole = profile(1, 32, purpose="ChargingStationMaxProfile", evse_id=0)
    assert limit_a(whole, sharers=2) == 16
    assert limit_a(profile(1, 32, evse_id=0), sharers=2) == 32, "a default is for each"


def test_K22_a_priority_profile_goes_before_the_others_while_it_is_in_use():
    held = (profile(1, 10), profile(2, 32, purpose="PriorityCharging"))
    assert (limit_a(*held), limit_a(*held, priority=True)) == (10, 32)


def test_local_generation_adds_to_what_others_allow():
    external = ExternalLimit(10).profile
    assert limit_a(external, profile(2, 6, purpose="LocalGeneration", evse_id=0)) == 16


@pytest.mark.parametrize(("offline_s", "found"), [(0, 16), (59, 16), (60, math.inf)])
def test_a_profile_is_valid_offline_as_long_as_it_says(offline_s, found):
    assert limit_a(profile(1, 16, max_offline_s=60), offline_s=offline_s) == found


def test_a_profile_that_ends_offline_does_not_come_back():
    profiles = ChargingProfiles()
    profiles.install(profile(1, max_offline_s=60, ends_offline=True))
    profiles.install(profile(2, max_offline_s=60, stack_level=1))
    profiles.came_back(61, NOW)
    assert [held.id for held in profiles.held] == [2]


def test_a_limit_at_a_state_of_charge_holds_from_there_on():
    held = profile(1, 32, at_soc=LimitAtSoC(80, 10))
    assert (limit_a(held, soc_percent=79), limit_a(held, soc_percent=80), limit_a(held)) == (32, 10, 32)


def test_a_randomized_delay_puts_changes_off_but_not_the_beginning():
    held = profile(1, 32, 6, delay_s=30)
    at = [limit_a(held, now=NOW + timedelta(seconds=s)) for s in (0, 600, 629, 630)]
    assert at == [32, 32, 32, 6]


def test_changes_are_told_ahead_to_the_second():
    profiles = ChargingProfiles()
    profiles.install(profile(1, 32, 6, duration_s=900, valid_to=NOW + timedelta(seconds=1000)))
    seconds = [(at - NOW).total_seconds() for at in profiles.changes(Moment(NOW, NOW), NOW + timedelta(hours=1))]
    assert seconds == [600, 900, 1000]


def test_a_daily_schedule_changes_every_day():
    profiles = ChargingProfiles()
    profiles.install(profile(1, kind="Recurring", recurrency="Daily", starts_at=NOW, duration_s=3600))
    found = profiles.changes(Moment(NOW, NOW), NOW + timedelta(days=2))
    assert [(at - NOW) / timedelta(hours=1) for at in found] == [1, 24, 25]


# What it does with habits, over its socket

ALL = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
VISIT = DriverVisit(1, SIXTEEN, IdToken("ALICE"), stay_s=36_000)


def default(version, *limits, unit="A", **more):
    periods = [{"startPeriod": n * 600, "limit": limit} for n, limit in enumerate(limits)]
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    stem = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative", **more}
    if version == "1.6":
        return {"connectorId": 0, "csChargingProfiles": {"chargingProfileId": 1, **stem, "chargingSchedule": schedule}}
    return {"evseId": 0, "chargingProfile": {"id": 1, **stem, "chargingSchedule": [{"id": 1, **schedule}]}}


async def charges(station):
    station.visit(VISIT)
    await station.until(lambda: station.state.evses[1].charge is not None)
    await station.until(lambda: drawn_a(station) > 15)


def drawn_a(station):
    evse = station.state.evses[1]
    return station.state.shown(evse, station.clock.now()).power_w / 690


@ALL
async def test_a_limit_is_obeyed_at_once_and_zero_suspends(csms, start, version):
    async with start(version, settings=fast(version)) as station:
        await charges(station)
        assert (await csms.call("SetChargingProfile", default(version, 10)))["status"] == "Accepted"
        assert drawn_a(station) == pytest.approx(10, abs=0.1)
        assert (await csms.call("SetChargingProfile", default(version, 0)))["status"] == "Accepted"
        await station.until(lambda: station.state.evses[1].transaction.state is ChargingState.SUSPENDED_EVSE)
        assert drawn_a(station) == 0
        assert (await csms.call("ClearChargingProfile", {})) == {"status": "Accepted"}
        await station.until(lambda: station.state.evses[1].transaction.state is ChargingState.CHARGING)


def fast(version):
    return {"MeterValueSampleInterval" if version == "1.6" else "SampledDataCtrlr.TxUpdatedInterval": "600"}


@ALL
async def test_the_energy_of_a_limit_that_came_in_between_is_that_of_both(csms, start, version):
    async with start(version, settings=fast(version)) as station:
        await charges(station)
        evse = station.state.evses[1]
        await csms.call("SetChargingProfile", default(version, 0))
        await station.until(lambda: evse.transaction.state is ChargingState.SUSPENDED_EVSE)
        at, before_wh = station.clock.now(), evse.register_wh
        await station.clock.sleep(3600)
        await csms.call("SetChargingProfile", default(version, 16))
        await station.until(lambda: evse.transaction.state is ChargingState.CHARGING)
        hours = (station.clock.now() - at).total_seconds() / 3600
        assert hours >= 1
        assert evse.register_wh - before_wh < 0.1 * 11_040 * hours


@pytest.mark.parametrize(
    ("habit", "drawn"),
    [(ChargingHabit.IGNORES_LIMITS, 16), (ChargingHabit.OVERDRAWS, 12.5), (ChargingHabit.UNDERSTATES, 7.5)],
)
async def test_a_habit_shows_in_what_is_drawn(csms, start, habit, drawn):
    async with start("2.0.1", settings=fast("2.0.1"), charging_habits={habit}) as station:
        station.visit(VISIT)
        await station.until(lambda: station.state.evses[1].charge is not None)
        await station.clock.sleep(120)
        assert (await csms.call("SetChargingProfile", default("2.0.1", 10)))["status"] == "Accepted"
        assert drawn_a(station) == pytest.approx(drawn, abs=0.1)
        composite = await csms.call("GetCompositeSchedule", {"evseId": 1, "duration": 60, "chargingRateUnit": "A"})
        assert composite["schedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]


async def test_a_station_that_lags_obeys_half_a_minute_later():
    station = _state(ChargingHabit.LAGS)
    station.profiles.install(profile(1, 10), NOW)
    evse = station.evses[1]
    drawn = [station.limit_w(evse, NOW + timedelta(seconds=s)) for s in (0, 29, 30)]
    assert drawn == [math.inf, math.inf, 10 * 690]
    assert station.limit_changes_in_s(evse, NOW + timedelta(seconds=10), 600) == 20


def _state(*habits):
    core_evse = evse("T1")
    return StationState("CS", {1: core_evse}, None, None, None, None, charging_habits=set(habits))


@ALL
async def test_a_station_that_forgets_holds_no_profile_after_a_boot(csms, start, version):
    for habits, kept in ((frozenset(), 1), ({ChargingHabit.FORGETS_AT_BOOT}, 0)):
        async with start(version, charging_habits=habits) as station:
            await csms.call("SetChargingProfile", default(version, 10))
            boots = station.history.boots_accepted
            station.power_cycle()
            await station.until(lambda was=boots, one=station: one.history.boots_accepted > was)
            assert len(station.state.profiles.held) == kept


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_K09_profiles_are_reported_by_EVSE_and_source_in_parts(csms, start, version):
    async with start(version) as station:
        for n in range(3):
            await csms.call("SetChargingProfile", _stacked(default(version, 10), n))
        station.limit_externally(ExternalLimit(20))
        answer = await csms.call("GetChargingProfiles", {"requestId": 5, "chargingProfile": {}})
        assert answer == {"status": "Accepted"}
        await csms.until(lambda: len(csms.seen("ReportChargingProfiles")) == 3)
        reports = csms.seen("ReportChargingProfiles")
        assert [report["tbc"] for report in reports] == [True, True, False]
        assert [len(report["chargingProfile"]) for report in reports] == [2, 1, 1]
        assert [report["chargingLimitSource"] for report in reports] == ["CSO", "CSO", "EMS"]
        none = {"requestId": 6, "chargingProfile": {"chargingLimitSource": ["SO"]}}
        assert await csms.call("GetChargingProfiles", none) == {"status": "NoProfiles"}


def _stacked(payload, level):
    payload["chargingProfile"] |= {"id": 10 + level, "stackLevel": level}
    return payload


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_K12_K13_a_local_EMS_limits_and_it_is_told(csms, start, version):
    external = ExternalLimit(8)
    async with start(version, settings=fast(version)) as station:
        await charges(station)
        station.limit_externally(external)
        await csms.until(lambda: csms.seen("NotifyChargingLimit") and _rates(csms) == 1)
        told = csms.seen("NotifyChargingLimit")[0]
        assert told["chargingLimit"] == {"chargingLimitSource": "EMS", "isGridCritical": False}
        assert told["chargingSchedule"][0]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 8}]
        assert drawn_a(station) == pytest.approx(8, abs=0.1)
        station.limit_externally(ExternalLimit(8.01))
        station.lift_external_limit(external)
        await csms.until(lambda: csms.seen("ClearedChargingLimit") and _rates(csms) == 2)
        assert len(csms.seen("NotifyChargingLimit")) == 1, "a change of less than one percent is not told"
        assert drawn_a(station) > 15


def _rates(csms):
    return sum(told["triggerReason"] == "ChargingRateChanged" for told in csms.seen("TransactionEvent"))


async def test_incidents_limit_a_station_and_take_it_offline_in_mid_charge(csms, start):
    rng = random.Random(1)
    async with start("2.0.1", settings=fast("2.0.1")) as station:
        await charges(station)
        limited = asyncio.create_task(incidents.limit_by_ems(station, rng))
        await csms.until(lambda: csms.seen("NotifyChargingLimit"))
        await limited
        await csms.until(lambda: csms.seen("ClearedChargingLimit"))
        away = asyncio.create_task(incidents.lose_network_in_mid_charge(station, rng))
        await station.until(lambda: not station.connected)
        assert drawn_a(station) > 15, "it goes on charging"
        await away
        await station.until(lambda: station.online)


async def test_an_EMS_limits_a_station_of_1_6_too_and_it_cannot_tell(csms, start):
    async with start("1.6", settings=fast("1.6")) as station:
        await charges(station)
        station.limit_externally(ExternalLimit(8))
        assert drawn_a(station) == pytest.approx(8, abs=0.1)


# 2.1


def dynamic(limit, **more):
    payload = default("2.1", limit, chargingProfileKind="Dynamic")
    payload["chargingProfile"] |= more
    return payload


async def test_K29_a_dynamic_profile_is_updated_and_another_is_not(csms, start):
    async with start("2.1", settings=fast("2.1")) as station:
        await charges(station)
        await csms.call("SetChargingProfile", dynamic(16))
        update = {"chargingProfileId": 1, "scheduleUpdate": {"limit": 7}}
        assert await csms.call("UpdateDynamicSchedule", update) == {"status": "Accepted"}
        assert drawn_a(station) == pytest.approx(7, abs=0.1)
        await csms.call("SetChargingProfile", default("2.1", 16))
        answer = await csms.call("UpdateDynamicSchedule", update)
        assert answer == {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}


async def test_K28_a_dynamic_profile_is_pulled_as_often_as_it_says(csms, start):
    limits = iter((9, 8))
    csms.scripts["PullDynamicScheduleUpdate"] = lambda _told: (
        {"status": "Accepted", "scheduleUpdate": {"limit": limit}}
        if (limit := next(limits, None)) is not None
        else {"status": "Rejected"}
    )
    async with start("2.1", settings=fast("2.1")) as station:
        await charges(station)
        await csms.call("SetChargingProfile", dynamic(16, dynUpdateInterval=300))
        await csms.until(lambda: len(csms.seen("PullDynamicScheduleUpdate")) >= 3)
        assert drawn_a(station) == pytest.approx(8, abs=0.1)
        await csms.call("ClearChargingProfile", {"chargingProfileId": 1})
        assert drawn_a(station) > 15


async def test_K20_K21_priority_is_asked_for_from_afar_or_by_the_driver(csms, start):
    async with start("2.1", settings=fast("2.1")) as station:
        await charges(station)
        transaction_id = station.state.evses[1].transaction.transaction_id
        ask = {"transactionId": transaction_id, "activate": True}
        await csms.call("SetChargingProfile", default("2.1", 8))
        assert await csms.call("UsePriorityCharging", ask) == {"status": "NoProfile"}
        priority = default("2.1", 14, chargingProfilePurpose="PriorityCharging")
        priority["chargingProfile"]["id"] = 2
        await csms.call("SetChargingProfile", priority)
        assert await csms.call("UsePriorityCharging", ask) == {"status": "Accepted"}
        assert drawn_a(station) == pytest.approx(14, abs=0.1)
        station.prioritize(1, activated=False)
        await csms.until(lambda: csms.seen("NotifyPriorityCharging"))
        assert csms.seen("NotifyPriorityCharging") == [{"transactionId": transaction_id, "activated": False}]
        assert drawn_a(station) == pytest.approx(8, abs=0.1)
        unknown = await csms.call("UsePriorityCharging", {"transactionId": "nobody", "activate": True})
        assert unknown["status"] == "Rejected"


async def test_a_profile_that_is_not_valid_offline_lets_go_when_the_network_is_lost(csms, start):
    async with start("2.1", settings=fast("2.1")) as station:
        await charges(station)
        await csms.call("SetChargingProfile", default("2.1", 8, maxOfflineDuration=600))
        assert drawn_a(station) == pytest.approx(8, abs=0.1)
        station.cut()
        await station.clock.sleep(1200)
        assert drawn_a(station) > 15
        station.mend()
        await station.until(lambda: station.online)
        assert drawn_a(station) == pytest.approx(8, abs=0.1)


@ALL
async def test_a_remote_start_brings_its_profile_which_ends_with_the_transaction(csms, start, version):
    stem = {"stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Relative"}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9}]}
    v16 = {"chargingProfile": {"chargingProfileId": 5, **stem, "chargingSchedule": schedule}, "idTag": "ALICE"}
    token = {"idToken": "ALICE", "type": "ISO14443"}
    v2 = {"chargingProfile": {"id": 5, **stem, "chargingSchedule": [{"id": 1, **schedule}]}, "idToken": token}
    async with start(version) as station:
        if version == "1.6":
            answer = await csms.call("RemoteStartTransaction", v16)
        else:
            answer = await csms.call("RequestStartTransaction", {**v2, "remoteStartId": 3})
        assert answer["status"] == "Accepted"
        evse = station.state.evses[1]
        await station.until(lambda: evse.charge is not None)
        assert station.state.limit(evse, station.clock.now()).phase_a == 9
        station.unplug(1)
        await station.until(lambda: evse.transaction is None and evse.charge is None)
        assert not station.state.profiles.held


async def test_a_report_says_how_many_profiles_there_may_be_and_are(csms, start):
    async with start("2.0.1") as station:
        await csms.call("SetChargingProfile", default("2.0.1", 10))
        component = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "Entries"}}
        await csms.call("GetReport", {"requestId": 1, "componentVariable": [component]})
        await csms.until(lambda: csms.seen("NotifyReport"))
        (datum,) = csms.seen("NotifyReport")[0]["reportData"]
        assert datum["variableAttribute"][0]["value"] == "1"
        assert datum["variableCharacteristics"]["maxLimit"] == 20
        assert station.online


async def test_what_may_be_drawn_changes_by_the_hour_of_the_schedule(csms, start):
    async with start("2.1", settings=fast("2.1")) as station:
        await charges(station)
        now = station.clock.now()
        payload = default("2.1", 12, 8, chargingProfileKind="Absolute")
        payload["chargingProfile"]["chargingSchedule"][0]["startSchedule"] = format_timestamp(now)
        await csms.call("SetChargingProfile", payload)
        answer = await csms.call("GetCompositeSchedule", {"evseId": 1, "duration": 1200, "chargingRateUnit": "A"})
        periods = answer["schedule"]["chargingSchedulePeriod"]
        assert [period["limit"] for period in periods] == [12, 8]
        await station.clock.sleep(700)
        assert drawn_a(station) == pytest.approx(8, abs=0.1)

"""Limits as profiles in the words of each version, all of them valid by the official schemas."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_ocppj.schemas import validate_call
from chargebus_smart_charging.sites.domain.site import Evse
from chargebus_smart_charging.steering import routes, v201
from chargebus_smart_charging.steering.domain import profiles
from chargebus_smart_charging.steering.domain.habits import Habits
from chargebus_smart_charging.steering.domain.held import Order
from chargebus_smart_charging.steering.domain.steered import Steerable
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(seconds=1800)
EVSE = Evse("CS-1", 2, "panel", voltage_v=230.0, phases=(1, 2, 3), min_a=6.0, max_a=32.0)
STEERABLE = Steerable(EVSE, limit_key="Station-MaxCurrent")
LEVELS = ((NOW, 16.0), (NOW + timedelta(seconds=600), 10.3))
LIMIT = Order(1, "limit", NOW, "TxProfile", LEVELS, UNTIL, "7")
DEFAULT = Order(2, "default", NOW, "TxDefaultProfile", ((NOW, 6.0),))


def steerable(**habits: object) -> Steerable:
    return msgspec.structs.replace(STEERABLE, habits=msgspec.convert(habits, Habits))


def said(order: Order, version: str, to: Steerable = STEERABLE) -> dict:
    """What is said in a version, checked against its schema."""
    (form,) = [form for form in routes.forms_of(order, to) if version in form.versions]
    validate_call(version, form.action, form.payload)
    return json.loads(form.payload)


def profile(order: Order, version: str, to: Steerable = STEERABLE) -> dict:
    told = said(order, version, to)
    return told["csChargingProfiles"] if version == "1.6" else told["chargingProfile"]


def schedule(order: Order, version: str, to: Steerable = STEERABLE) -> dict:
    told = profile(order, version, to)["chargingSchedule"]
    return told if version == "1.6" else told[0]


EVERY_VERSION = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])


@EVERY_VERSION
def test_K01_FR_03_K01_FR_16_a_limit_is_for_the_running_transaction_and_its_evse(version):
    told = said(LIMIT, version)

    assert (told.get("connectorId") or told.get("evseId")) == 2
    assert profile(LIMIT, version)["chargingProfilePurpose"] == "TxProfile"
    assert profile(LIMIT, version)["transactionId"] == (7 if version == "1.6" else "7")


@EVERY_VERSION
def test_K01_FR_31_K01_FR_35_periods_begin_at_0_and_rise(version):
    periods = schedule(LIMIT, version)["chargingSchedulePeriod"]

    assert [(each["startPeriod"], each["limit"]) for each in periods] == [(0, 16.0), (660, 10.3)]


@EVERY_VERSION
def test_K01_FR_40_a_limit_has_a_start_that_a_late_clock_has_passed_and_an_end(version):
    told, of = profile(LIMIT, version), schedule(LIMIT, version)

    assert told["chargingProfileKind"] == "Absolute"
    assert datetime.fromisoformat(of["startSchedule"]) == NOW - timedelta(seconds=60)
    assert datetime.fromisoformat(told["validTo"]) == UNTIL
    assert of["duration"] == 1860


@EVERY_VERSION
def test_a_default_begins_with_each_transaction_and_needs_no_clock(version):
    told, of = profile(DEFAULT, version), schedule(DEFAULT, version)

    assert (told["chargingProfileKind"], told["chargingProfilePurpose"]) == ("Relative", "TxDefaultProfile")
    assert told["stackLevel"] == 0
    assert {"startSchedule", "duration"}.isdisjoint(of)
    assert {"validTo", "transactionId", "maxOfflineDuration"}.isdisjoint(told)


@EVERY_VERSION
def test_K01_FR_39_limit_and_default_stand_on_levels_and_ids_of_their_own(version):
    replacing = msgspec.structs.replace(LIMIT, rung="TxDefaultProfile")
    told = [profile(order, version, steerable(max_stack_level=8)) for order in (LIMIT, replacing, DEFAULT)]
    ids = [each.get("id", each.get("chargingProfileId")) for each in told]

    assert [each["stackLevel"] for each in told] == [8, 1, 0]
    assert len(set(ids)) == 3
    assert all(profiles.is_ours(each) for each in ids)


def test_ids_of_evses_do_not_collide_and_fit_into_32_bits():
    places = ("TxProfile", "TxDefaultProfile", "default", "ChargingStationMaxProfile")
    ids = [profiles.profile_id(evse_id, place) for evse_id in range(2000) for place in places]

    assert len(set(ids)) == len(ids)
    assert max(ids) < 2**31
    assert not profiles.is_ours(int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()))


@EVERY_VERSION
def test_a_station_maximum_is_for_the_whole_station(version):
    told = said(msgspec.structs.replace(LIMIT, rung="ChargingStationMaxProfile"), version)
    of = told.get("csChargingProfiles") or told["chargingProfile"]

    assert told.get("connectorId", told.get("evseId")) == 0
    assert of["chargingProfilePurpose"] == (
        "ChargePointMaxProfile" if version == "1.6" else "ChargingStationMaxProfile"
    )
    assert "transactionId" not in of


@EVERY_VERSION
def test_watts_are_told_for_the_phases_that_are_used(version):
    watts = steerable(unit="W")
    order = msgspec.structs.replace(LIMIT, phases=1)
    of = schedule(order, version, watts)

    assert of["chargingRateUnit"] == "W"
    assert [each["limit"] for each in of["chargingSchedulePeriod"]] == [3680.0, 2369.0]
    assert {each["numberPhases"] for each in of["chargingSchedulePeriod"]} == {1}


@EVERY_VERSION
def test_K01_FR_19_phases_are_not_told_for_dc(version):
    dc = msgspec.structs.replace(STEERABLE, evse=msgspec.structs.replace(EVSE, current="DC"))

    assert "numberPhases" not in schedule(LIMIT, version, dc)["chargingSchedulePeriod"][0]


@given(st.floats(0, 500), st.sampled_from([0, 1, 2, 3]), st.sampled_from(["1.6", "2.0.1", "2.1"]))
def test_a_limit_is_a_multiple_of_a_tenth_and_never_more_than_meant(amperes, phases, version):
    order = msgspec.structs.replace(LIMIT, levels=((NOW, amperes),), phases=phases)
    limit = schedule(order, version)["chargingSchedulePeriod"][0]["limit"]
    meant = amperes * 230 * phases if phases else amperes

    assert meant - 0.1001 <= limit <= meant + 0.0001


def test_a_limit_of_2_1_is_over_soon_where_its_station_has_lost_its_csms():
    told = profile(LIMIT, "2.1")

    assert (told["maxOfflineDuration"], told["invalidAfterOfflineDuration"]) == (600, True)
    assert "maxOfflineDuration" not in profile(LIMIT, "2.0.1")


@EVERY_VERSION
def test_K01_FR_22_K01_FR_20_others_limits_are_not_set_and_no_phase_is_chosen(version):
    told = [said(order, version) for order in (LIMIT, DEFAULT)]

    assert "ExternalConstraints" not in json.dumps(told)
    assert "phaseToUse" not in json.dumps(told)


@EVERY_VERSION
@pytest.mark.parametrize("asking", ["clear", "verify", "suspend", "resume", "disable", "enable"])
def test_everything_else_is_valid_in_every_version(version, asking):
    order = Order(3, asking, NOW, "TxDefaultProfile", transaction_id="7", id_token="AB12")

    assert said(order, version)


def test_a_transaction_whose_id_is_no_number_cannot_be_told_in_1_6():
    order = msgspec.structs.replace(LIMIT, transaction_id="8a0b")

    assert {version for form in routes.forms_of(order, STEERABLE) for version in form.versions} == {"2.0.1", "2.1"}


def test_a_vendors_key_holds_whole_amperes():
    order = msgspec.structs.replace(LIMIT, rung="configuration key", levels=((NOW, 10.9),))

    assert said(order, "1.6") == {"key": "Station-MaxCurrent", "value": "10"}


@pytest.mark.parametrize(
    ("forms", "versions"),
    [
        (routes.limit_forms(), {"1.6", "2.0.1", "2.1"}),
        (routes.measurands_forms(["Energy.Active.Import.Register", "Power.Active.Import"]), {"1.6", "2.0.1", "2.1"}),
        (routes.profiles_forms(7), {"2.0.1", "2.1"}),
        (routes.composite_forms(1, "A"), {"1.6", "2.0.1", "2.1"}),
    ],
)
def test_questions_are_valid_in_every_version(forms, versions):
    for form in forms:
        for version in form.versions:
            validate_call(version, form.action, form.payload)

    assert {version for form in forms for version in form.versions} == versions


def test_a_profile_id_of_another_evse_is_another():
    assert v201.clear(msgspec.structs.replace(DEFAULT, asking="clear"), STEERABLE) == {
        "chargingProfileId": profiles.profile_id(2, "TxDefaultProfile")
    }

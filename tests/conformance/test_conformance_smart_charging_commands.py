"""Functional block K as operators use it: charging profiles set, cleared, asked for and reported, case by case."""

import pytest
from chargebus_testkit.raw.profiles import profile, schedule, setting
from chargebus_testkit.raw.times import written
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERY = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])

ACCEPTED = {"status": "Accepted"}


def held(station):
    """Return what a virtual station holds, as (id, EVSE, purpose, limits)."""
    return [
        (each.id, each.evse_id, each.purpose, [period.limit for period in each.periods])
        for each in station.state.profiles.held
    ]


def allowed_a(station, evse_id=1):
    return station.state.limit(station.state.evses[evse_id], station.clock.now()).phase_a


async def accepted(ask, station, evse_id, wanted):
    """Set a profile, and see to it that the operator is told that it was accepted."""
    answer = await ask(station, "SetChargingProfile", setting(station.config.version, evse_id, wanted))
    assert (answer["outcome"], answer["reply"]) == ("answered", ACCEPTED)


# 1.6


@pytest.mark.case("TC_056")
async def test_TC_056_central_smart_charging_TxDefaultProfile(virtual_station, ask, charge):
    async with virtual_station("1.6") as station:
        await accepted(ask, station, 1, profile("1.6", 1, 10, 6))
        await charge(station)
        assert held(station) == [(1, 1, "TxDefaultProfile", [10, 6])]
        assert allowed_a(station) == 10


@pytest.mark.case("TC_057")
async def test_TC_057_central_smart_charging_TxProfile(virtual_station, ask, charge):
    async with virtual_station("1.6") as station:
        transaction_id = int(await charge(station))
        wanted = profile("1.6", 1, 9, purpose="TxProfile", transactionId=transaction_id)
        await accepted(ask, station, 1, wanted)
        assert allowed_a(station) == 9
        other = profile("1.6", 2, 9, purpose="TxProfile", transactionId=transaction_id + 1)
        answer = await ask(station, "SetChargingProfile", setting("1.6", 1, other))
        assert answer["reply"] == {"status": "Rejected"}


async def start(api, station, **more):
    driver = f"{station.config.station_id}-R"
    await api.add_token(driver)
    wanted = {"profile_id": 9, "periods": [{"start_s": 0, "limit": 8}, {"start_s": 3600, "limit": 6}]}
    body = {"id_token": driver, "charging_profile": wanted | more, "wait": True}
    told = await api.call("POST", f"/v1/stations/{station.config.station_id}/evses/1/start", body)
    assert (told["outcome"], told["status"]) == ("answered", "Accepted")
    return told


async def starts_under_its_profile(api, station):
    await start(api, station)
    await station.until(lambda: station.state.evses[1].charge is not None)
    assert held(station) == [(9, 1, "TxProfile", [8, 6])]
    assert allowed_a(station) == 8
    [session] = await eventually(lambda: sessions(api, station), bool, what="its session")
    assert session["state"] == "active"


async def sessions(api, station):
    return [each async for each in api.items("/v1/sessions", station_id=station.config.station_id)]


@pytest.mark.case("TC_059")
async def test_TC_059_remote_start_transaction_with_charging_profile(virtual_station, api):
    async with virtual_station("1.6") as station:
        await starts_under_its_profile(api, station)


@pytest.mark.case("TC_066")
async def test_TC_066_get_composite_schedule(virtual_station, ask, charge):
    async with virtual_station("1.6") as station:
        await accepted(ask, station, 0, profile("1.6", 1, 12, purpose="ChargePointMaxProfile", **now()))
        await accepted(ask, station, 1, profile("1.6", 2, 10, 6, **now()))
        await charge(station)
        answer = await ask(
            station, "GetCompositeSchedule", {"connectorId": 1, "duration": 300, "chargingRateUnit": "A"}
        )
        assert answer["reply"]["status"] == "Accepted"
        assert answer["reply"]["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        whole = await ask(
            station, "GetCompositeSchedule", {"connectorId": 0, "duration": 3600, "chargingRateUnit": "A"}
        )
        limits = [period["limit"] for period in whole["reply"]["chargingSchedule"]["chargingSchedulePeriod"]]
        assert limits == [10.0, 6.0]


def now(**more):
    """Return the members of a profile that holds from now on; other arguments are members of its schedule."""
    return {"chargingProfileKind": "Absolute"} | more


@pytest.mark.case("TC_067")
async def test_TC_067_clear_charging_profile(virtual_station, ask):
    async with virtual_station("1.6") as station:
        await accepted(ask, station, 1, profile("1.6", 1, 10))
        await accepted(ask, station, 1, profile("1.6", 2, 9, stackLevel=1))
        await accepted(ask, station, 0, profile("1.6", 3, 20, purpose="ChargePointMaxProfile"))
        cleared = await ask(station, "ClearChargingProfile", {"id": 1})
        assert (cleared["reply"], [each[0] for each in held(station)]) == (ACCEPTED, [2, 3])
        rest = {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
        cleared = await ask(station, "ClearChargingProfile", rest)
        assert (cleared["reply"], [each[0] for each in held(station)]) == (ACCEPTED, [3])
        assert (await ask(station, "ClearChargingProfile", {"id": 1}))["reply"] == {"status": "Unknown"}


# 2.0.1, which 2.1 has as well


@pytest.mark.case("TC_K_01")
@V2
async def test_TC_K_01_set_charging_profile_TxDefaultProfile_specific_EVSE(virtual_station, ask, charge, version):
    async with virtual_station(version) as station:
        await accepted(ask, station, 1, profile(version, 1, 10, 6))
        await charge(station)
        assert held(station) == [(1, 1, "TxDefaultProfile", [10, 6])]
        assert allowed_a(station) == 10


@pytest.mark.case("TC_K_02")
@V2
async def test_TC_K_02_set_charging_profile_TxProfile_without_ongoing_transaction(virtual_station, ask, version):
    async with virtual_station(version) as station:
        wanted = profile(version, 1, 9, purpose="TxProfile", transactionId="nobody's")
        answer = await ask(station, "SetChargingProfile", setting(version, 1, wanted))
        assert answer["outcome"] == "answered"
        assert answer["reply"] == {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
        assert held(station) == []


@pytest.mark.case("TC_K_03")
@V2
async def test_TC_K_03_set_charging_profile_ChargingStationMaxProfile(virtual_station, ask, version):
    async with virtual_station(version) as station:
        wanted = profile(version, 1, 20, purpose="ChargingStationMaxProfile", **at_once(station))
        await accepted(ask, station, 0, wanted)
        assert held(station) == [(1, 0, "ChargingStationMaxProfile", [20])]
        assert allowed_a(station) == 20


def at_once(station, *limits, **more):
    """Return the members of an absolute profile that has just begun; others are members of its schedule."""
    began = written(station.clock.now())
    wanted = {"id": 1, **schedule(*(limits or (20,))), "startSchedule": began, **more}
    return {"chargingProfileKind": "Absolute", "chargingSchedule": [wanted]}


@pytest.mark.case("TC_K_04")
@V2
async def test_TC_K_04_replace_charging_profile_with_chargingProfileId(virtual_station, ask, version):
    async with virtual_station(version) as station:
        await accepted(ask, station, 1, profile(version, 1, 10))
        await accepted(ask, station, 1, profile(version, 1, 7, stackLevel=2))
        assert held(station) == [(1, 1, "TxDefaultProfile", [7])]
        same_place = await ask(station, "SetChargingProfile", setting(version, 1, profile(version, 2, 7, stackLevel=2)))
        assert same_place["reply"]["statusInfo"]["reasonCode"] == "DuplicateProfile"


@pytest.mark.case("TC_K_05")
@V2
async def test_TC_K_05_clear_charging_profile_with_chargingProfileId(virtual_station, ask, version):
    async with virtual_station(version) as station:
        await accepted(ask, station, 1, profile(version, 1, 10))
        await accepted(ask, station, 1, profile(version, 2, 9, stackLevel=1))
        assert (await ask(station, "ClearChargingProfile", {"chargingProfileId": 1}))["reply"] == ACCEPTED
        assert [each[0] for each in held(station)] == [2]


@pytest.mark.case("TC_K_06")
@V2
async def test_TC_K_06_clear_charging_profile_with_stackLevel_purpose_combination(virtual_station, ask, version):
    async with virtual_station(version) as station:
        await accepted(ask, station, 1, profile(version, 1, 10))
        await accepted(ask, station, 1, profile(version, 2, 9, stackLevel=1))
        criteria = {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
        answer = await ask(station, "ClearChargingProfile", {"chargingProfileCriteria": criteria})
        assert (answer["reply"], [each[0] for each in held(station)]) == (ACCEPTED, [1])


@pytest.mark.case("TC_K_08")
@V2
async def test_TC_K_08_clear_charging_profile_without_previous_charging_profile(virtual_station, ask, version):
    async with virtual_station(version) as station:
        answer = await ask(station, "ClearChargingProfile", {"chargingProfileId": 1})
        assert (answer["outcome"], answer["reply"]) == ("answered", {"status": "Unknown"})


@pytest.mark.case("TC_K_10")
@V2
async def test_TC_K_10_set_charging_profile_TxDefaultProfile_all_EVSE(virtual_station, ask, charge, version):
    async with virtual_station(version) as station:
        await accepted(ask, station, 0, profile(version, 1, 11))
        await charge(station)
        assert held(station) == [(1, 0, "TxDefaultProfile", [11])]
        assert allowed_a(station) == 11


@pytest.mark.case("TC_K_15")
@V2
async def test_TC_K_15_set_charging_profile_not_supported(raw_station, ask, version):
    async with raw_station(version) as station:
        answer = await ask(station, "SetChargingProfile", setting(version, 1, profile(version, 1, 10)))
        assert (answer["outcome"], answer["error"]["code"]) == ("refused", "NotImplemented")


@pytest.mark.case("TC_K_19")
@V2
async def test_TC_K_19_set_charging_profile_ChargingProfileKind_is_recurring(virtual_station, ask, charge, version):
    async with virtual_station(version) as station:
        daily = at_once(station, 8, duration=3600) | {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
        await accepted(ask, station, 1, profile(version, 1, **daily))
        await charge(station)
        [known] = station.state.profiles.held
        assert (known.kind, known.recurrency, known.duration_s) == ("Recurring", "Daily", 3600)
        assert allowed_a(station) == 8


GET = {
    "TC_K_29 evseId 0": ({"evseId": 0}, [3]),
    "TC_K_30 evseId": ({"evseId": 1}, [1, 2]),
    "TC_K_31 no evseId": ({}, [1, 2, 3]),
    "TC_K_32 chargingProfileId": ({"chargingProfileId": [2]}, [2]),
    "TC_K_33 evseId, stackLevel": ({"evseId": 1, "stackLevel": 1}, [2]),
    "TC_K_34 evseId, chargingLimitSource": ({"evseId": 1, "chargingLimitSource": ["CSO"]}, [1, 2]),
    "TC_K_35 evseId, chargingProfilePurpose": ({"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile"}, [1, 2]),
    "TC_K_36 evseId, chargingProfilePurpose, stackLevel": (
        {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0},
        [1],
    ),
}
"""What is asked for, and which of three profiles are reported."""


@pytest.mark.case("TC_K_29", "TC_K_30", "TC_K_31", "TC_K_32", "TC_K_33", "TC_K_34", "TC_K_35", "TC_K_36")
@V2
@pytest.mark.parametrize("case", GET.values(), ids=GET)
async def test_TC_K_29_to_36_get_charging_profile(virtual_station, ask, told, version, case):
    criteria, reported = case
    async with virtual_station(version) as station:
        await accepted(ask, station, 1, profile(version, 1, 10))
        await accepted(ask, station, 1, profile(version, 2, 9, stackLevel=1))
        station_max = profile(version, 3, 20, purpose="ChargingStationMaxProfile", **at_once(station))
        await accepted(ask, station, 0, station_max)
        criteria = dict(criteria)
        place = {"evseId": criteria.pop("evseId")} if "evseId" in criteria else {}
        wanted = {"requestId": 7, "chargingProfile": criteria, **place}
        assert (await ask(station, "GetChargingProfiles", wanted))["reply"] == ACCEPTED
        asked = next(each for each in station.history.commands if each.action == "GetChargingProfiles")
        assert asked.payload == wanted
        known = await told(reports(station), lambda found: ids(found) == reported)
        assert [each["ours"] for each in known["items"]] == [False] * len(reported)


def reports(station):
    return f"/v1/stations/{station.config.station_id}/charging-profiles"


def ids(found):
    return sorted(each["profile_id"] for each in found["items"])


@pytest.mark.case("TC_K_37")
@V2
async def test_TC_K_37_remote_start_transaction_with_charging_profile(virtual_station, api, version):
    async with virtual_station(version) as station:
        await starts_under_its_profile(api, station)
        asked = next(each for each in station.history.commands if each.action == "RequestStartTransaction")
        assert "transactionId" not in asked.payload["chargingProfile"]


@pytest.mark.case("TC_K_43")
@V2
async def test_TC_K_43_get_composite_schedule_specific_EVSE(live_station, ask, charge, version):
    async with live_station(version) as station:
        await accepted(ask, station, 1, profile(version, 1, **at_once(station, 10, 6)))
        await charge(station)
        wanted = {"evseId": 1, "duration": 3600, "chargingRateUnit": "A"}
        answer = await ask(station, "GetCompositeSchedule", wanted)
        schedule = answer["reply"]["schedule"]
        assert (schedule["evseId"], schedule["chargingRateUnit"]) == (1, "A")
        assert [period["limit"] for period in schedule["chargingSchedulePeriod"]] == [10.0, 6.0]


@pytest.mark.case("TC_K_44")
@V2
async def test_TC_K_44_get_composite_schedule_charging_station(virtual_station, ask, version):
    async with virtual_station(version) as station:
        wanted = profile(version, 1, purpose="ChargingStationMaxProfile", **at_once(station, 18))
        await accepted(ask, station, 0, wanted)
        answer = await ask(station, "GetCompositeSchedule", {"evseId": 0, "duration": 600, "chargingRateUnit": "A"})
        assert answer["reply"]["schedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 18.0}]


@pytest.mark.case("TC_K_60")
@V2
async def test_TC_K_60_set_charging_profile_TxProfile_with_ongoing_transaction(virtual_station, ask, charge, version):
    async with virtual_station(version) as station:
        transaction_id = await charge(station)
        wanted = profile(version, 1, 9, purpose="TxProfile", transactionId=transaction_id)
        await accepted(ask, station, 1, wanted)
        assert held(station) == [(1, 1, "TxProfile", [9])]
        assert allowed_a(station) == 9


@pytest.mark.case("TC_K_70")
@V2
async def test_TC_K_70_set_charging_profile_multiple_profiles(virtual_station, ask, charge, version):
    async with virtual_station(version) as station:
        await accepted(
            ask, station, 0, profile(version, 1, purpose="ChargingStationMaxProfile", **at_once(station, 14))
        )
        await accepted(ask, station, 1, profile(version, 2, 12))
        transaction_id = await charge(station)
        assert allowed_a(station) == 12
        wanted = profile(version, 3, 16, purpose="TxProfile", transactionId=transaction_id)
        await accepted(ask, station, 1, wanted)
        assert len(held(station)) == 3
        assert allowed_a(station) == 14, "the lowest of the purposes, of which the transaction's own goes first"


# 2.1


@pytest.mark.case("TC_K_100")
async def test_TC_K_100_set_charging_profile_maxOfflineDuration(virtual_station, ask, charge):
    async with virtual_station("2.1") as station:
        await accepted(ask, station, 1, profile("2.1", 1, 8, maxOfflineDuration=1))
        await charge(station)
        assert allowed_a(station) == 8
        station.cut()
        await station.until(lambda: station.state.offline_since is not None)
        await station.clock.sleep(1.2)
        assert allowed_a(station) > 16
        station.mend()
        await station.until(lambda: station.state.offline_since is None)
        assert allowed_a(station) == 8


@pytest.mark.case("TC_K_101")
async def test_TC_K_101_set_charging_profile_change_operation_mode(virtual_station, ask, charge):
    async with virtual_station("2.1") as station:
        await charge(station)
        for mode, expected in (("Idle", 0), ("ChargingOnly", 10)):
            period = {"startPeriod": 0, "operationMode": mode} | ({"limit": 10} if mode == "ChargingOnly" else {})
            wanted = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
            await accepted(ask, station, 1, profile("2.1", 1, chargingSchedule=[wanted]))
            assert allowed_a(station) == expected


@pytest.mark.case("TC_K_102")
async def test_TC_K_102_set_charging_profile_limitAtSoC(virtual_station, ask):
    async with virtual_station("2.1") as station:
        limit = {"soc": 80, "limit": 6}
        wanted = {"id": 1, **schedule(16), "limitAtSoC": limit}
        await accepted(ask, station, 1, profile("2.1", 1, chargingSchedule=[wanted]))
        [known] = station.state.profiles.held
        assert (known.at_soc.soc_percent, known.at_soc.limit) == (80, 6)


@pytest.mark.case("TC_K_104")
async def test_TC_K_104_set_charging_profile_PriorityCharging(virtual_station, ask, charge):
    async with virtual_station("2.1") as station:
        await charge(station)
        await accepted(ask, station, 1, profile("2.1", 1, 10))
        await accepted(ask, station, 1, profile("2.1", 2, 16, purpose="PriorityCharging"))
        assert allowed_a(station) == 10
        station.prioritize(1)
        assert allowed_a(station) == 16
        await station.until(lambda: station.history.tally("NotifyPriorityCharging").answered == 1)


@pytest.mark.case("TC_K_106")
async def test_TC_K_106_set_charging_profile_randomizedDelay(virtual_station, ask):
    async with virtual_station("2.1") as station:
        wanted = {"id": 1, **schedule(16, 8), "randomizedDelay": 300}
        await accepted(ask, station, 1, profile("2.1", 1, chargingSchedule=[wanted]))
        assert 0 < station.state.profiles.held[0].delay_s <= 300


@pytest.mark.case("TC_K_118")
async def test_TC_K_118_priority_charging_requesting_priority_charging_remotely(virtual_station, ask, charge):
    async with virtual_station("2.1") as station:
        transaction_id = await charge(station)
        wanted = {"transactionId": transaction_id, "activate": True}
        assert (await ask(station, "UsePriorityCharging", wanted))["reply"] == {"status": "NoProfile"}
        await accepted(ask, station, 1, profile("2.1", 1, 8))
        await accepted(ask, station, 1, profile("2.1", 2, 16, purpose="PriorityCharging"))
        assert (await ask(station, "UsePriorityCharging", wanted))["reply"] == ACCEPTED
        assert allowed_a(station) == 16
        assert (await ask(station, "UsePriorityCharging", wanted | {"activate": False}))["reply"] == ACCEPTED
        assert allowed_a(station) == 8


async def test_K29_a_dynamic_profile_is_updated_by_the_CSMS(virtual_station, ask, charge):
    async with virtual_station("2.1") as station:
        await charge(station)
        await accepted(ask, station, 1, profile("2.1", 1, 12, chargingProfileKind="Dynamic"))
        update = {"chargingProfileId": 1, "scheduleUpdate": {"limit": 7}}
        assert (await ask(station, "UpdateDynamicSchedule", update))["reply"] == ACCEPTED
        assert allowed_a(station) == 7


# What no station is asked


@EVERY
@pytest.mark.parametrize("wrong", [{"chargingProfileKind": "Sometimes"}, {"chargingProfilePurpose": "MyProfile"}])
async def test_a_profile_that_breaks_its_schema_is_not_sent(virtual_station, api, version, wrong):
    async with virtual_station(version) as station:
        payload = setting(version, 1, profile(version, 1, 10, **wrong))
        answer = await api.command(station.config.station_id, "SetChargingProfile", payload)
        assert answer.status_code == 422
        assert not [each for each in station.history.commands if each.action == "SetChargingProfile"]

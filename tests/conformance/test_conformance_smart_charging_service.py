"""Functional block K as the CSMS does it by itself for a station of a site: a default, and a profile of each charge."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_station.station import Station
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import written
from chargebus_testkit.waiting import eventually, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
GRID_A = 13.0
OUR_IDS = 2_100_000_000


@pytest.fixture
def site(api):
    """Describe a site of one station, whose one EVSE may draw 13 A; or so much."""

    async def describe(station, phase_a=GRID_A):
        station_id = station.config.station_id if isinstance(station, Station) else station.station_id
        node = {"node_id": "grid", "capacity": {"phase_a": phase_a}}
        evse = {"station_id": station_id, "evse_id": 1, "node_id": "grid", "min_a": 6.0, "max_a": 32.0}
        policy = {"interval_s": 5.0, "grace_s": 5.0, "spacing_s": 0.0, "profile_life_s": 300.0}
        body = {"nodes": [node], "evses": [evse], "policy": policy}
        await api.call("PUT", f"/v1/sites/{station_id}", body)

    return describe


def of(station, purpose):
    return [profile for profile in station.state.profiles.held if profile.purpose == purpose]


def allowed_a(station):
    return station.state.limit(station.state.evses[1], station.clock.now()).phase_a


async def once(condition):
    """Wait until something holds of a station; time alone may make it so."""
    await until(condition, what="the station holds it")


@pytest.mark.case("TC_056", "TC_K_01")
@ALL
async def test_TC_056_TC_K_01_a_station_of_a_site_is_given_a_default(live_station, site, version):
    async with live_station(version) as station:
        await site(station)
        await once(lambda: of(station, "TxDefaultProfile"))
        [default] = of(station, "TxDefaultProfile")
        assert default.id > OUR_IDS
        assert max(period.limit for period in default.periods) <= GRID_A


@pytest.mark.case("TC_057", "TC_K_60")
@ALL
async def test_TC_057_TC_K_60_a_transaction_is_given_its_profile(live_station, site, charge, version):
    async with live_station(version) as station:
        await site(station)
        await once(lambda: of(station, "TxDefaultProfile"))
        transaction_id = await charge(station)
        await once(lambda: of(station, "TxProfile"))
        [profile] = of(station, "TxProfile")
        assert (profile.evse_id, profile.transaction_id) == (1, transaction_id)
        await once(lambda: 6 <= allowed_a(station) <= GRID_A)


@pytest.mark.case("TC_K_109")
async def test_TC_K_109_ids_of_profiles_are_none_of_those_of_external_constraints(live_station, site):
    settings = {"SmartChargingCtrlr.MaxExternalConstraintsId": "1000"}
    async with live_station("2.1", settings=settings) as station:
        await site(station)
        await once(lambda: of(station, "TxDefaultProfile"))
        assert all(profile.id > 1000 for profile in station.state.profiles.held)
        refused = [each for each in station.history.commands if each.action == "SetChargingProfile"]
        assert all(each.answered["status"] == "Accepted" for each in refused)


# With a station whose every word is said here

ACCEPTED = {"status": "Accepted"}
NOT_YET = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
REPLIES = {
    "ClearChargingProfile": ACCEPTED,
    "GetChargingProfiles": {"status": "NoProfiles"},
    "GetCompositeSchedule": {"status": "Rejected"},
    "GetVariables": {
        "getVariableResult": [
            {
                "attributeStatus": "Accepted",
                "attributeValue": "true",
                "component": {"name": "SmartChargingCtrlr"},
                "variable": {"name": "SupportsDynamicProfiles"},
            }
        ]
    },
    "Reset": ACCEPTED,
    "SetChargingProfile": ACCEPTED,
    "UpdateDynamicSchedule": ACCEPTED,
}


def at():
    return written(datetime.now(UTC))


@pytest.fixture
def charging_raw(raw_station, site, api):
    """Let a raw station of a site charge: `async with charging_raw(transaction_id) as (station, its profile): …`."""

    @asynccontextmanager
    async def make(transaction_id, version="2.1"):
        async with raw_station(version, REPLIES) as station:
            await site(station)
            path = f"/v1/stations/{station.station_id}/charging"
            await eventually(lambda: api.call("GET", path), lambda told: told["said_at"], what="it said what it takes")
            charges = {"info": {"chargingState": "Charging"}}
            await station.call("TransactionEvent", v201.started(transaction_id, 0, at(), None, **charges))
            yield station, await profile_of(station, transaction_id)

    return make


async def profile_of(station, transaction_id):
    """Return the profile of a transaction that the station is given next."""
    while True:
        profile = (await station.asked("SetChargingProfile"))["chargingProfile"]
        if profile.get("transactionId") == transaction_id:
            return profile


@pytest.mark.case("TC_K_121")
async def test_TC_K_121_dynamic_charging_profiles_from_CSMS_pull(charging_raw, site):
    async with charging_raw("TX-K-121") as (station, profile):
        assert (profile["chargingProfileKind"], profile["dynUpdateInterval"] >= 60) == ("Dynamic", True)
        pull = {"chargingProfileId": profile["id"]}
        answer = await station.call("PullDynamicScheduleUpdate", pull)
        [schedule] = profile["chargingSchedule"]
        [period] = schedule["chargingSchedulePeriod"]
        assert answer == {"status": "Accepted", "scheduleUpdate": {"limit": period["limit"]}}

        await site(station, 9.0)
        update = await station.asked("UpdateDynamicSchedule")
        assert update == {"chargingProfileId": profile["id"], "scheduleUpdate": {"limit": 9.0}}
        answer = await station.call("PullDynamicScheduleUpdate", pull)
        assert answer == {"status": "Accepted", "scheduleUpdate": {"limit": 9.0}}

        answer = await station.call("PullDynamicScheduleUpdate", {"chargingProfileId": 7})
        assert answer == {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}


async def resumes(station, transaction_id):
    """Boot as a station does that was interrupted; a while later it resumes its transaction."""
    station.replies["SetChargingProfile"] = NOT_YET
    await station.connect()
    assert (await station.boot())["status"] == "Accepted"
    await profile_of(station, transaction_id)
    station.replies["SetChargingProfile"] = ACCEPTED
    charges = {"triggerReason": "TxResumed", "info": {"chargingState": "Charging"}}
    await station.call("TransactionEvent", v201.updated(transaction_id, 1, at(), None, **charges))
    return await profile_of(station, transaction_id)


@pytest.mark.case("TC_E_117")
async def test_TC_E_117_set_charging_profile_resuming_transaction_after_interruption(charging_raw):
    async with charging_raw("TX-E-117") as (station, profile):
        await station.cut()
        resumed = await resumes(station, "TX-E-117")
        assert resumed["id"] == profile["id"]


@pytest.mark.case("TC_B_116")
async def test_TC_B_116_reset_ImmediateAndResume_with_ongoing_transaction_and_smart_charging(charging_raw, ask):
    async with charging_raw("TX-B-116") as (station, profile):
        asking = asyncio.create_task(ask(station, "Reset", {"type": "ImmediateAndResume"}))
        assert (await station.asked("Reset"))["type"] == "ImmediateAndResume"
        assert (await asking)["reply"] == ACCEPTED
        await station.disconnect()
        resumed = await resumes(station, "TX-B-116")
        assert resumed["id"] == profile["id"]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_K15_what_a_vehicle_needs_is_answered_and_followed_by_a_profile(charging_raw, version):
    transaction_id = f"TX-K15-{version}"
    async with charging_raw(transaction_id, version) as (station, profile):
        parameters = {"energyAmount": 8000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 230}
        needs = {"requestedEnergyTransfer": "AC_three_phase", "acChargingParameters": parameters}
        answer = await station.call("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
        assert answer["status"] == "Accepted"
        told = (
            await profile_of(station, transaction_id)
            if version == "2.0.1"
            else await station.asked("UpdateDynamicSchedule")
        )
        assert profile["id"] in (told.get("id"), told.get("chargingProfileId"))


# 1.6, with a station that knows no profiles


async def test_a_station_without_profiles_is_stopped_while_the_grid_has_little_and_started_again(raw_station, api):
    """By its capacity, by prices, and by CO2: one after the other."""
    replies = {
        "GetConfiguration": {"configurationKey": []},
        "RemoteStartTransaction": ACCEPTED,
        "RemoteStopTransaction": ACCEPTED,
        "SetChargingProfile": {"status": "NotSupported"},
    }
    policy = {"interval_s": 5.0, "on_off": True, "least_pause_s": 0.0, "least_charge_s": 0.0}
    policy |= {"energy_wh": 3000.0, "stay_s": 8 * 3600.0}

    async def grid_gives(phase_a, objective="none"):
        node = {"node_id": "grid", "capacity": {"phase_a": phase_a}}
        evse = {"station_id": station.station_id, "evse_id": 1, "node_id": "grid", "max_a": 16}
        body = {"nodes": [node], "evses": [evse], "policy": policy | {"objective": objective}}
        await api.call("PUT", f"/v1/sites/{station.station_id}", body)

    async def tell(kind, unit, now, later):
        """Say what a kilowatt hour costs, or emits, in the hours about now, and in those after them."""
        begins = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
        series = {"zone": station.station_id, "kind": kind, "source": "exchange", "unit": unit, "starts_at": begins}
        await api.call("PUT", "/v1/grid-series", series | {"resolution_s": 3600, "values": [now] * 5 + [later] * 12})

    async def shown(**expected):
        """Wait until this is shown of its EVSE; each way that it refuses takes a plan."""

        async def look():
            [evse] = (await api.call("GET", f"/v1/stations/{station.station_id}/charging"))["evses"]
            return {name: evse[name] for name in expected}

        await eventually(look, lambda found: found == expected, 120, what=f"its EVSE: {expected}")

    async def stopped(transaction_id):
        await shown(contained_by="suspend")
        assert (await station.asked("RemoteStopTransaction")) == {"transactionId": transaction_id}
        await station.call("StopTransaction", v16.stop(transaction_id, at(), 0, reason="Remote"))
        await shown(use="idle", contained_by="suspend")

    async def started():
        await shown(contained_by=None)
        assert (await station.asked("RemoteStartTransaction")) == {"connectorId": 1, "idTag": "ALICE"}
        began = await station.call("StartTransaction", v16.start(at(), 0))
        await shown(way="start and stop", use="busy")
        return began["transactionId"]

    async with raw_station("1.6", replies) as station:
        await grid_gives(32)
        await station.call("StatusNotification", v16.status(timestamp=at()))
        began = await station.call("StartTransaction", v16.start(at(), 0))
        await shown(way="start and stop", use="busy", contained_by=None)

        await grid_gives(0)
        await stopped(began["transactionId"])
        await grid_gives(32)
        transaction_id = await started()

        for kind, unit in (("price", "EUR/kWh"), ("co2", "g/kWh")):
            await tell(kind, unit, now=9.0, later=1.0)
            await grid_gives(32, objective=kind)
            await stopped(transaction_id)
            await tell(kind, unit, now=1.0, later=9.0)
            transaction_id = await started()

"""Functional block K as the CSMS does it by itself for a station of a site: a default, and a profile of each charge."""

import pytest
from chargebus_testkit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
GRID_A = 13.0
OUR_IDS = 2_100_000_000


@pytest.fixture
def site(api):
    """Describe a site of one station, whose one EVSE may draw 13 A."""

    async def describe(station):
        station_id = station.config.station_id
        node = {"node_id": "grid", "capacity": {"phase_a": GRID_A}}
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
    await until(condition, within_s=30, what="the station holds it")


@ALL
async def test_TC_056_TC_K_01_a_station_of_a_site_is_given_a_default(live_station, site, version):
    async with live_station(version) as station:
        await site(station)
        await once(lambda: of(station, "TxDefaultProfile"))
        [default] = of(station, "TxDefaultProfile")
        assert default.id > OUR_IDS
        assert max(period.limit for period in default.periods) <= GRID_A


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


async def test_TC_K_109_ids_of_profiles_are_none_of_those_of_external_constraints(live_station, site):
    settings = {"SmartChargingCtrlr.MaxExternalConstraintsId": "1000"}
    async with live_station("2.1", settings=settings) as station:
        await site(station)
        await once(lambda: of(station, "TxDefaultProfile"))
        assert all(profile.id > 1000 for profile in station.state.profiles.held)
        refused = [each for each in station.history.commands if each.action == "SetChargingProfile"]
        assert all(each.answered["status"] == "Accepted" for each in refused)

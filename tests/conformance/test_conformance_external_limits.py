"""Functional block K where somebody else than the CSMS limits a station: what it tells is known, and counted with."""

import pytest
from chargebus_station.external_limits import ExternalLimit

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
EMS = ExternalLimit(10)


@pytest.fixture
def site(api):
    """Describe a site of one station, with one EVSE; return its path."""

    async def describe(station):
        station_id = station.config.station_id
        node = {"node_id": "grid", "capacity": {"phase_a": 63}}
        evse = {"station_id": station_id, "evse_id": 1, "node_id": "grid"}
        await api.call("PUT", f"/v1/sites/{station_id}", {"nodes": [node], "evses": [evse]})
        return f"/v1/sites/{station_id}"

    return describe


def of_the_ems(found):
    return [each for each in found["items"] if each["source"] == "EMS"]


@pytest.mark.case("TC_K_48")
@V2
async def test_TC_K_48_set_external_charging_limit_not_on_a_transaction(virtual_station, site, told, version):
    async with virtual_station(version) as station:
        path = await site(station)
        station.limit_externally(EMS)
        [limit] = of_the_ems(await told(f"{path}/limits", of_the_ems))
        assert (limit["station_id"], limit["told_by"], limit["is_critical"]) == (path[10:], "frame", False)
        assert limit["allows"]["phase_a"] == 10
        station.limit_externally(ExternalLimit(8, critical=True))
        [limit] = of_the_ems(await told(f"{path}/limits", lambda found: of_the_ems(found)[0]["allows"]["phase_a"] == 8))
        assert limit["is_critical"]


@pytest.mark.case("TC_K_50")
@V2
async def test_TC_K_50_release_external_charging_limit_without_ongoing_transaction(
    virtual_station, site, told, version
):
    async with virtual_station(version) as station:
        path = await site(station)
        station.limit_externally(EMS)
        await told(f"{path}/limits", of_the_ems)
        station.lift_external_limit(EMS)
        await told(f"{path}/limits", lambda found: not of_the_ems(found))


@pytest.mark.case("TC_K_51")
@V2
async def test_TC_K_51_release_external_charging_limit_with_ongoing_transaction(
    virtual_station, site, told, charge, version
):
    async with virtual_station(version) as station:
        path = await site(station)
        await charge(station)
        station.limit_externally(EMS)
        await told(f"{path}/limits", of_the_ems)
        station.lift_external_limit(EMS)
        await told(f"{path}/limits", lambda found: not of_the_ems(found))
        [transaction] = station.history.transactions
        await station.until(lambda: all(message.answered for message in transaction.messages))
        assert not any(message.refusals for message in transaction.messages)


@pytest.mark.case("TC_K_52")
@V2
async def test_TC_K_52_external_charging_limit_ChargingStationExternalConstraints_in_report(
    virtual_station, ask, told, version
):
    async with virtual_station(version) as station:
        station.limit_externally(EMS)
        criteria = {"chargingProfilePurpose": "ChargingStationExternalConstraints"}
        answer = await ask(station, "GetChargingProfiles", {"requestId": 52, "chargingProfile": criteria})
        assert answer["reply"] == {"status": "Accepted"}
        path = f"/v1/stations/{station.config.station_id}/charging-profiles"
        found = await told(path, lambda found: found["items"])
        [reported] = found["items"]
        assert (reported["source"], reported["purpose"]) == ("EMS", "ChargingStationExternalConstraints")

"""Our own stations of all three versions charge; what they wrote down is what the system says."""

import pytest
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.backoff import Backoff
from chargebus_station.charging import Vehicle
from chargebus_station.clock import ScaledClock
from chargebus_station.config import Network, StationConfig
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.station import Station
from chargebus_station.transaction import IdToken
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.waiting import eventually, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

IMPATIENT = Network(backoff=Backoff(minimum_s=0.2, jitter_s=0.1, doublings=1))
VEHICLE = Vehicle(capacity_wh=60_000, max_power_w=11_000, soc=0.3)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_charges(system, api, version):
    async with Fleet(system, Plan(f"e2e-{version}", size=len(VERSIONS))) as fleet:
        (station,) = fleet.of(version)
        token = IdToken(station.config.local_tokens[0])
        entry = await station.visit(DriverVisit(1, VEHICLE, token, stay_s=400))
        await fleet.settle()
        await fleet.rest()

        assert await Checker(system).objections(fleet.expected) == []
        session = await api.call("GET", "/v1/sessions", station_id=station.config.station_id)
        (shown,) = session["items"]
        assert shown["version"] == version
        assert shown["energy_wh"] == entry.energy_wh > 0
        assert shown["billable"] is True


async def test_a_2_1_station_is_started_and_stopped_from_afar(system, api):
    async with Fleet(system, Plan("e2e-remote", size=len(VERSIONS))) as fleet:
        (station,) = fleet.of("2.1")
        path = f"/v1/stations/{station.config.station_id}/evses/2/start"
        start = await api.call("POST", path, {"id_token": station.config.local_tokens[0], "wait": True})

        async def session():
            found = await api.call("GET", "/v1/sessions", remote_start_id=start["remote_start_id"])
            return found["items"]

        (active,) = await eventually(session, bool, what="a session of the remote start")
        stop = await api.call("POST", f"/v1/sessions/{active['session_id']}/stop", {"wait": True})
        await until(lambda: all(entry.settled for entry in station.history.transactions), what="the transaction over")
        await fleet.rest()

        assert (start["status"], stop["status"]) == ("Accepted", "Accepted")
        assert await Checker(system).objections(fleet.expected) == []
        assert (await session())[0]["stop_reason"] == "Remote"


async def test_statuses_and_boots_of_all_versions_are_shown(system, api):
    async with Fleet(system, Plan("e2e-status", size=len(VERSIONS))) as fleet:
        for station in fleet.stations:

            async def evses(station_id=station.config.station_id):
                shown = await api.call("GET", f"/v1/stations/{station_id}")
                return [evse["status"] for evse in shown["evses"]]

            assert await eventually(evses, lambda found: len(found) == 2, what="both EVSEs free") == ["Available"] * 2
            shown = await api.call("GET", f"/v1/stations/{station.config.station_id}")
            assert shown["connection"]["connected"] is True
            assert shown["connection"]["version"] == station.config.version
            assert shown["boot"]["vendor"] == station.config.model.vendor


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_offline_start_with_a_blocked_token_is_recorded_and_not_billed(system, api, version):
    """Spec: OCPP 1.6 4.8 (StopTransactionOnInvalidId); OCPP 2.0.1 E05, C13."""
    station_id, token = f"E2EBLOCKED-{version}", f"BLOCKED-{version}"
    passwords = await api.register([station_id])
    await api.add_token(token, blocked=True)
    config = StationConfig(
        station_id, version, system.ocpp_url, passwords[station_id], local_tokens=(token,), network=IMPATIENT
    )
    async with Station(config, ScaledClock(60)) as station:
        await until(lambda: station.online, what="online")
        station.cut()
        visit = station.visit(DriverVisit(1, VEHICLE, IdToken(token), stay_s=100_000))
        await until(lambda: station.history.transactions, what="charging")
        station.mend()
        entry = await visit
        await until(lambda: station.settled, what="all answered")
        station.cut()
        await until(lambda: not station.connected, what="offline")

    assert await Checker(system).objections(Expected([station.history])) == []
    (session,) = (await api.call("GET", "/v1/sessions", station_id=station_id))["items"]
    assert entry.token_statuses[0] == "Blocked"
    assert (session["billable"], session["authorization"]) == (False, "Blocked")
    assert session["stop_reason"] == "DeAuthorized"

"""Passwords and security profiles: 1.6 TC_073, TC_083, and functional block A 09, 10, 19, over real sockets."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from chargebus_station.clock import ScaledClock
from chargebus_station.config import StationConfig
from chargebus_station.device_model import Setting
from chargebus_station.handshake import ConnectError, ConnectTarget, open_websocket
from chargebus_station.station import Station
from chargebus_testkit.pki import pem

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
PATIENCE_S = 180
ROTATIONS, UPGRADES = "/v1/credentials/rotations", "/v1/credentials/upgrades"


@pytest.fixture
def changing(system, api, tls, numbers):
    """Let a virtual station connect by profile 1, which knows the way to profile 2 and trusts it."""

    @asynccontextmanager
    async def make(version, **more):
        station_id = f"CHANGING-{next(numbers)}"
        passwords = await api.register([station_id])
        config = StationConfig(
            station_id,
            version,
            system.ocpp_url,
            passwords[station_id],
            reboot_s=30.0,
            tls=tls.trusting(),
            **{"secure_url": tls.url, **more},
        )
        async with Station(config, ScaledClock(60.0, datetime.now(UTC))) as station:
            await station.until(lambda: station.online)
            yield station

    return make


@pytest.fixture
def begin(api, told):
    """Begin a campaign for one station; return what waits for its end there: `await (await begin(…))("done")`."""

    async def start(path, station, **more):
        station_id = station.config.station_id
        wanted = {"stations": {"station_ids": [station_id]}, "return_within_s": 600, **more}
        await told(f"/v1/security/stations/{station_id}", lambda known: known.get("online") and known["ocpp_version"])
        campaign = await api.call("POST", path, wanted)

        async def ends(state):
            place = f"{path}/{campaign['campaign_id']}/stations"
            shown = await told(
                place, lambda page: page["items"][0]["state"] == state, PATIENCE_S, f"{station_id} is {state}"
            )
            return shown["items"][0]

        return ends

    return start


def password_of(station):
    return station.state.settings.text(Setting.PASSWORD)


async def enters(station, password):
    """Tell whether a password lets a station in."""
    config = station.config
    target = ConnectTarget(config.address, config.station_id, password, f"ocpp{config.version}")
    try:
        socket = await open_websocket(target, config.network)
    except ConnectError as error:
        if error.status != HTTPStatus.UNAUTHORIZED:
            raise
        return False
    await socket.close()
    return True


async def is_rotated(station, begin):
    old = password_of(station)
    ends = await begin(ROTATIONS, station)
    await ends("done")
    await station.until(lambda: station.online)
    assert password_of(station) != old
    assert not await enters(station, old)
    assert await enters(station, password_of(station))


async def is_upgraded(api, station, begin, **more):
    station_id = station.config.station_id
    ends = await begin(UPGRADES, station, security_profile=2, check_root=False, **more)
    member = await ends("done")
    await station.until(lambda: station.online)
    shown = await api.call("GET", f"/v1/stations/{station_id}")
    assert (shown["security_profile"], shown["connection"]["security_profile"]) == (2, 2)
    assert station.state.settings.text(Setting.SECURITY_PROFILE) == "2"
    with pytest.raises(ConnectError) as refused:
        await open_websocket(
            ConnectTarget(station.config.address, station_id, password_of(station), f"ocpp{station.config.version}"),
            station.config.network,
        )
    assert refused.value.status == 403  # not without TLS any more
    return [step["state"] for step in member["path"]]


# OCPP 1.6


@pytest.mark.case("TC_073")
async def test_TC_073_update_charge_point_password_for_http_basic_authentication(changing, begin):
    async with changing("1.6") as station:
        await is_rotated(station, begin)
        assert len(bytes.fromhex(password_of(station))) in range(16, 21)


@pytest.mark.case("TC_083")
async def test_TC_083_upgrade_charge_point_security_profile_accepted(api, changing, begin):
    async with changing("1.6") as station:
        states = await is_upgraded(api, station, begin)
    assert states[:3] == ["waiting", "telling", "told"]


async def test_a_station_of_1_6_that_refuses_a_profile_stays_as_it_is(api, changing, begin):
    async with changing("1.6", secure_url=None) as station:
        ends = await begin(UPGRADES, station, security_profile=2, check_root=False)
        await ends("refused")
        shown = await api.call("GET", f"/v1/stations/{station.config.station_id}")
        assert shown["security_profile"] <= 1
        assert await enters(station, password_of(station))


# OCPP 2.0.1 and 2.1


@pytest.mark.case("TC_A_09")
@V2
async def test_TC_A_09_update_charging_station_password_for_http_basic_authentication_accepted(
    changing, begin, version
):
    async with changing(version) as station:
        await is_rotated(station, begin)
        assert 16 <= len(password_of(station)) <= 40


@pytest.mark.case("TC_A_10")
@V2
async def test_TC_A_10_update_charging_station_password_for_http_basic_authentication_rejected(
    told, changing, begin, version
):
    async with changing(version, read_only=frozenset({"SecurityCtrlr.BasicAuthPassword"})) as station:
        ends = await begin(ROTATIONS, station)
        assert "Rejected" in (await ends("refused"))["reason"]
        assert station.online
        assert await enters(station, password_of(station))
        path = f"/v1/stations/{station.config.station_id}"
        await told(path, lambda shown: not shown["password_change"]["unused"], what="the new one is taken back")


@pytest.mark.case("TC_A_19")
@V2
async def test_TC_A_19_upgrade_charging_station_security_profile_accepted(api, tls, changing, begin, version):
    async with changing(version) as station:
        states = await is_upgraded(api, station, begin, csms_url=tls.url, reset="any")
    assert states[:7] == ["waiting", "reading", "choosing", "network", "priority", "resetting", "told"]


@V2
async def test_a_station_that_cannot_come_by_its_new_network_comes_by_the_old_one_and_is_changed_back(
    api, system, changing, begin, version
):
    nowhere = system.ocpp_url.replace("ws://", "wss://")  # no TLS is spoken there
    async with changing(version) as station:
        ends = await begin(UPGRADES, station, security_profile=2, check_root=False, csms_url=nowhere, reset="any")
        member = await ends("rolled_back")
        shown = await api.call("GET", f"/v1/stations/{station.config.station_id}")
        assert station.state.settings.text(Setting.NETWORK_PRIORITY) == "0"
        assert (shown["security_profile"], shown["connection"]["security_profile"]) == (1, 1)
    assert member["reason"] == "it came back with profile 1"


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_station_moves_from_profile_1_to_3_with_a_root_and_a_certificate_that_it_gets_over_its_socket(
    api, tls, changing, begin, version
):
    root = {"pem": pem(tls.root.certificate), "name": "root of the edges", "kind": "CSMSRootCertificate"}
    [uploaded] = (await api.call("POST", "/v1/certificates", root))["items"]
    async with changing(version) as station:
        path = f"/v1/stations/{station.config.station_id}"
        wanted = {"certificate_type": "CSMSRootCertificate", "certificate_id": uploaded["certificate_id"], "wait": True}
        ends = await begin(UPGRADES, station, security_profile=3, csms_url=tls.url, reset="any")
        without = await ends("failed")
        installed = await api.call("POST", f"{path}/certificates", wanted)
        ends = await begin(UPGRADES, station, security_profile=3, csms_url=tls.url, reset="any")
        member = await ends("done")
        shown = await api.call("GET", path)
    assert "root" in without["reason"]
    assert installed["status"] == "Accepted"
    assert [step["state"] for step in without["path"]][1:3] == ["certificate", "root"]
    assert "certificate" not in [step["state"] for step in member["path"]]  # it has it from the first time
    assert (shown["security_profile"], shown["connection"]["security_profile"]) == (3, 3)

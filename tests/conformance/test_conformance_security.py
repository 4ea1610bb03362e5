"""Credentials and TLS: 1.6 TC_085 to TC_088, and functional block A 01 to 08, with real handshakes."""

import base64
import itertools
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_station.clock import ScaledClock
from chargebus_station.config import StationConfig
from chargebus_station.handshake import ConnectError, ConnectTarget, open_websocket
from chargebus_station.station import Station
from chargebus_testkit.pki import CLIENT, Authority
from chargebus_testkit.waiting import eventually
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
_NUMBERS = itertools.count(1)
EXPIRED = timedelta(days=-2), timedelta(days=-1)


@pytest.fixture
def registered(api):
    """Register a station with a least security profile; return its identity and password."""

    async def register(security_profile):
        station_id = f"SECURE-{next(_NUMBERS)}"
        body = {"station_id": station_id, "security_profile": security_profile}
        return station_id, (await api.call("POST", "/v1/stations", body))["password"]

    return register


@pytest.fixture
def secure_station(api, tls, registered):
    """Let a virtual station of a security profile connect with TLS, and return it once it is accepted."""

    @asynccontextmanager
    async def make(version, security_profile):
        station_id, password = await registered(security_profile)
        shown = tls.station(station_id) if security_profile == 3 else tls.trusting()
        password = None if security_profile == 3 else password
        config = StationConfig(station_id, version, tls.url, password, tls=shown)
        async with Station(config, ScaledClock(60.0, datetime.now(UTC))) as station:
            await station.until(lambda: station.online)
            yield station

    return make


async def used_profile(api, station_id):
    """Return the security profile of a station's connection, once it is known."""
    found = await eventually(
        lambda: api.call("GET", f"/v1/stations/{station_id}"),
        lambda found: found["connection"]["connected"],
        what="the connection is known",
    )
    return found["connection"]["security_profile"]


def basic(user, password):
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


async def refusal(url, station_id, version, credentials=None, tls=None):
    """Return the HTTP status with which a station is refused; None: no answer came over HTTP."""
    with pytest.raises((InvalidHandshake, OSError, EOFError)) as refused:
        async with connect(
            f"{url}/{station_id}",
            subprotocols=[f"ocpp{version}"],
            additional_headers=credentials or {},
            proxy=None,
            **({} if tls is None else {"ssl": tls}),
        ):
            pass
    assert isinstance(refused.value, InvalidStatus | InvalidMessage | OSError | EOFError)
    return refused.value.response.status_code if isinstance(refused.value, InvalidStatus) else None


# OCPP 1.6


@pytest.mark.case("TC_085")
async def test_TC_085_basic_authentication_valid_username_and_password(api, secure_station):
    async with secure_station("1.6", 2) as station:
        assert await used_profile(api, station.config.station_id) == 2


@pytest.mark.case("TC_086")
async def test_TC_086_tls_server_side_certificate_valid_certificate(api, tls, secure_station):
    async with secure_station("1.6", 2) as station:
        assert await used_profile(api, station.config.station_id) == 2
        tls_1_2 = tls.trusting().context()
        tls_1_2.maximum_version = ssl.TLSVersion.TLSv1_2
        tls_1_2.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # a station without ECDSA
        password = station.config.password
        assert (
            await refusal(
                tls.url, station.config.station_id, "1.6", basic(station.config.station_id, f"{password}?"), tls_1_2
            )
            == 401
        )


@pytest.mark.case("TC_087")
async def test_TC_087_tls_client_side_certificate_valid_certificate(api, secure_station):
    async with secure_station("1.6", 3) as station:
        assert await used_profile(api, station.config.station_id) == 3


@pytest.mark.case("TC_088")
async def test_TC_088_websocket_subprotocol_negotiation(tls, registered):
    station_id, password = await registered(2)
    target = ConnectTarget(f"{tls.url}/{station_id}", station_id, password, "ocpp1.6", tls.trusting())
    socket = await open_websocket(target, StationConfig(station_id, "1.6", tls.url).network)
    assert socket.subprotocol == "ocpp1.6"
    await socket.close()
    with pytest.raises(ConnectError, match="does not speak"):
        await open_websocket(
            ConnectTarget(target.address, station_id, password, "ocpp9.9", target.tls),
            StationConfig(station_id, "1.6", tls.url).network,
        )


# OCPP 2.0.1 and 2.1


@pytest.mark.case("TC_A_01")
@V2
async def test_TC_A_01_basic_authentication_valid_username_password_combination(api, secure_station, version):
    async with secure_station(version, 2) as station:
        assert await used_profile(api, station.config.station_id) == 2


@pytest.mark.case("TC_A_02")
@V2
async def test_TC_A_02_basic_authentication_username_does_not_equal_charging_station_id(tls, registered, version):
    station_id, password = await registered(2)
    context = tls.trusting().context()
    assert await refusal(tls.url, station_id, version, basic("SOMEBODY-ELSE", password), context) == 401


@pytest.mark.case("TC_A_03")
@V2
async def test_TC_A_03_basic_authentication_invalid_password(tls, registered, version):
    station_id, _ = await registered(2)
    assert (
        await refusal(tls.url, station_id, version, basic(station_id, "not the password"), tls.trusting().context())
        == 401
    )


@pytest.mark.case("TC_A_04")
@V2
async def test_TC_A_04_tls_server_side_certificate_valid_certificate(api, tls, secure_station, system, version):
    async with secure_station(version, 2) as station:
        assert await used_profile(api, station.config.station_id) == 2
        station_id, password = station.config.station_id, station.config.password
        assert (
            await refusal(system.ocpp_url, station_id, version, basic(station_id, password)) == 403
        )  # not without TLS


@pytest.mark.case("TC_A_06")
@V2
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_TC_A_06_tls_server_side_certificate_tls_version_too_low(tls, registered, version):
    station_id, password = await registered(2)
    context = tls.trusting().context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert await refusal(tls.url, station_id, version, basic(station_id, password), context) is None


@pytest.mark.case("TC_A_07")
@V2
async def test_TC_A_07_tls_client_side_certificate_valid_certificate(api, secure_station, version):
    async with secure_station(version, 3) as station:
        assert await used_profile(api, station.config.station_id) == 3


@pytest.mark.case("TC_A_08")
@V2
async def test_TC_A_08_tls_client_side_certificate_invalid_certificate(api, tls, registered, version):
    station_id, password = await registered(3)
    stranger = Authority.root("nobody's root").leaf(station_id, usages=CLIENT)
    for shown in (tls.showing(stranger), tls.station(station_id, valid=EXPIRED)):
        assert await refusal(tls.url, station_id, version, tls=shown.context()) is None
    assert (
        await refusal(tls.url, station_id, version, basic(station_id, password), tls.station("SOMEBODY-ELSE").context())
        == 403
    )
    assert await refusal(tls.url, station_id, version, basic(station_id, password), tls.trusting().context()) == 403
    assert not (await api.call("GET", f"/v1/stations/{station_id}"))["connection"]["connected"]

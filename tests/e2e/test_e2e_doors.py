"""Who is let in: stations at the OCPP door, callers at the HTTP door."""

import pytest
import pytest_asyncio
from chargebus_station.backoff import Backoff
from chargebus_station.config import Network, StationConfig
from chargebus_station.registration import Status
from chargebus_station.station import Station
from chargebus_testkit.handshakes import handshake, until_let_in
from chargebus_testkit.waiting import eventually, until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asyncio(loop_scope="session")

IMPATIENT = Network(backoff=Backoff(minimum_s=0.2, jitter_s=0.1, doublings=1))


def station(system, station_id: str, password: str) -> Station:
    return Station(StationConfig(station_id, "2.0.1", system.ocpp_url, password, network=IMPATIENT))


@pytest_asyncio.fixture(loop_scope="session")
async def onboarding(api):
    """Let a test decide what becomes of unknown stations; afterwards they are refused again."""

    async def decide(unknown_stations: str) -> str:
        body = {"unknown_stations": unknown_stations, "new_password": True}
        answer = await api.call("PUT", "/v1/onboarding", body)
        return answer["password"]

    yield decide
    await api.call("PUT", "/v1/onboarding", {"unknown_stations": "refuse"})


async def test_an_unknown_station_is_refused(system):
    assert await handshake(system.ocpp_url, "NOBODY", "0" * 40) == 401


async def test_a_station_without_credentials_is_refused(system, api):
    await api.register(["DOOR1"])

    assert await handshake(system.ocpp_url, "DOOR1", None) == 401


async def test_a_wrong_password_is_refused_and_the_right_one_is_not(system, api):
    passwords = await api.register(["DOOR2"])
    await until_let_in(system.ocpp_url, "DOOR2", passwords["DOOR2"])

    assert await handshake(system.ocpp_url, "DOOR2", "0" * 40) == 401


async def test_a_new_password_ends_the_old_one(system, api):
    passwords = await api.register(["DOOR3"])
    await until_let_in(system.ocpp_url, "DOOR3", passwords["DOOR3"])
    rotated = await api.call("POST", "/v1/stations/DOOR3/password")
    await until_let_in(system.ocpp_url, "DOOR3", rotated["password"])

    assert await handshake(system.ocpp_url, "DOOR3", passwords["DOOR3"]) == 401


async def test_a_wrong_subprotocol_is_answered_as_the_specification_says(system, api):
    """Spec: OCPP-J 1.6 3.2; OCPP 2.0.1 Part 4, 3.1.2: complete the handshake without a subprotocol, then close."""
    passwords = await api.register(["DOOR4"])
    await until_let_in(system.ocpp_url, "DOOR4", passwords["DOOR4"])
    url = f"{system.ocpp_url}/DOOR4".replace("ws://", f"ws://DOOR4:{passwords['DOOR4']}@")

    async with connect(url, subprotocols=["ocpp9.9"]) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert socket.subprotocol is None


async def test_an_unknown_station_needs_the_onboarding_password(system, onboarding):
    password = await onboarding("accept")
    await until_let_in(system.ocpp_url, "NEWCOMER0", password)

    assert await handshake(system.ocpp_url, "NEWCOMER0", "0" * 40) == 401


async def test_an_unknown_station_is_accepted_if_the_policy_says_so(system, api, onboarding):
    password = await onboarding("accept")
    await until_let_in(system.ocpp_url, "NEWCOMER1", password)

    async with station(system, "NEWCOMER1", password) as newcomer:
        await until(lambda: newcomer.online, what="accepted")

    assert (await api.call("GET", "/v1/stations/NEWCOMER1"))["registration"] == "accepted"


async def test_an_unknown_station_is_pending_until_an_operator_accepts_it(system, api, onboarding):
    password = await onboarding("pending")
    await until_let_in(system.ocpp_url, "NEWCOMER2", password)

    async with station(system, "NEWCOMER2", password) as newcomer:
        await until(lambda: newcomer.registration is Status.PENDING, what="pending")
        shown = await api.call("GET", "/v1/stations/NEWCOMER2")
        await api.call("PATCH", "/v1/stations/NEWCOMER2", {"registration": "accepted"})
        trigger = {"requestedMessage": "BootNotification"}
        triggered = await api.command("NEWCOMER2", "TriggerMessage", trigger)
        await until(lambda: newcomer.online, what="accepted")

    assert shown["registration"] == "pending"
    assert triggered.json()["outcome"] == "answered"
    assert newcomer.history.tally("Heartbeat").refused == 0


async def new_key(system, api, role: str):
    """Return a client with a new key of a role, once every service knows the key."""
    made = await api.call("POST", "/v1/api-keys", {"name": f"a {role}", "role": role})
    client = system.api(made["key"])

    async def look() -> int:
        return (await client.request("GET", "/v1/stations")).status_code

    await eventually(look, lambda status: status == 200, what="the key known")
    return made, client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/stations"),
        ("GET", "/v1/sessions"),
        ("GET", "/v1/tokens"),
        ("GET", "/v1/commands"),
        ("GET", "/v1/api-keys"),
        ("GET", "/v1/onboarding"),
        ("GET", "/v1/sessions/1/meter-values"),
        ("POST", "/v1/stations/X/commands"),
        ("POST", "/v1/stations/X/evses/1/start"),
    ],
)
async def test_nothing_is_served_without_a_key(system, method, path):
    for key in ("", "cbk_nobody_nothing", "nonsense"):
        async with system.api(key) as stranger:
            answer = await stranger.request(method, path, json={} if method == "POST" else None)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_viewer_sees_and_does_not_command(system, api):
    await api.register(["DOOR5"])
    _, viewer = await new_key(system, api, "viewer")
    async with viewer:
        seen = await viewer.request("GET", "/v1/stations/DOOR5")
        commanded = await viewer.command("DOOR5", "Reset", {"type": "Soft"})
        started = await viewer.request("POST", "/v1/stations/DOOR5/evses/1/start", json={"id_token": "X"})
        registered = await viewer.request("POST", "/v1/stations", json={"station_id": "DOOR6"})

    assert seen.status_code == 200
    assert [commanded.status_code, started.status_code, registered.status_code] == [403, 403, 403]


async def test_an_operator_makes_no_keys_and_a_revoked_key_opens_nothing(system, api):
    made, operator = await new_key(system, api, "operator")
    async with operator:
        refused = await operator.request("POST", "/v1/api-keys", json={"name": "x", "role": "admin"})
        await api.call("DELETE", f"/v1/api-keys/{made['key_id']}")

        async def look() -> int:
            return (await operator.request("GET", "/v1/stations")).status_code

        revoked = await eventually(look, lambda status: status == 401, what="the key revoked")

    assert (refused.status_code, revoked) == (403, 401)

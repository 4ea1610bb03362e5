"""Who is let in: identities, credentials and subprotocols as stations were seen to write them."""

import asyncio
import base64
from urllib.parse import quote

import pytest
from chargebus_testkit.raw import v16
from chargebus_testkit.raw.station import RawStation
from chargebus_testkit.raw.times import ago
from chargebus_testkit.waiting import eventually
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHOSEN = "chosen by operator"
IDENTITIES = ("RDAM 123", "RDAM:124", "Lades\u00e4ule 7", "\u5145\u7535\u6869", "site/7", "DOOR-" + "x" * 60)


def authorization(credentials: bytes) -> str:
    return "Basic " + base64.b64encode(credentials).decode()


async def refusal(station: RawStation, **how) -> int:
    """Return the status with which a station is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await station.connect(**how)
    return refused.value.response.status_code


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_any_identity_is_registered_connects_at_once_charges_and_is_commanded(
    raw_station, ended_sessions, api, identity
):

    path = f"/v1/stations/{quote(identity, safe='')}"
    async with raw_station("1.6", identity) as station:
        started = await station.call("StartTransaction", v16.start(ago(30), 1000))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000, idTag="ALICE"))
        [session] = await ended_sessions(station)
        station.replies["ClearCache"] = {"status": "Accepted"}
        commanded = await api.call("POST", f"{path}/commands", {"action": "ClearCache", "payload": {}, "wait": True})
        shown = await api.call("GET", path)

    assert (session["station_id"], session["energy_wh"]) == (identity, 2000)
    assert commanded["outcome"] == "answered"
    assert (shown["station_id"], shown["connection"]["connected"]) == (identity, True)


async def test_twenty_stations_come_in_at_once_after_they_were_registered(system, api):
    for number in range(20):
        body = {"station_id": f"AT-ONCE-{number}"}
        made = await api.call("POST", "/v1/stations", body)
        async with RawStation(system.ocpp_url, body["station_id"], made["password"], "2.0.1") as station:
            await station.connect()


async def test_what_stations_make_of_their_password_is_taken(raw_station):
    async with raw_station("1.6", connect=False) as station:
        user, password = station.station_id.encode() + b":", station.password
        for secret in (password, password.upper(), f"{password}\n", f"{password}\r\n"):
            await station.connect(Authorization=authorization(user + secret.encode()))
        await station.connect(Authorization=authorization(user + bytes.fromhex(password)))
        await station.connect(Authorization=authorization(user.lower() + password.encode()))
        await station.connect(Authorization=station.authorization.replace("Basic", "basic").rstrip("="))

        assert await refusal(station, Authorization=authorization(user + password[:-1].encode())) == 401


@pytest.mark.parametrize("offer", ["OCPP1.6", "ocpp1.6J", "ocpp16", None])
async def test_a_near_miss_of_its_subprotocol_is_taken_and_shown(raw_station, api, offer):
    async with raw_station("1.6", connect=False, versions=["1.6"]) as station:
        socket = await station.connect((offer,) if offer else ())
        assert socket.connection.subprotocol == offer
        assert (await station.boot())["status"] == "Accepted"

        async def look():
            return (await api.call("GET", f"/v1/stations/{station.station_id}"))["connection"]

        shown = await eventually(look, lambda shown: shown["connected"], what="connected")
        path = f"/v1/stations/{station.station_id}/deviations"
        told = await eventually(lambda: api.call("GET", path), lambda told: told["items"], what="told")
    assert shown["version"] == "1.6"
    assert [each["kind"] for each in told["items"]] == ["handshake"]
    assert shown["deviations"] == [told["items"][0]["detail"]]


@pytest.mark.parametrize("offer", ["ocpp1.5", "ocpp2.0", "OCPP2.0.1", "soap"])
async def test_what_is_no_near_miss_of_what_is_allowed_is_refused_as_specified(raw_station, offer):
    """Spec: OCPP-J 1.6 3.2; OCPP 2.0.1 Part 4, 3.1.2: complete the handshake without a subprotocol, then close."""
    async with raw_station("1.6", connect=False, versions=["1.6"]) as station:
        socket = await station.connect((offer,))
        assert socket.connection.subprotocol is None
        assert (await station.closed()).code == 1002


async def test_a_wrong_chosen_password_is_told_to_be_wrong_each_time(raw_station):
    async with raw_station("1.6", connect=False, password=CHOSEN) as station:
        station.password = CHOSEN
        for wrong in ("wrong", "wrong", "wronger"):
            credentials = f"{station.station_id}:{wrong}".encode()
            assert await refusal(station, Authorization=authorization(credentials)) == 401
        await station.connect()


async def test_a_new_password_waits_for_the_station_and_the_socket_stays(raw_station, api):
    async with raw_station("2.0.1") as station:
        path, old = f"/v1/stations/{station.station_id}", station.password
        await api.call("POST", f"{path}/password", {"password": CHOSEN})
        assert await station.call("Heartbeat", {})
        await station.cut()
        await station.connect()
        assert (await change(api, path))["unused"] == 1

        station.password = CHOSEN
        await station.connect()
        used = await eventually(lambda: change(api, path), lambda found: not found["unused"], what="the use noted")
        station.password = old
        assert await refusal(station) == 401
        station.password = CHOSEN
        await station.connect()
        assert (await station.boot())["status"] == "Accepted"

    assert used["used_at"] is not None


async def change(api, path):
    return (await api.call("GET", path))["password_change"]


async def test_of_two_changes_the_station_may_have_got_either(raw_station, api):
    async with raw_station("1.6") as station:
        path, old = f"/v1/stations/{station.station_id}", station.password
        passwords = [(await api.call("POST", f"{path}/password", {}))["password"] for _ in range(2)]
        station.password = passwords[0]
        await station.connect()
        await eventually(lambda: change(api, path), lambda found: found["unused"] == 1, what="the first used")
        station.password = passwords[1]
        await station.connect()
        await eventually(lambda: change(api, path), lambda found: found["unused"] == 0, what="the second used")
        for ended in (old, passwords[0]):
            station.password = ended
            assert await refusal(station) == 401


async def test_a_password_that_an_operator_ends_closes_the_connection_that_came_in_by_it(raw_station, api):
    async with raw_station("1.6") as station:
        path = f"/v1/stations/{station.station_id}"
        new = (await api.call("POST", f"{path}/password", {}))["password"]
        await api.request("DELETE", f"{path}/password/older")
        assert (await station.closed()).code == 1008
        assert await refusal(station) == 401
        station.password = new
        await station.connect()


async def test_a_change_that_is_taken_back_leaves_all_as_it_was(raw_station, api):
    async with raw_station("1.6") as station:
        path, old = f"/v1/stations/{station.station_id}", station.password
        station.password = (await api.call("POST", f"{path}/password", {}))["password"]
        assert (await api.request("DELETE", f"{path}/password/newer")).status_code == 204
        assert await station.call("Heartbeat", {})
        await eventually(lambda: let_in(station), lambda came_in: not came_in, what="the password taken back")
        station.password = old
        await station.connect()
        assert (await station.boot())["status"] == "Accepted"


async def let_in(station: RawStation) -> bool:
    """Tell whether a station comes in; an edge may not have read yet that a password has ended."""
    try:
        await station.connect()
    except InvalidStatus:
        return False
    return True


async def test_strangers_by_the_hundred_are_refused_and_hold_up_nobody(system, raw_station):
    strangers = [RawStation(system.ocpp_url, f"STRANGER-{number}", "0" * 40, "1.6") for number in range(100)]
    refused = asyncio.gather(*(refusal(stranger) for stranger in strangers))
    async with raw_station("1.6"):
        assert set(await refused) == {401}

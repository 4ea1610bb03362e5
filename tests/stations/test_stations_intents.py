"""What an operator is told of a remote start: whether it reached the station, and what the station said."""

import pytest
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

START = {"id_token": "ALICE", "wait": True, "ttl_s": 2}
ACTIONS = {"1.6": "RemoteStartTransaction", "2.0.1": "RequestStartTransaction", "2.1": "RequestStartTransaction"}


async def asked_to_start(api, station, **more):
    return await api.call("POST", f"/v1/stations/{station.station_id}/evses/1/start", START | more)


async def test_a_start_of_a_station_that_is_away_says_so(raw_station, api):
    async with raw_station("1.6") as station:
        await station.disconnect()
        told = await asked_to_start(api, station)

    assert told["outcome"] == "expired"
    assert told["reason"].startswith("the station is not connected")


async def test_a_refusal_keeps_what_the_station_says_about_it(raw_station, api):
    info = {"reasonCode": "TxInProgress", "additionalInfo": "cable 2 is in use"}
    async with raw_station("2.0.1") as station:
        station.replies["RequestStartTransaction"] = {"status": "Rejected", "statusInfo": info}
        told = await asked_to_start(api, station)

    assert (told["outcome"], told["status"], told["broken"]) == ("answered", "Rejected", False)
    assert told["status_info"] == {"reason_code": "TxInProgress", "additional_info": "cable 2 is in use"}


async def test_an_answer_that_breaks_its_schema_is_told_as_such(raw_station, api):
    async with raw_station("1.6") as station:
        station.replies["RemoteStartTransaction"] = {"status": "Yes"}
        told = await asked_to_start(api, station)

    assert (told["outcome"], told["status"], told["broken"]) == ("answered", "Yes", True)
    assert "breaks its schema" in told["reason"]


@pytest.mark.parametrize("version", ACTIONS)
async def test_a_pending_station_is_not_asked_to_start(raw_station, api, version):
    async with raw_station(version, boot=False, registration="pending") as station:
        assert (await station.boot())["status"] == "Pending"
        station.replies["GetLocalListVersion"] = {"listVersion": 0} if version == "1.6" else {"versionNumber": 0}
        told = await asked_to_start(api, station)
        other = await api.command(station.station_id, "GetLocalListVersion", {})

    assert (told["outcome"], other.json()["outcome"]) == ("expired", "answered")
    assert told["reason"].startswith("the station is pending")


async def test_a_start_waits_until_its_station_is_accepted(raw_station, api):
    async with raw_station("2.0.1", boot=False, registration="pending") as station:
        assert (await station.boot())["status"] == "Pending"
        station.replies["RequestStartTransaction"] = {"status": "Accepted"}
        asked = await asked_to_start(api, station, wait=False, ttl_s=60)
        await api.call("PATCH", f"/v1/stations/{station.station_id}", {"registration": "accepted"})
        await eventually(station.boot, lambda answer: answer["status"] == "Accepted", what="acceptance")
        payload = await station.asked("RequestStartTransaction")
        command = await eventually(
            lambda: api.call("GET", f"/v1/commands/{asked['command_id']}"),
            lambda found: found["outcome"] is not None,
            what="an outcome",
        )

    assert payload["remoteStartId"] == asked["remote_start_id"]
    assert command["outcome"] == "answered"

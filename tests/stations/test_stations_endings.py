"""Sessions whose station does not say that they ended, or says so wrongly."""

import pytest
from chargebus_testkit.raw import v16
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_operator_ends_corrects_and_reopens_a_session(raw_station, sessions, ended_sessions, api):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 1000))
        [session] = await sessions(station)
        path = f"/v1/sessions/{session['session_id']}"
        ended = await api.call("POST", f"{path}/end", {"reason": "the station is dead", "meter_stop_wh": 2000})
        corrected = await api.call("POST", f"{path}/correct", {"reason": "seen at the meter", "energy_wh": 1500})
        reopened = await api.call("POST", f"{path}/reopen", {"reason": "it lives"})
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000))

        [found] = await ended_sessions(station)

    assert [each["energy_wh"] for each in (ended, corrected, found)] == [1000, 1500, 2000]
    assert (ended["state"], reopened["state"]) == ("ended", "active")
    assert found["flags"] == ["corrected", "ended_by_operator", "reopened"]
    shown = await api.call("GET", path)
    assert [each["reason"] for each in shown["decisions"]] == ["the station is dead", "seen at the meter", "it lives"]

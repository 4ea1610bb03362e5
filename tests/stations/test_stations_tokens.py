"""Whose token it is: the case of A to Z does not matter, another letter is another token."""

import pytest
from chargebus_testkit.raw import v16
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_cards_that_only_unicode_folds_into_one_are_two(raw_station, api, ended_sessions):
    await api.add_token("Straße", concurrent_transactions=False)
    await api.add_token("STRASSE", blocked=True)
    async with raw_station("1.6") as station:
        assert (await station.call("Authorize", {"idTag": "STRAßE"}))["idTagInfo"]["status"] == "Accepted"
        assert (await station.call("Authorize", {"idTag": "strasse"}))["idTagInfo"]["status"] == "Blocked"
        started = await station.call("StartTransaction", v16.start(ago(30), 1000, "straße"))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000))
        [session] = await ended_sessions(station)

    assert (session["id_token"], session["energy_wh"], session["billable"]) == ("straße", 2000, True)

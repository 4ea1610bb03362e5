"""Who pays: what is told of the driver somewhere in a transaction is not lost."""

import pytest
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = {"idToken": {"idToken": "", "type": "NoAuthorization"}}
CAR = {"idToken": {"idToken": "0123456789AB", "type": "MacAddress"}}
CAR_21 = {"idToken": {"idToken": "DE8EVCC01", "type": "EVCCID"}}


@pytest.mark.parametrize("before", [{}, NOBODY, CAR])
async def test_who_shows_a_card_later_pays(raw_station, ended_sessions, before):
    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000, "", **before))
        card = {"triggerReason": "Authorized", "idToken": v201.id_token("ALICE")}
        await station.call("TransactionEvent", v201.updated("t", 1, ago(29), 1000, **card))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(10), 3000))

        [session] = await ended_sessions(station)

    assert (session["id_token"], session["billable"], session["energy_wh"], session["flags"]) == (
        "ALICE",
        True,
        2000,
        [],
    )


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_token_that_nobody_can_read_is_told(raw_station, ended_sessions, version):
    async with raw_station(version) as station:
        if version == "1.6":
            begun = await station.call("StartTransaction", v16.start(ago(30), 1000) | {"idTag": {"tag": "ALICE"}})
            await station.call("StopTransaction", v16.stop(begun["transactionId"], ago(10), 3000))
        else:
            unreadable = {"idToken": {"tag": "ALICE"}}
            await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000, "") | unreadable)
            await station.call("TransactionEvent", v201.ended("t", 1, ago(10), 3000))

        [session] = await ended_sessions(station)

    assert (session["energy_wh"], session["billable"], session["flags"]) == (2000, False, ["token_unreadable"])


async def test_who_pays_at_the_terminal_pays_and_not_the_car(raw_station, ended_sessions):
    async with raw_station("2.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000, "", **CAR_21))
        paid = {"triggerReason": "Authorized", "idToken": v201.id_token("ALICE", "DirectPayment")}
        await station.call("TransactionEvent", v201.updated("t", 1, ago(29), 1000, **paid))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(10), 3000))

        [session] = await ended_sessions(station)

    assert (session["id_token"], session["id_token_type"], session["billable"]) == ("ALICE", "DirectPayment", True)


async def test_a_second_card_is_shown_and_does_not_pay(raw_station, ended_sessions, api):
    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000))
        card = {"triggerReason": "Authorized", "idToken": v201.id_token("BOB")}
        await station.call("TransactionEvent", v201.updated("t", 1, ago(20), 2000, **card))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(10), 3000))

        [session] = await ended_sessions(station)

    shown = await api.call("GET", f"/v1/sessions/{session['session_id']}")
    assert (session["id_token"], session["flags"]) == ("ALICE", ["second_token"])
    assert [event["id_token"] for event in shown["events"]] == ["ALICE", "BOB", ""]


async def test_a_started_that_names_a_remote_start_belongs_to_whom_that_named(raw_station, ended_sessions, api):
    async with raw_station("2.0.1") as station:
        station.replies["RequestStartTransaction"] = {"status": "Accepted"}
        await api.call("POST", f"/v1/stations/{station.station_id}/evses/1/start", {"id_token": "CAROL"})
        asked = await station.asked("RequestStartTransaction")
        info = {"remoteStartId": asked["remoteStartId"]}
        remote = v201.started("t", 0, ago(30), 1000, "", triggerReason="RemoteStart", info=info)
        assert await station.call("TransactionEvent", remote) == {}
        await station.call("TransactionEvent", v201.ended("t", 1, ago(10), 3000))

        [session] = await ended_sessions(station)

    assert (session["id_token"], session["billable"], session["energy_wh"]) == ("CAROL", True, 2000)
    assert session["flags"] == ["token_from_remote_start"]

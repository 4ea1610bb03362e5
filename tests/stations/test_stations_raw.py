"""What a raw station can do, each in its smallest form, so that the other tests can rely on it."""

import pytest
from chargebus_ocppj.versions import VERSIONS
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def charge_16(station) -> None:
    started = await station.call("StartTransaction", v16.start(ago(30), 1000))
    await station.call("MeterValues", v16.meter_values(ago(20), 2000, started["transactionId"]))
    await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000, idTag="ALICE"))


async def charge_201(station) -> None:
    await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000))
    await station.call("TransactionEvent", v201.updated("t", 1, ago(20), 2000))
    await station.call("TransactionEvent", v201.ended("t", 2, ago(10), 3000))


CHARGES = {"1.6": charge_16, "2.0.1": charge_201, "2.1": charge_201}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_of_each_version_charges(raw_station, ended_sessions, version):
    async with raw_station(version) as station:
        await CHARGES[version](station)

        [session] = await ended_sessions(station)

    assert (session["id_token"], session["energy_wh"], session["billable"]) == ("ALICE", 2000, True)
    assert session["flags"] == []


async def test_a_refusal_has_its_code(raw_station):
    async with raw_station("2.0.1") as station:
        with pytest.raises(RefusedError) as refused:
            await station.call("BrewCoffee", {})

    assert refused.value.code == "NotImplemented"


async def test_raw_text_is_sent_as_it_stands(raw_station):
    async with raw_station("1.6") as station:
        await station.send('[2, "raw" ,"Heartbeat",{}]')
        answer = await station.receive()

    assert answer[:2] == [3, "raw"]


async def test_what_the_csms_asks_is_answered_as_the_test_says(raw_station, api):
    async with raw_station("2.0.1") as station:
        station.replies["Reset"] = {"status": "Scheduled"}
        ended = await api.command(station.station_id, "Reset", {"type": "OnIdle"})
        asked = await station.asked("Reset")

    assert asked == {"type": "OnIdle"}
    assert ended.json()["reply"] == {"status": "Scheduled"}


async def test_a_second_socket_ends_the_first(raw_station):
    async with raw_station("2.0.1") as station:
        first = station.socket
        await station.connect()
        await first.closed()

        assert (await station.boot())["status"] == "Accepted"


async def test_a_station_comes_back_after_a_cut(raw_station):
    async with raw_station("1.6") as station:
        await station.cut()
        await station.connect()

        assert await station.call("Heartbeat", {})

"""Which transaction a message belongs to, and whether it came again."""

import pytest
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_drivers_with_one_transaction_id(raw_station, ended_sessions):
    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("1", 0, ago(60), 0, "ALICE"))
        await station.call("TransactionEvent", v201.ended("1", 2, ago(50), 2000))
        await station.boot()
        await station.call("TransactionEvent", v201.started("1", 0, ago(40), 2000, "BOB"))
        await station.call("TransactionEvent", v201.updated("1", 1, ago(35), 3000))
        await station.call("TransactionEvent", v201.updated("1", 2, ago(30), 4000))
        await station.call("TransactionEvent", v201.ended("1", 3, ago(20), 7000))

        found = await ended_sessions(station, count=2)

    assert [(session["id_token"], session["energy_wh"]) for session in found] == [("ALICE", 2000), ("BOB", 5000)]


async def test_two_drivers_with_one_transaction_id_and_equal_numbers_sent_again_in_the_end(raw_station, ended_sessions):
    alice = [v201.started("1", 0, ago(60), 0, "ALICE"), v201.ended("1", 1, ago(50), 2000)]
    bob = [v201.started("1", 0, ago(40), 2000, "BOB"), v201.ended("1", 1, ago(20), 7000)]
    async with raw_station("2.0.1") as station:
        first = [await station.call("TransactionEvent", request) for request in alice]
        await station.boot()
        first += [await station.call("TransactionEvent", request) for request in bob]
        again = [await station.call("TransactionEvent", request | {"offline": True}) for request in (*alice, *bob)]

        found = await ended_sessions(station, count=2)

    assert again == first
    assert [(session["id_token"], session["energy_wh"]) for session in found] == [("ALICE", 2000), ("BOB", 5000)]
    assert [session["flags"] for session in found] == [["transaction_id_reused"]] * 2


async def test_two_drivers_of_1_6_and_a_start_that_comes_again(raw_station, ended_sessions):
    first = v16.start(ago(60), 0, "ALICE")
    async with raw_station("1.6") as station:
        alice, again = [await station.call("StartTransaction", first) for _ in range(2)]
        await station.call("StopTransaction", v16.stop(alice["transactionId"], ago(50), 2000))
        await station.boot()
        bob = await station.call("StartTransaction", v16.start(ago(40), 2000, "BOB"))
        await station.call("StopTransaction", v16.stop(bob["transactionId"], ago(20), 7000))
        late = await station.call("StartTransaction", first)

        found = await ended_sessions(station, count=2)

    assert [again, late] == [alice, alice]
    assert [(session["id_token"], session["energy_wh"]) for session in found] == [("ALICE", 2000), ("BOB", 5000)]
    assert [session["flags"] for session in found] == [[], []]


async def test_two_drivers_of_1_6_without_a_clock(raw_station, ended_sessions):
    async with raw_station("1.6") as station:
        for driver, wh in (("ALICE", 2000), ("BOB", 5000), ("ALICE", 3000)):
            start = v16.start("1970-01-01T00:00:05Z", 0, driver)
            begun = await station.call("StartTransaction", start)
            await station.call("StopTransaction", v16.stop(begun["transactionId"], "1970-01-01T01:00:05Z", wh))

        found = await ended_sessions(station, count=3)

    told = sorted((session["id_token"], session["energy_wh"], *session["flags"]) for session in found)
    assert told == [
        ("ALICE", 2000, "clock_implausible"),
        ("ALICE", 3000, "clock_implausible"),
        ("BOB", 5000, "clock_implausible"),
    ]


async def test_the_same_number_with_other_content_is_another_event(raw_station, ended_sessions, api):
    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(60), 0))
        await station.call("TransactionEvent", v201.updated("t", 1, ago(50), 1000))
        await station.call("TransactionEvent", v201.updated("t", 1, ago(40), 1500))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(30), 2000))

        [session] = await ended_sessions(station)

    assert (session["energy_wh"], session["flags"]) == (2000, ["sequence_number_reused"])
    shown = await api.call("GET", f"/v1/sessions/{session['session_id']}")
    assert [event["counts"] for event in shown["events"]] == [True] * 4


@pytest.mark.parametrize("number", [2, 7])
async def test_another_end_of_a_transaction_does_not_replace_the_first_one(raw_station, ended_sessions, api, number):
    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(60), 0))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(50), 2000))
        await station.call("TransactionEvent", v201.ended("t", number, ago(10), 25_750_000))

        [session] = await ended_sessions(station)

    assert (session["energy_wh"], session["flags"]) == (2000, ["settled_before"])
    shown = await api.call("GET", f"/v1/sessions/{session['session_id']}")
    assert sorted(event["counts"] for event in shown["events"]) == [False, True, True]


async def test_another_stop_of_a_transaction_does_not_replace_the_first_one(raw_station, ended_sessions):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 0))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(50), 2000))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(50), 2000))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 25_750_000))

        [session] = await ended_sessions(station)

    assert (session["energy_wh"], session["flags"]) == (2000, ["settled_before"])


async def test_a_stop_that_lost_its_id_ends_the_one_of_its_card(raw_station, ended_sessions):
    async with raw_station("1.6") as station:
        await station.call("StartTransaction", v16.start(ago(60), 1000, "ALICE", 1))
        await station.call("StartTransaction", v16.start(ago(59), 1000, "BOB", 2))
        await station.call("StopTransaction", v16.stop(-1, ago(50), 3000, idTag="BOB"))

        [session] = await ended_sessions(station)

    assert (session["id_token"], session["evse_id"], session["energy_wh"], session["flags"]) == ("BOB", 2, 2000, [])


@pytest.mark.parametrize("lost", [-1, 0, 999_999_999])
async def test_a_stop_that_lost_its_id_ends_what_is_charging(raw_station, ended_sessions, lost):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 1000))
        await station.call("StopTransaction", v16.stop(lost, ago(50), 3000, idTag="ALICE"))
        await station.call("StopTransaction", v16.stop(lost, ago(50), 3000, idTag="ALICE"))

        [session] = await ended_sessions(station)

    assert (session["transaction_id"], session["energy_wh"]) == (str(started["transactionId"]), 2000)
    assert (session["id_token"], session["billable"], session["flags"]) == ("ALICE", True, [])

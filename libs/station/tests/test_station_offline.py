"""What a station keeps, resends and tells of the time when nobody listened."""

import pytest
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.charging import Vehicle
from chargebus_station.config import Resend
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.faults import Fault
from chargebus_station.history import Fate
from chargebus_station.transaction import IdToken

ALL = pytest.mark.parametrize("version", VERSIONS)
TWO = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
CAR = Vehicle(60_000, 11_000, soc=0.2)
VISIT = DriverVisit(1, CAR, IdToken("ALICE"), stay_s=600)
LONG = DriverVisit(1, CAR, IdToken("ALICE"), stay_s=1_000_000)
START = {"1.6": "StartTransaction", "2.0.1": "TransactionEvent/Started", "2.1": "TransactionEvent/Started"}
STOP = {"1.6": "StopTransaction", "2.0.1": "TransactionEvent/Ended", "2.1": "TransactionEvent/Ended"}
TRANSACTION = frozenset({"StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent"})


def told(csms):
    """Return the transaction messages in the order in which they came."""
    return [call for call in csms.calls if call.action in TRANSACTION]


def kinds(csms):
    return [call.payload.get("eventType", call.action) for call in told(csms)]


@ALL
async def test_a_charge_that_happened_offline_is_told_in_order_afterwards(csms, start, version):
    async with start(version, local_tokens=("ALICE",)) as station:
        station.cut()
        await station.until(lambda: not station.connected)
        first = await station.visit(VISIT)
        second = await station.visit(VISIT)
        assert told(csms) == []
        assert station.queued == len(first.messages) + len(second.messages)
        station.mend()
        await station.until(lambda: station.settled)
    assert [entry.answered for entry in (*first.messages, *second.messages)] == [True] * len(told(csms))
    begin, middle, end = (
        ("StartTransaction", "MeterValues", "StopTransaction") if version == "1.6" else ("Started", "Updated", "Ended")
    )
    wanted = [begin, *[middle] * (len(first.messages) - 2), end, begin, *[middle] * (len(second.messages) - 2), end]
    assert kinds(csms) == wanted
    assert first.transaction_id != second.transaction_id


@TWO
async def test_E04_events_that_occurred_offline_say_so_and_the_others_do_not(csms, start, version):
    async with start(version) as station:
        station.visit(LONG)
        await csms.until(lambda: len(told(csms)) > 3)
        station.cut()
        await station.until(lambda: station.queued > 5)
        station.mend()
        await station.until(lambda: station.queued == 0)
        station.unplug(1)
        await station.until(lambda: station.settled)
    flags = [call.payload.get("offline", False) for call in told(csms)]
    assert flags[0] is False
    assert flags[-1] is False
    assert flags.count(True) > 3
    numbers = dict.fromkeys(call.payload["seqNo"] for call in told(csms))  # the one at the cut may come twice
    assert list(numbers) == list(range(len(numbers)))


@ALL
async def test_nobody_unknown_charges_while_offline(csms, start, version):
    async with start(version) as station:
        station.cut()
        await station.until(lambda: not station.connected)
        assert await station.visit(VISIT) is None
        assert [(entry.status, entry.allowed) for entry in station.history.authorizations] == [(None, False)]


@ALL
async def test_a_lost_answer_makes_the_station_resend_the_same_message_under_a_new_id(csms, start, version):
    async with start(version, answer_timeout_s=0.3) as station:
        station.faults.arm(Fault.LOSE_ANSWER, START[version])
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    first, *others = told(csms)
    again = [call for call in others if call.payload == first.payload]  # more than one, if a machine stands still
    ids = [call.message_id for call in (first, *again)]
    assert len(set(ids)) == len(ids) > 1
    started = entry.messages[0]
    assert started.message_ids == ids
    assert started.lost_answers == 1
    assert started.fate is Fate.ANSWERED
    assert len(started.answers) == 1


async def test_a_resend_may_carry_the_same_id(csms, start):
    async with start("1.6", answer_timeout_s=0.3, resend=Resend.SAME_ID) as station:
        station.faults.arm(Fault.LOSE_ANSWER, "StartTransaction")
        await station.visit(VISIT)
        await station.until(lambda: station.settled)
    first, second = told(csms)[:2]
    assert first.message_id == second.message_id


@ALL
async def test_nothing_overtakes_a_message_that_is_refused_until_its_attempts_are_over(csms, start, version):
    refusals = []

    def refuse_start_twice(payload):
        if payload.get("eventType", "Started") == "Started" and len(refusals) < 2:
            refusals.append(payload)
            raise csms.refused("InternalError")
        return csms.usual("StartTransaction" if version == "1.6" else "TransactionEvent", payload)

    csms.scripts[START[version].split("/")[0]] = refuse_start_twice
    async with start(version) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert kinds(csms)[:3] == [kinds(csms)[0]] * 3
    assert kinds(csms).count(kinds(csms)[0]) == 3
    assert entry.messages[0].refusals == ["InternalError"] * 2
    assert all(message.answered for message in entry.messages)


async def test_1_6_3_7_1_a_start_that_is_never_taken_is_given_up_with_all_that_follows(csms, start):
    def refuse(_payload):
        raise csms.refused("InternalError")

    csms.scripts["StartTransaction"] = refuse
    settings = {"TransactionMessageAttempts": "2", "TransactionMessageRetryInterval": "10"}
    async with start("1.6", settings=settings) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert kinds(csms) == ["StartTransaction", "StartTransaction"]
    assert {message.fate for message in entry.messages} == {Fate.DISCARDED}
    assert list(station.history.answered_transactions()) == []


@TWO
async def test_E13_FR_04_an_event_that_is_never_taken_is_given_up_and_the_next_ones_go_on(csms, start, version):
    def refuse_start(payload):
        if payload["eventType"] == "Started":
            raise csms.refused("InternalError")
        return {}

    csms.scripts["TransactionEvent"] = refuse_start
    async with start(version) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert kinds(csms)[:4] == ["Started", "Started", "Started", "Updated"]
    assert entry.messages[0].fate is Fate.DISCARDED
    assert all(message.answered for message in entry.messages[1:])


@ALL
async def test_a_socket_that_drops_in_mid_call_costs_no_attempt_and_no_message(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.DROP_AFTER_SENDING, STOP[version], times=5)
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert entry.stop_answered
    assert len(entry.messages[-1].message_ids) == 6
    assert station.history.connections == 6


@ALL
async def test_a_message_that_was_answered_can_be_sent_again(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.RESEND_ANSWERED, START[version])
        station.faults.arm(Fault.REPEAT_ANSWERED, STOP[version])
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled and len(entry.messages[-1].answers) == 2)
    started, stopped = entry.messages[0], entry.messages[-1]
    assert len(set(started.message_ids)) == len(started.answers) == 2
    assert len(stopped.message_ids) == len(stopped.answers) == 2
    assert len(set(stopped.message_ids)) == 1


@TWO
async def test_events_can_come_after_the_end(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.HOLD_BACK, "TransactionEvent/Started")
        station.faults.arm(Fault.HOLD_BACK, "TransactionEvent/Updated", times=2)
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert kinds(csms)[-4:] == ["Ended", "Started", "Updated", "Updated"]
    assert all(message.answered for message in entry.messages)


async def test_meter_values_of_1_6_can_come_after_the_stop(csms, start):
    async with start("1.6") as station:
        station.faults.arm(Fault.HOLD_BACK, "MeterValues")
        await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert kinds(csms)[-2:] == ["StopTransaction", "MeterValues"]


@ALL
async def test_calls_of_the_csms_are_answered_while_the_stations_own_call_waits(csms, start, version):
    async with start(version) as station:
        asked = []

        def silent(payload):
            asked.append(payload)
            raise csms.silent

        csms.scripts["Authorize"] = silent
        visit = station.visit(VISIT)
        await csms.until(lambda: asked != [])
        answer = await csms.call("GetLocalListVersion", {})
        assert list(answer.values()) == [0]
        assert not visit.done()


@TWO
async def test_E14_the_status_of_a_transaction_knows_the_queue(csms, start, version):
    async with start(version) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
        answer = await csms.call("GetTransactionStatus", {"transactionId": entry.transaction_id})
        assert answer == {"ongoingIndicator": False, "messagesInQueue": False}


async def test_a_power_failure_ends_the_charge_and_keeps_the_queue(csms, start):
    async with start("1.6", reboot_s=600) as station:
        station.visit(LONG)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        station.power_cycle()
        await station.until(lambda: station.history.boots_accepted == 2 and station.settled)
    assert csms.seen("StopTransaction")[0]["reason"] == "PowerLoss"

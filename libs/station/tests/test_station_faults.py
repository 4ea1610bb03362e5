"""Misbehaviour on request."""

import asyncio

import pytest
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.faults import GARBAGE, Fault, Faults

ALL = pytest.mark.parametrize("version", VERSIONS)


def test_a_fault_is_used_up_by_its_own_action_and_kind_only():
    faults = Faults()
    faults.arm(Fault.LOSE_ANSWER, "TransactionEvent/Ended")
    faults.arm(Fault.DROP_AFTER_SENDING)
    assert not faults.take(Fault.LOSE_ANSWER, "TransactionEvent", "Started")
    assert not faults.take(Fault.LOSE_ANSWER, "Heartbeat")
    assert faults.take(Fault.LOSE_ANSWER, "TransactionEvent", "Ended")
    assert not faults.take(Fault.LOSE_ANSWER, "TransactionEvent", "Ended")
    assert faults.take(Fault.DROP_AFTER_SENDING, "Heartbeat")
    assert faults.taken == [(Fault.LOSE_ANSWER, "TransactionEvent"), (Fault.DROP_AFTER_SENDING, "Heartbeat")]


@ALL
@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_reaches_the_csms(csms, start, version, name):
    async with start(version) as station:
        known = len(csms.calls)
        await station.send_garbage(name)
        if name == "oversize":
            await station.until(lambda: station.history.connections == 2)
        else:
            await csms.call("GetLocalListVersion", {})
            strays = [call for call in csms.calls[known:] if call.message_id.startswith("g-")]
            assert csms.faults or strays or csms.strays
    csms.faults[:] = ["expected"]


@ALL
async def test_a_command_can_be_ignored(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.IGNORE_COMMAND, "ClearCache")
        ignored = asyncio.create_task(csms.call("ClearCache", {}))
        await station.until(lambda: station.history.commands != [])
        assert await csms.call("ClearCache", {}) == {"status": "Accepted"}
        assert not ignored.done()
        first, second = station.history.commands
        assert (first.answered, first.refused) == (None, None)
        assert second.answered == {"status": "Accepted"}
        ignored.cancel()


@ALL
async def test_a_command_can_be_refused(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.REFUSE_COMMAND)
        with pytest.raises(csms.refused, match="InternalError"):
            await csms.call("ClearCache", {})
        await station.until(lambda: station.history.commands[0].refused == "InternalError")


@ALL
async def test_a_command_can_be_answered_wrongly(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.INVALID_ANSWER)
        with pytest.raises(Exception, match=r"Violation|ProtocolError"):
            await csms.call("ClearCache", {})
        if version == "2.1":
            await station.until(lambda: station.history.commands[0].result_error is not None)


@ALL
async def test_a_command_can_cost_the_socket(csms, start, version):
    async with start(version) as station:
        station.faults.arm(Fault.DROP_ON_COMMAND)
        lost = asyncio.create_task(csms.call("ClearCache", {}))
        await station.until(lambda: station.history.connections == 2)
        assert station.history.commands[0].answered is None
        assert not lost.done()
        lost.cancel()


@ALL
async def test_a_station_can_turn_to_a_new_socket_and_leave_the_old_one_open(csms, start, version):
    async with start(version) as station:
        station.switch_socket()
        await station.until(lambda: station.history.connections == 2 and station.online)
        old, new = csms.sockets
        assert old.close_code is None
        await csms.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await csms.until(lambda: csms.seen("Heartbeat") != [])
        assert csms.calls[-1].socket is new


async def test_a_station_can_have_two_sockets_at_once(csms, start):
    async with start("1.6") as station:
        second = await station.open_socket()
        await second.send('[2,"twin","Heartbeat",{}]')
        assert str(await second.recv()).startswith('[3,"twin"')
        assert station.online
        await second.close()


async def test_a_call_that_the_station_does_not_know_is_refused_and_written_down(csms, start):
    async with start("2.0.1") as station:
        await csms.sockets[0].send('[2,"x-1","SetDefaultTariff",{}]')
        await station.until(lambda: station.history.commands != [])
        assert station.history.commands[0].refused == "NotImplemented"


async def test_a_call_that_breaks_its_schema_is_refused(csms, start):
    async with start("1.6") as station:
        await csms.sockets[0].send('[2,"x-1","Reset",{"type":"Gentle"}]')
        await station.until(lambda: station.history.commands != [])
        assert station.history.commands[0].refused is not None
        assert station.history.boots_accepted == 1


async def test_an_answer_that_breaks_its_schema_is_no_answer(csms, start):
    csms.raw["Heartbeat"] = b'{"currentTime":5}'
    async with start("2.1") as station:
        await csms.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await station.until(lambda: station.history.tally("Heartbeat").refused == 1)
        await csms.until(lambda: csms.result_errors != [])
        csms.raw.clear()

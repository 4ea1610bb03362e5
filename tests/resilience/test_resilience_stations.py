"""Stations that lose answers, resend, send out of order, drop sockets, and use two at a time."""

import random

import pytest
from chargebus_station.faults import Fault
from chargebus_testkit.fleet import Plan

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("going on"),
]

TIMES = 3


async def test_answers_are_lost_and_messages_sent_again(scenario):
    async with scenario(Plan("forgetful", answer_timeout_s=1.0)) as fleet:
        for station in fleet.stations:
            for fault in (Fault.LOSE_ANSWER, Fault.RESEND_ANSWERED, Fault.REPEAT_ANSWERED):
                for action in ("StartTransaction", "StopTransaction", "TransactionEvent", "MeterValues"):
                    station.faults.arm(fault, action, TIMES)
        async with fleet.busy():
            await fleet.progress(60)

        done = {fault for station in fleet.stations for fault, _ in station.faults.taken}
        assert done == {Fault.LOSE_ANSWER, Fault.RESEND_ANSWERED, Fault.REPEAT_ANSWERED}


async def test_transaction_messages_come_out_of_order(scenario):
    async with scenario(Plan("disorderly")) as fleet:
        for station in fleet.stations:
            station.faults.arm(Fault.HOLD_BACK, "TransactionEvent/Updated", TIMES)
            station.faults.arm(Fault.HOLD_BACK, "TransactionEvent/Started", 1)
            station.faults.arm(Fault.HOLD_BACK, "MeterValues", TIMES)
        async with fleet.busy():
            await fleet.progress(60)

        assert {action for station in fleet.stations for _, action in station.faults.taken} == {
            "TransactionEvent",
            "MeterValues",
        }


async def test_sockets_break_and_double(scenario):
    dice = random.Random("sockets")
    async with scenario(Plan("restless")) as fleet, fleet.busy():
        for _ in range(6):
            await fleet.progress(5)
            for station in dice.sample(fleet.stations, 8):
                act = dice.choice((station.drop, station.switch_socket, station.power_cycle))
                act()
        await fleet.online()


async def test_commands_are_ignored_refused_and_answered_with_nonsense(scenario):
    async with scenario(Plan("sulky")) as fleet:
        for station in fleet.stations:
            for fault in (
                Fault.IGNORE_COMMAND,
                Fault.REFUSE_COMMAND,
                Fault.INVALID_ANSWER,
                Fault.DROP_ON_COMMAND,
                Fault.DROP_AFTER_SENDING,
            ):
                station.faults.arm(fault)
        async with fleet.busy():
            await fleet.commands(100)

"""Which transaction a message belongs to, and whether it came again."""

import pytest
from chargebus_testkit.raw import v201
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.xfail(strict=True, reason="it came again is decided by a number alone")
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

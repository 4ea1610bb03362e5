"""A bad frame stops nobody: neither its own station, nor the others."""

import pytest
from chargebus_station.faults import GARBAGE
from chargebus_testkit.checker import Checker
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_garbage_from_some_stations_while_all_charge(system):
    async with Fleet(system, Plan("e2e-garbage", size=9)) as fleet:
        culprits = fleet.stations[:6]
        async with fleet.busy():
            for name in GARBAGE:
                for station in culprits:
                    await until(lambda station=station: station.online, what="online")
                    await station.send_garbage(name)
            await fleet.progress_everywhere()
        await fleet.rest()

        assert await Checker(system).objections(fleet.expected) == []
        assert [station.history.connections for station in fleet.stations[6:]] == [1, 1, 1]

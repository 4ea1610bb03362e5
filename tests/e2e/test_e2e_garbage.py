"""A bad frame stops nobody: neither its own station, nor the others."""

from dataclasses import replace

import pytest
from chargebus_station.faults import GARBAGE
from chargebus_testkit import leftovers
from chargebus_testkit.checker import Checker
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.log import Log
from chargebus_testkit.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_garbage_from_some_stations_while_all_charge(system, rightly_parked):
    async with Fleet(system, Plan("e2e-garbage", size=9)) as fleet:
        culprits = fleet.stations[:6]
        async with fleet.busy():
            for name in GARBAGE:
                for station in culprits:
                    await until(lambda station=station: station.online, what="online")
                    await station.send_garbage(name)
            await fleet.progress_everywhere()
        await fleet.rest()
        kept = await refused(system)
        rightly_parked.update(record.text("ce_id") for record in kept)

        assert {record.key for record in kept} == {station.history.station_id for station in culprits}
        assert await Checker(system).objections(replace(fleet.expected, parked=frozenset(rightly_parked))) == []
        assert [station.history.connections for station in fleet.stations[6:]] == [1, 1, 1]


async def refused(system):
    """Return what is parked because nobody can understand it: the readings that are no JSON, of each station once."""
    async with Log(system.kafka_connection) as log:
        return [
            record for record in await leftovers.parked(log) if record.text("parked_reason").startswith("refused: ")
        ]

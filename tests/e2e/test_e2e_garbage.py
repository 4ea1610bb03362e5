"""A bad frame stops nobody: neither its own station, nor the others."""

import pytest
from chargebus_runtime import parking
from chargebus_station.faults import GARBAGE
from chargebus_testkit import leftovers
from chargebus_testkit.checker import Checker
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.log import Log
from chargebus_testkit.waiting import eventually, until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]


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

        await rightly_refused(system, [station.config.station_id for station in culprits])
        assert await Checker(system).objections(fleet.expected) == []
        assert [station.history.connections for station in fleet.stations[6:]] == [1, 1, 1]


async def rightly_refused(system, culprits):
    """See that of each the one refused frame about a transaction was kept, and dismiss it as an operator does."""
    async with Log(system.kafka_connection) as log:

        async def look():
            return [record for record in await leftovers.parked(log) if record.key in culprits]

        kept = await eventually(look, lambda kept: len(kept) >= len(culprits), what="what was refused is kept")
    assert sorted(record.key for record in kept) == sorted(culprits)
    assert all(record.text("ocpp_action") == "MeterValues" and b'"transactionId":,' in record.value for record in kept)
    assert all(parking.in_short(record.text(parking.REASON)).startswith("refused: ") for record in kept)
    await leftovers.dismiss(system, "metering", kept)

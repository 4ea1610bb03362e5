"""Records that come again, and in another order: each has its effect once."""

import random

import pytest
from chargebus_events.topics import (
    COMMANDS,
    DELIVERIES,
    DOWNLINK,
    REGISTRY,
    SESSION_EVENTS,
    frames_topic,
    outcomes_topic,
)
from chargebus_testkit.fleet import Plan
from chargebus_testkit.log import Log

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("going on"),
]

OUTCOMES = outcomes_topic("session")
FRAMES = tuple(frames_topic(service) for service in ("session", "metering", "device"))


async def redeliver(system, fleet, *topics):
    """Produce a fleet's records of some topics once more, all mixed up."""
    ids = {station.config.station_id for station in fleet.stations}
    async with Log(system.kafka_connection) as log:
        records = [record for record in await log.read(*topics) if record.key in ids]
        random.Random(len(records)).shuffle(records)
        assert records
        await log.produce(records)


async def test_frames_come_twice_and_out_of_order(system, scenario):
    async with scenario(Plan("frames-again")) as fleet:
        async with fleet.busy():
            await fleet.progress(8)
            await redeliver(system, fleet, *FRAMES)
            await fleet.progress(8)
        await redeliver(system, fleet, *FRAMES)


async def test_commands_and_answers_come_twice_and_out_of_order(system, scenario):
    async with scenario(Plan("down-again")) as fleet:
        async with fleet.busy():
            await fleet.commands(10)
            await redeliver(system, fleet, DOWNLINK, COMMANDS, DELIVERIES)
            await fleet.commands(10)
        await redeliver(system, fleet, DOWNLINK, COMMANDS, DELIVERIES, OUTCOMES)


async def test_what_services_tell_each_other_comes_twice(system, scenario):
    async with scenario(Plan("events-again")) as fleet, fleet.busy():
        await fleet.progress(8)
        await redeliver(system, fleet, SESSION_EVENTS, OUTCOMES, REGISTRY)
        await fleet.progress(8)

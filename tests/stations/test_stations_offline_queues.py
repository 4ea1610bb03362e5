"""Stations of all makes bring long offline queues through sockets that break; what comes of it is what they did."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from chargebus_testkit.offline import lives
from chargebus_testkit.offline.delivery import deliver
from chargebus_testkit.offline.reference import objections
from chargebus_testkit.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]

CHARGES = 24


class SocketLine:
    """A raw station's sockets, one after the other."""

    def __init__(self, station):
        self.station = station

    async def open(self):
        await self.station.connect()

    async def boot(self):
        await self.station.boot()

    async def call(self, message_id, action, payload):
        return await self.station.call(action, payload, message_id)

    async def say(self, message_id, action, payload: Mapping[str, object]):
        await self.station.send(json.dumps([2, message_id, action, payload]))

    async def cut(self):
        await self.station.cut()


async def test_offline_queues_of_all_makes(raw_station, api):
    for driver in lives.DRIVERS:
        await api.add_token(driver)
    lived = [lives.life(f"QUEUE-{name}", make, CHARGES, datetime.now(UTC)) for name, make in lives.MAKES.items()]

    async def live(life):
        async with raw_station(life.make.version, life.station_id, connect=False) as station:
            await deliver(life, SocketLine(station))

    await asyncio.gather(*map(live, lived))

    async def look():
        sessions = [each async for each in api.items("/v1/sessions")]
        return objections(lived, sessions)

    assert await eventually(look, lambda wrong: not wrong, what="what the stations did") == []

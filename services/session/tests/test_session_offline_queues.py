"""Ten thousand transactions of offline queues: cuts, resends, clocks that start in 1970, and none is lost or wrong."""

import asyncio
from collections import deque
from datetime import timedelta

import msgspec
import pytest
from chargebus_events.topics import DOWNLINK
from chargebus_testkit.offline import lives
from chargebus_testkit.offline.delivery import deliver
from chargebus_testkit.offline.reference import objections

CHARGES = 40
STATIONS_OF_A_MAKE = 25
ADD_DRIVER = "INSERT INTO token VALUES ($1, $2, '', '', false, NULL, true, '', now(), now())"
SESSIONS = """
SELECT station_id, transaction_id, evse_id, id_token, state, billable, meter_start_wh, meter_stop_wh, energy_wh, flags
FROM charging_session
"""


class Batches:
    """Brings what all stations say at the moment to the service as one batch."""

    def __init__(self, service):
        self.service = service
        self.waiting = deque()

    async def call(self, station_id, version, action, payload):
        answer = asyncio.get_running_loop().create_future()
        self.waiting.append(((station_id, version, action, payload), answer))
        return await answer

    async def run(self):
        while True:
            await asyncio.sleep(0)
            if self.waiting:
                await self.apply()

    async def apply(self):
        calls, answers = zip(*self.waiting, strict=True)
        self.waiting.clear()
        self.service.now += timedelta(seconds=1)
        frames = [
            self.service.frame(action, payload, version=version, station_id=station_id)
            for station_id, version, action, payload in calls
        ]
        applied = await self.service.apply(*frames)
        told = {
            int(dict(record.headers)["ocpp_number"]): record for record in applied.records if record.topic == DOWNLINK
        }
        for frame, answer in zip(frames, answers, strict=True):
            record = told[int(frame.headers["ocpp_number"])]
            answer.set_result(msgspec.json.decode(record.value))


class Line:
    """A line to the service alone: it hears of no connection, and of no boot."""

    def __init__(self, batches, life):
        self.batches = batches
        self.life = life

    async def open(self):
        pass

    async def boot(self):
        pass

    async def cut(self):
        pass

    async def say(self, message_id, action, payload):
        await self.call(message_id, action, payload)

    async def call(self, message_id, action, payload):
        return await self.batches.call(self.life.station_id, self.life.make.version, action, payload)


@pytest.mark.timeout(600)
async def test_ten_thousand_transactions_of_offline_queues(service, noon):
    for driver in lives.DRIVERS:
        await service.database.pool.execute(ADD_DRIVER, driver.casefold(), driver)
    lived = [
        lives.life(f"{name}-{number}", make, CHARGES, noon)
        for name, make in lives.MAKES.items()
        for number in range(STATIONS_OF_A_MAKE)
    ]
    batches = Batches(service)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(batches.run())
        heard = await asyncio.gather(*(deliver(life, Line(batches, life)) for life in lived))
        running.cancel()

    sessions = [dict(row) for row in await service.database.pool.fetch(SESSIONS)]
    wrong = objections(lived, sessions)
    assert sum(len(life.charges) for life in lived) == 10_000
    assert sum(heard) > 20_000
    assert not wrong, f"{len(wrong)} objections:\n" + "\n".join(wrong[:6])

"""Two whole copies of `session` beside each other: partitions go from one to the other while a fleet's frames come in.

A station's events and its readings are in two topics, and may so be applied by two copies at once. What tells is the
energy: each reading is an interval, and a session has it only if none of them was lost to what the other copy wrote.
"""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from chargebus_events.frames import Frame
from chargebus_events.record import Record
from chargebus_events.topics import DOWNLINK, SESSION_EVENTS, frames_topic
from chargebus_testkit.log import Log
from chargebus_testkit.raw import v201
from chargebus_testkit.running import running_system
from chargebus_testkit.system import System
from chargebus_testkit.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("copies of session"),
]

STATIONS = tuple(f"COPY-{number}" for number in range(24))
BEGUN = datetime.now(UTC) - timedelta(hours=2)
WH = 3.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system() -> AsyncIterator[System]:
    """Run `session` alone, with a Kafka and a PostgreSQL of its own."""
    async with running_system({"KAFKA_SESSION_TIMEOUT_S": "4"}, ["session"]) as system:
        yield system


class Traffic:
    """What edges would put on Kafka of a fleet: a transaction of each station, in rounds of an event and a reading."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._producer = AIOKafkaProducer(**system.kafka_connection.client_options(), acks="all")
        self._number = itertools.count(1)
        self._rounds = 0
        self._going_on = True

    @property
    def calls(self) -> int:
        """How many wait for an answer."""
        return len(STATIONS) * (self._rounds + 2)

    @property
    def energy_wh(self) -> float:
        """What each station told of."""
        return self._rounds * WH

    async def run(self) -> None:
        """Begin a transaction of each station, let them charge until `end`, and end them."""
        async with self._producer:
            await self._say("session", v201.started, 0)
            await eventually(self._sessions, lambda sessions: len(sessions) == len(STATIONS), what="the sessions")
            while self._going_on:
                self._rounds += 1
                state = ("Charging", "SuspendedEV")[self._rounds % 2]
                await self._say("session", v201.updated, self._rounds, info={"chargingState": state})
                await self._read()
                await asyncio.sleep(0.02)  # a pace, nothing is waited for
            await eventually(self._sessions, self._are_complete, what=f"{self.energy_wh} Wh of each")
            await self._say("session", v201.ended, self._rounds + 1)

    async def progress(self) -> None:
        """Wait until each station has been told of in a later round than any up to now."""
        wanted = self._rounds + 1

        async def newest() -> int:
            return await self._fetch(
                "SELECT count(*) FROM session_event WHERE number >= $1 AND kind = 'Updated'", wanted
            )

        await eventually(newest, lambda count: count >= len(STATIONS), what=f"round {wanted}")

    def end(self) -> None:
        """Have the transactions end."""
        self._going_on = False

    async def _say(self, service, event, number, **more) -> None:
        at = (BEGUN + timedelta(seconds=number)).isoformat()
        await self._produce(service, "TransactionEvent", event("t", number, at, None, **more), expects=True)

    async def _read(self) -> None:
        at = (BEGUN + timedelta(seconds=self._rounds)).isoformat()
        interval = v201.meter_values(at, WH, measurand="Energy.Active.Import.Interval")
        await self._produce("metering", "MeterValues", interval, expects=False)

    async def _produce(self, service: str, action: str, request: object, *, expects: bool) -> None:
        sending = []
        for station_id in STATIONS:
            number, payload = next(self._number), json.dumps(request).encode()
            frame = Frame(station_id, "2.0.1", action, f"m{number}", 0, 1, number, payload, datetime.now(UTC), expects)
            sending.append(await self._send(frame.record(frames_topic(service))))
        await asyncio.gather(*sending)

    async def _send(self, record: Record) -> asyncio.Future:
        headers = list(record.headers)
        return await self._producer.send(record.topic, record.value, record.key.encode(), headers=headers)

    async def _sessions(self) -> list[tuple]:
        connection = await self._system.connect("session")
        try:
            return [tuple(row) for row in await connection.fetch("SELECT state, energy_wh, gaps FROM charging_session")]
        finally:
            await connection.close()

    def _are_complete(self, sessions: list[tuple]) -> bool:
        return sessions == [("active", self.energy_wh, "[]")] * len(STATIONS)

    async def _fetch(self, query: str, *arguments: object) -> int:
        connection = await self._system.connect("session")
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()


async def test_partitions_go_from_copy_to_copy_in_mid_traffic_and_nothing_is_lost_or_done_twice(system):
    first, second = system["session"], system.place("session")
    traffic = Traffic(system)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(traffic.run())
        await traffic.progress()
        await second.start()
        await traffic.progress()
        await first.stop()
        await traffic.progress()
        await first.start()
        await traffic.progress()
        await second.kill()
        await traffic.progress()
        traffic.end()
        await running

    connection = await system.connect("session")
    try:

        async def look() -> list[tuple]:
            query = "SELECT state, energy_wh, gaps, flags::text FROM charging_session"
            return [tuple(row) for row in await connection.fetch(query)]

        right = ("ended", traffic.energy_wh, "[]", "{energy_from_readings}")
        await eventually(look, lambda sessions: sessions == [right] * len(STATIONS), what=f"{right} of each")
        assert await connection.fetchval("SELECT count(*) FROM session_event") == traffic.calls
    finally:
        await connection.close()
    await eventually(lambda: answered(system), lambda answers: len(answers) == traffic.calls, what="all answers")
    async with Log(system.kafka_connection) as log:
        told = {(each.key, each.text("ce_id"), each.text("ce_type")) for each in await log.read(SESSION_EVENTS)}
        parked = await log.read("session.parked")
    facts = Counter(kind.split(".")[-2] for _, _, kind in told)
    assert (facts["started"], facts["ended"]) == (len(STATIONS), len(STATIONS))
    assert parked == []


async def answered(system: System) -> set[str]:
    """Return the frames that have an answer."""
    async with Log(system.kafka_connection) as log:
        return {record.text("ce_id") for record in await log.read(DOWNLINK)}

"""One process with all services, and raw stations that say over real sockets what real stations were seen to say."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio
from chargebus_events.record import Received
from chargebus_ocppj.versions import Version
from chargebus_testkit import leftovers
from chargebus_testkit.api import Api, Json
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.log import Log
from chargebus_testkit.raw.station import RawStation
from chargebus_testkit.running import NOBODY_IS_ASKED, running_system
from chargebus_testkit.system import System, services
from chargebus_testkit.waiting import eventually

DRIVERS = ("ALICE", "BOB", "CAROL")
"""Whose cards every station takes; a test adds others with `api.add_token`."""

MakeStation = Callable[..., AbstractAsyncContextManager[RawStation]]
Sessions = Callable[..., Awaitable[list[Json]]]
Parked = Callable[..., Awaitable[list[Received]]]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system() -> AsyncIterator[System]:
    settings = NOBODY_IS_ASKED | {"COMMAND_SECRET_NAMES": '["AcmeLock/"]'}
    async with running_system(settings, services()) as system, system.api() as api:
        for driver in DRIVERS:
            await api.add_token(driver)
        yield system


@pytest_asyncio.fixture(loop_scope="session")
async def api(system: System) -> AsyncIterator[Api]:
    async with system.api() as api:
        yield api


@pytest.fixture(scope="session")
def numbers() -> itertools.count:
    return itertools.count(1)


@pytest.fixture
def raw_station(system: System, api: Api, numbers: itertools.count) -> MakeStation:
    """Make a station that is registered, connected and booted: `async with raw_station("2.0.1") as station: …`.

    With `connect=False` or `boot=False` it is not. `station_id` is one of its own unless it is given; other arguments
    are members of its registration.
    """

    @asynccontextmanager
    async def make(
        version: Version, station_id: str = "", *, connect: bool = True, boot: bool = True, **registration: object
    ) -> AsyncIterator[RawStation]:
        body = {"station_id": station_id or f"RAW-{next(numbers)}", **registration}
        made = await api.call("POST", "/v1/stations", body)
        async with RawStation(system.ocpp_url, made["station_id"], made["password"], version) as station:
            if connect:
                await station.connect()
            if connect and boot:
                assert (await station.boot())["status"] == "Accepted"
            yield station

    return make


@pytest.fixture
def sessions(api: Api) -> Sessions:
    """List a station's sessions, the oldest first, once there are `count`: `await sessions(station, count=2)`.

    Other arguments are filters of `GET /v1/sessions`.
    """

    async def wait(station: RawStation, count: int = 1, **query: object) -> list[Json]:
        async def look() -> list[Json]:
            return [each async for each in api.items("/v1/sessions", station_id=station.station_id, **query)]

        found = await eventually(look, lambda found: len(found) >= count, what=f"{count} sessions")
        assert len(found) == count
        return sorted(found, key=lambda session: (session["begun_at"], session["created_at"]))

    return wait


@pytest.fixture
def ended_sessions(sessions: Sessions) -> Sessions:
    """List a station's ended sessions, the oldest first, once there are `count`."""

    async def wait(station: RawStation, count: int = 1, **query: object) -> list[Json]:
        return await sessions(station, count, state="ended", **query)

    return wait


@pytest.fixture(scope="session")
def rightly_parked() -> set[str]:
    return set()


@pytest.fixture
def parked(system: System, rightly_parked: set[str]) -> Parked:
    """Wait until `count` records of a station are parked, return them, and take them for right."""

    async def wait(station: RawStation, count: int = 1) -> list[Received]:
        async with Log(system.kafka_connection) as log:

            async def look() -> list[Received]:
                return [record for record in await leftovers.parked(log) if record.key == station.station_id]

            found = await eventually(look, lambda found: len(found) >= count, what=f"{count} parked records")
        rightly_parked.update(record.text("ce_id") for record in found)
        return found

    return wait


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def sound(system: System, rightly_parked: set[str]) -> AsyncIterator[None]:
    """See to it that the tests of a module leave nothing unsent or unread, and parked only what is right."""
    yield
    assert await Checker(system).objections(Expected(parked=frozenset(rightly_parked))) == []

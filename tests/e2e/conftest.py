"""One process with all services, on servers of its own: what `chargebus run` runs, without its fleet."""

from collections.abc import AsyncIterator

import pytest_asyncio
from chargebus_testkit.api import Api
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.running import NOBODY_IS_ASKED, running_system
from chargebus_testkit.system import System, services


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system() -> AsyncIterator[System]:
    async with running_system(NOBODY_IS_ASKED | {"EDGE_MAX_FRAME_BYTES": "65536"}, services()) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="session")
async def api(system: System) -> AsyncIterator[Api]:
    async with system.api() as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def sound(system: System) -> AsyncIterator[None]:
    """See to it that the tests leave nothing parked, unsent or unread."""
    yield
    assert await Checker(system).objections(Expected()) == []

"""A system in real processes for all scenarios of a group, and what each begins and ends with: the checker.

Three groups run side by side, on a system each: what is killed, what is away for long or doubled, and what goes on.
Services that no scenario kills, doubles or freezes alone share one process, as each more takes seconds to start.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.running import running_system
from chargebus_testkit.system import System, services

ALONE = ("access", "command", "device", "edge", "metering", "session", "smart_charging")
TOGETHER = tuple(service for service in services() if service not in ALONE)

# A minute of a fleet's life in a few seconds.
QUICKLY = {
    "EDGE_STALL_S": "1",
    "EDGE_DARK_S": "3",
    "EDGE_SPREAD_S": "1",
    "EDGE_RETRY_AFTER_S": "1",
    "EDGE_DRAIN_S": "1",
    "KAFKA_SESSION_TIMEOUT_S": "4",
    "COMMAND_ANSWER_GRACE_S": "1",
    "COMMAND_LOST_GRACE_S": "1",
    "DEVICE_VARIABLES_IN_FLIGHT": "0",  # commands are counted
}

Scenario = Callable[[Plan], AbstractAsyncContextManager[Fleet]]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system() -> AsyncIterator[System]:
    async with running_system(QUICKLY, *((service,) for service in ALONE), TOGETHER) as system:
        yield system


@pytest.fixture
def checker(system: System) -> Checker:
    return Checker(system)


@pytest_asyncio.fixture(loop_scope="session")
async def scenario(system: System, checker: Checker) -> Scenario:
    """Return what runs a scenario: a fleet comes to a sound system, and leaves a sound one."""
    await system.tidy()

    async def assert_sound(expected: Expected) -> None:
        objections = await checker.objections(expected)
        assert not objections, "\n".join(["the checker objects:", *objections])

    @asynccontextmanager
    async def run(plan: Plan) -> AsyncIterator[Fleet]:
        await assert_sound(Expected())
        await checker.begin()
        async with Fleet(system, plan) as fleet:
            yield fleet
            await fleet.settle()
            await fleet.rest()
            await assert_sound(fleet.expected)

    return run

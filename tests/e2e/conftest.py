"""One process with all services, on servers of its own: what `chargebus run` runs, without its fleet."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chargebus_embedded import JarsUnavailableError
from chargebus_testkit.api import Api
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.system import System, services
from chargebus_testkit.untested import Untested


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system() -> AsyncIterator[System]:
    if os.environ.get("KAFKA") == "mock":
        pytest.skip(f"{Untested.REASON} a mock Kafka does not serve a whole system")
    folder = Path(tempfile.mkdtemp(prefix="chargebus-e2e-"))
    async with System(folder, {"EDGE_MAX_FRAME_BYTES": "65536"}) as system:
        try:
            await system.start(services())
        except JarsUnavailableError as error:
            pytest.skip(f"{Untested.REASON} {error}")
        yield system
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def api(system: System) -> AsyncIterator[Api]:
    async with system.api() as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def sound(system: System) -> AsyncIterator[None]:
    """See to it that the tests leave nothing parked, unsent or unread."""
    yield
    assert await Checker(system).objections(Expected()) == []

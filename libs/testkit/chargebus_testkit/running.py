"""A whole system for a folder of tests, or the reason why there is none."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from chargebus_embedded import JarsUnavailableError

from chargebus_testkit.servers import MORTAL
from chargebus_testkit.system import System
from chargebus_testkit.untested import Untested

NOBODY_IS_ASKED: Final[dict[str, str]] = {"SESSION_END_GRACE_S": "86400", "DEVICE_VARIABLES_IN_FLIGHT": "0"}
"""No station that a test left in a transaction is asked, minutes later, whether that goes on.

Nor is any asked, after its boot, what it is set to.
"""


@asynccontextmanager
async def running_system(environment: Mapping[str, str], *groups: Sequence[str]) -> AsyncIterator[System]:
    """Run a system in a folder that goes with it; tests that want it are skipped, and listed, where it cannot run.

    Args:
        environment: settings of every service.
        groups: of services that share a process; without groups each has its own.
    """
    if os.environ.get("KAFKA") == "mock":
        pytest.skip(f"{Untested.REASON} a mock Kafka does not serve a whole system, and cannot be killed")
    folder = Path(tempfile.mkdtemp(prefix="chargebus-system-"))
    try:
        async with System(folder, environment, MORTAL) as system:
            try:
                await system.start(*groups)
            except JarsUnavailableError as error:
                pytest.skip(f"{Untested.REASON} {error}")
            yield system
    finally:
        shutil.rmtree(folder, ignore_errors=True)

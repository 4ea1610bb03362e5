"""What routes really answer is what OpenAPI declares: Schemathesis with all its checks, on all services."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chargebus_ocppj.versions import VERSIONS
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.running import running_system
from chargebus_testkit.system import System, services

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).parent / "schemathesis"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    """Return a system with a station of each version, and sessions."""
    async with running_system({}, services()) as system, Fleet(system, Plan("http", size=len(VERSIONS))) as fleet:
        async with fleet.busy():
            await fleet.progress_everywhere()
        yield system


async def fuzz(system: System, *arguments: str) -> None:
    """Run Schemathesis; what it finds is shown."""
    [process] = system.processes
    program = await asyncio.create_subprocess_exec(
        PROGRAM,
        "--config-file",
        HERE / "schemathesis.toml",
        "run",
        f"{process.place.http_url}/openapi.json",
        *arguments,
        env={**os.environ, "API_KEY": system.admin_key, "SCHEMATHESIS_HOOKS": str(HERE / "exceptions.py")},
        cwd=system.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await program.communicate()
    finally:
        if program.returncode is None:  # the test was given up
            program.kill()
            await program.wait()
    if program.returncode:
        log = process.log.read_text(encoding="utf-8", errors="replace")
        pytest.fail(f"{said.decode()}\n{tracebacks(log)}\n{failures(said.decode())}", pytrace=False)


def failures(said: str) -> str:
    """Return what Schemathesis says of failures alone: at the end of all that is shown, where it is not cut out."""
    return said.partition("= FAILURES =")[2].partition("= WARNINGS =")[0]


def tracebacks(log: str) -> str:
    """Return the tracebacks in a service's log, and the line before each."""
    return "\n".join(re.findall(r"^.*\nTraceback(?:.*\n)(?:[ \t].*\n|\n)*.*$", log, re.MULTILINE))


@pytest.mark.timeout(1800)
async def test_every_route_answers_as_it_is_declared(system):
    await fuzz(system)

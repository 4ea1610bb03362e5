"""What processes cost."""

import os
import sys
import time
from asyncio import create_subprocess_exec

from chargebus_bench.usage import CLIENT, Meter, since

_BUSY = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


async def test_the_client_is_this_process() -> None:
    meter = Meter({})
    before = meter.cpu_s()
    burn(0.1)
    assert since(before, meter.cpu_s())[CLIENT] >= 0.1


async def test_a_process_is_charged_for_its_children_even_when_they_have_ended() -> None:
    script = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '''{_BUSY.format(seconds=0.5)}'''])\ninput()"
    )
    parent = await create_subprocess_exec(sys.executable, "-c", script, stdin=-1)
    meter = Meter({"parent": parent.pid})
    try:
        waited_until = time.monotonic() + 30
        while meter.cpu_s()["parent"] < 0.5 and time.monotonic() < waited_until:
            await meter.quiet(within_s=0.5)
        assert meter.cpu_s()["parent"] >= 0.5
    finally:
        parent.stdin.write(b"\n")
        await parent.wait()


async def test_a_busy_process_is_waited_for_as_long_as_allowed_and_no_longer() -> None:
    busy = await create_subprocess_exec(sys.executable, "-c", _BUSY.format(seconds=30))
    try:
        started = time.monotonic()
        assert await Meter({"busy": busy.pid}).quiet(within_s=1.0) >= 0.5
        assert time.monotonic() - started < 3
    finally:
        busy.kill()
        await busy.wait()


async def test_a_process_at_rest_is_not_waited_for() -> None:
    resting = await create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
    try:
        meter = Meter({"resting": resting.pid})
        await meter.quiet(within_s=20)  # until it has started
        assert await meter.quiet(within_s=20) < 0.5
    finally:
        resting.kill()
        await resting.wait()


def test_memory_is_told_in_bytes() -> None:
    assert Meter({"me": os.getpid()}).rss_bytes("me") > 10 * 1024 * 1024

"""What processes cost."""

import asyncio
import os
import sys
import time
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE

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
    child = f"subprocess.run([sys.executable, '-c', '''{_BUSY.format(seconds=0.3)}'''])"
    script = f"import subprocess, sys\n{child}\nprint('ended', flush=True)\ninput()"
    parent = await create_subprocess_exec(sys.executable, "-c", script, stdin=PIPE, stdout=PIPE)
    try:
        assert await parent.stdout.readline() == b"ended\n"
        assert Meter({"parent": parent.pid}).cpu_s()["parent"] >= 0.3
    finally:
        await parent.communicate(b"\n")


async def test_a_process_is_charged_for_its_children_and_theirs_while_they_run() -> None:
    grandchild = (
        f"import time\nprint('begun', flush=True)\n{_BUSY.format(seconds=0.3)}print('done', flush=True)\ninput()"
    )
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {grandchild!r}])"
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    parent = await create_subprocess_exec(sys.executable, "-c", script, stdin=PIPE, stdout=PIPE)
    try:
        assert await parent.stdout.readline() == b"begun\n"
        assert await parent.stdout.readline() == b"done\n"
        assert Meter({"parent": parent.pid}).cpu_s()["parent"] >= 0.3
    finally:
        await parent.communicate(b"\n")


class AlwaysBusy(Meter):
    """Says of its processes that each has had a core to itself since ever."""

    def cpu_s(self) -> dict[str, float]:
        return dict.fromkeys(self.pids, time.monotonic())


async def test_a_busy_process_is_waited_for_as_long_as_allowed_and_no_longer() -> None:
    async with asyncio.timeout(180):
        assert await AlwaysBusy({"busy": os.getpid()}).quiet(within_s=1.0) >= 0.5


async def test_a_process_at_rest_is_not_waited_for_however_busy_the_client_is() -> None:
    resting = await create_subprocess_exec(sys.executable, "-c", "print(flush=True); input()", stdin=PIPE, stdout=PIPE)
    try:
        await resting.stdout.readline()
        meter = Meter({"resting": resting.pid})
        await meter.quiet(within_s=180)  # until it has settled
        looking = asyncio.create_task(meter.quiet(within_s=180))
        async with asyncio.timeout(180):
            while not looking.done():
                burn(0.1)
                await asyncio.sleep(0.02)
    finally:
        await resting.communicate(b"\n")


def test_memory_is_told_in_bytes() -> None:
    assert Meter({"me": os.getpid()}).rss_bytes("me") > 10 * 1024 * 1024

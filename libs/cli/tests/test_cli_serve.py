"""Services that do not come up, or stop being whole, end their process."""

import asyncio
import gc

import pytest
from chargebus_cli.errors import CommandError
from chargebus_cli.serve import serve
from chargebus_cli.stopping import Stopped


class Process:
    """A process that waits for something that never comes."""

    def __init__(self):
        self.failed = asyncio.Event()

    async def start(self, _builds):
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def usual_garbage_collection():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


async def test_a_part_that_dies_during_the_start_ends_it():
    process = Process()
    asyncio.get_running_loop().call_later(0.05, process.failed.set)
    with pytest.raises(CommandError, match="died"):
        await asyncio.wait_for(serve(process, [], asyncio.Event()), 180)


async def test_a_signal_ends_the_start():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    with pytest.raises(Stopped):
        await asyncio.wait_for(serve(Process(), [], stop), 180)

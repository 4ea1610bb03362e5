"""Two copies of a service: partitions move between them in mid-load, and a copy that froze finds itself replaced."""

import pytest
from chargebus_testkit.fleet import Plan

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("away or doubled"),
]


@pytest.mark.parametrize("service", ["session", "command", "metering"])
async def test_a_second_copy_comes_and_is_killed(system, scenario, service):
    second = system.place(service)
    async with scenario(Plan(f"two-{service}")) as fleet, fleet.busy():
        await fleet.progress(3)

        await second.start()
        await fleet.progress(10)
        await second.kill()

        await fleet.progress(10)
        await fleet.commands(3)


async def test_a_frozen_copy_does_nothing_when_it_thaws(system, scenario):
    """Longer than its group waits for it: the other copy has its partitions, and has gone on with them."""
    second = system.place("session")
    async with scenario(Plan("frozen")) as fleet, fleet.busy():
        await second.start()
        await fleet.progress(10)

        await system["session"].pause()
        try:
            await fleet.progress_everywhere()
        finally:
            system["session"].resume()

        await fleet.progress(10)
        await second.stop()
        await fleet.progress(5)

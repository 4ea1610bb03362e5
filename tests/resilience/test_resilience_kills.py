"""kill -9 in mid-load, of everything there is, and its return: nothing is lost, nothing happens twice."""

import pytest
from chargebus_testkit.fleet import Plan
from chargebus_testkit.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("killed"),
]


async def test_nothing_is_killed(scenario):
    async with scenario(Plan("calm")) as fleet, fleet.busy():
        await fleet.progress(20)
        await fleet.commands(20)


@pytest.mark.parametrize("service", ["session", "command", "metering", "access"])
async def test_kill_9_of_a_service(system, scenario, service):
    async with scenario(Plan(f"kill-{service}")) as fleet, fleet.busy():
        await fleet.progress(5)
        await fleet.commands(3)

        await system[service].kill()
        await fleet.live_on(5)
        await system[service].start()

        await fleet.progress(10)


async def test_kill_9_of_device_while_it_configures_stations(system, scenario):
    async with scenario(Plan("kill-device")) as fleet, system.api() as api, fleet.busy():
        await fleet.progress(5)
        await fleet.commands(3)
        ids = [station.config.station_id for station in fleet.stations]
        variables = [{"name": "ConnectionTimeOut", "value": "110"}, {"name": "LocalPreAuthorize", "value": "true"}]
        given = {"name": "all", "stations": {"station_ids": ids}, "variables": variables}
        made = await api.call("POST", "/v1/configurations", given)
        path = f"/v1/configurations/{made['configuration_id']}"

        await system["device"].kill()
        await fleet.live_on(5)
        await system["device"].start()

        async def look() -> dict[str, int]:
            verdicts: dict[str, int] = (await api.call("GET", path))["sum"]["verdicts"]
            return verdicts

        await eventually(look, lambda verdicts: verdicts == {"as_wanted": 2 * len(ids)}, what="all as wanted")
        await fleet.progress(10)
        await api.call("DELETE", path)


async def test_kill_9_of_the_edge(system, scenario):
    async with scenario(Plan("kill-edge")) as fleet, fleet.busy():
        await fleet.progress(5)

        await system["edge"].kill()
        await fleet.live_on(5)
        await system["edge"].start()

        await fleet.online()
        await fleet.progress(10)
        await fleet.commands(5)


async def test_an_edge_that_is_stopped_in_good_order(system, scenario):
    async with scenario(Plan("drain-edge")) as fleet, fleet.busy():
        await fleet.progress(5)

        await system["edge"].stop()
        await fleet.offline()
        await system["edge"].start()

        await fleet.online()
        await fleet.progress(5)


async def test_kill_9_of_kafka(system, scenario):
    async with scenario(Plan("kill-kafka")) as fleet, fleet.busy():
        await fleet.progress(5)

        await system.kafka.kill()
        await fleet.offline()
        await fleet.live_on(5)
        await system.kafka.restart()

        await fleet.online()
        await fleet.progress(10)
        await fleet.commands(5)


async def test_kill_9_of_kafka_that_is_back_before_the_edge_goes_dark(system, scenario):
    async with scenario(Plan("kafka-blinks")) as fleet, fleet.busy():
        await fleet.progress(5)

        await system.kafka.kill()
        await system.kafka.restart()

        await fleet.progress(10)
        await fleet.commands(5)


async def test_kill_9_of_postgresql(system, scenario):
    async with scenario(Plan("kill-postgres")) as fleet, fleet.busy():
        await fleet.progress(5)
        connections = fleet.connections

        await system.postgres.kill()
        await fleet.live_on(5)
        await system.postgres.restart()

        await fleet.progress(10)
        await fleet.commands(5)
        assert fleet.connections == connections, "an edge needs no database to keep its stations"


async def test_kill_9_of_all_services_at_once(system, scenario):
    async with scenario(Plan("kill-all")) as fleet, fleet.busy():
        await fleet.progress(5)
        running = [process for process in system.processes if process.running]

        for process in running:
            await process.kill()
        await fleet.live_on(5)
        for process in running:
            process.launch()
        for process in running:
            await process.ready()

        await fleet.online()
        await fleet.progress(10)
        await fleet.commands(5)

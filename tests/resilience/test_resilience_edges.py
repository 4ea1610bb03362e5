"""Two edges: a station's newest connection is the one that counts, whatever becomes of the old one."""

import pytest
import pytest_asyncio
from chargebus_testkit.fleet import Plan
from chargebus_testkit.switchboard import Switchboard
from chargebus_testkit.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("away or doubled"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def second_edge(system, scenario):
    """Return a running edge beside the first one; a scenario is begun without it."""
    second = next((process for process in system.processes if process.name == "edge-1"), None) or system.place("edge")
    await second.start()
    yield second
    await second.stop()


async def presence(system, fleet):
    """Return what device shows of the connections of a fleet."""
    async with system.api() as api:
        shown = [await api.call("GET", f"/v1/stations/{one.config.station_id}") for one in fleet.stations]
    return [station["connection"]["connected"] for station in shown]


async def test_one_of_two_edges_is_killed(system, scenario, second_edge):
    urls = (system.ocpp_url, second_edge.place.ocpp_url)
    async with scenario(Plan("two-edges", urls=urls)) as fleet, fleet.busy():
        await fleet.progress(5)

        await second_edge.kill()
        await fleet.progress(5)
        await second_edge.start()

        await fleet.online()
        await fleet.progress(5)
        await fleet.commands(5)


async def test_stations_move_to_the_other_edge_and_leave_their_old_sockets_open(system, scenario, second_edge):
    first = system["edge"]
    async with (
        Switchboard(first.place.ocpp_port) as switchboard,
        scenario(Plan("movers", urls=[switchboard.url])) as fleet,
        fleet.busy(),
    ):
        for edge in (second_edge, first, second_edge):
            await fleet.progress(5)
            switchboard.target = edge.place.ocpp_port
            for station in fleet.stations:
                station.switch_socket()
        await fleet.online()
        await fleet.progress(5)
        await fleet.commands(10)
        assert all(await presence(system, fleet))


async def test_a_frozen_edge_neither_speaks_for_its_old_stations_nor_evicts_them_when_it_thaws(
    system, scenario, second_edge
):
    first = system["edge"]
    async with (
        Switchboard(first.place.ocpp_port) as switchboard,
        scenario(Plan("thaw", urls=[switchboard.url])) as fleet,
        fleet.busy(),
    ):
        await fleet.progress(5)

        await first.pause()
        try:
            switchboard.target = second_edge.place.ocpp_port
            for station in fleet.stations:
                station.switch_socket()
            await fleet.progress(10)
            connections = fleet.connections
        finally:
            first.resume()

        await fleet.progress(10)
        await fleet.commands(10)
        connected = await eventually(lambda: presence(system, fleet), all, what="all connected")
        assert connected
        assert fleet.connections == connections, "the old edge must not take the stations from the new one"

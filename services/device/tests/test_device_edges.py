"""The life of edges: a dead one holds no station, a silent one gets its stations back."""

import asyncio
import json
from datetime import timedelta

import pytest
from chargebus_device.connections.tasks import EdgeLife, LifeRules
from chargebus_runtime.edge_liveness import EdgeLiveness

DEAD_AFTER = timedelta(seconds=10)


async def connected(device):
    return [name for (name,) in await device.fetch("SELECT station_id FROM connection WHERE connected ORDER BY 1")]


async def told(device):
    """What was published of connections, as (station, epoch, connected)."""
    events = [json.loads(record.value) for record in await device.settled()]
    return sorted((event["station_id"], event["epoch"], event["connected"]) for event in events)


@pytest.fixture
async def fleet(device):
    """Two stations on the edge with epoch 5 of slot 3, one on the edge with epoch 6 of slot 4."""
    device.hear(5)
    device.hear(6, slot=4)
    await device.life.note()
    await device.apply(
        device.presence(40, station_id="A"),
        device.presence(41, station_id="B"),
        device.presence(42, station_id="C", slot=4, edge_epoch=6),
    )
    return device


async def note_and_sweep(device):
    await device.life.note()
    await device.life.sweep()


async def test_a_silent_edge_is_dead_after_ten_seconds_and_not_before(fleet):
    fleet.time.pass_s(10)
    await note_and_sweep(fleet)
    assert await connected(fleet) == ["A", "B", "C"]

    fleet.hear(7, slot=4, epoch=6)
    fleet.time.pass_s(0.1)
    await note_and_sweep(fleet)

    assert await connected(fleet) == ["C"]
    assert await told(fleet) == [("A", 40, False), ("B", 41, False)]


async def test_an_edge_that_says_it_stops_holds_nothing_from_then_on(fleet):
    fleet.hear(7, epoch=5, stopped=True)
    await note_and_sweep(fleet)

    assert await connected(fleet) == ["C"]


async def test_a_new_edge_on_the_slot_voids_the_presence_of_the_one_before(fleet):
    fleet.hear(7, instance="edge-b")
    await note_and_sweep(fleet)

    assert await connected(fleet) == ["C"]


async def test_an_edge_that_had_only_been_silent_gets_its_stations_back_each_told_once(fleet):
    fleet.time.pass_s(11)
    await note_and_sweep(fleet)
    fleet.hear(7, epoch=5)
    await note_and_sweep(fleet)
    await note_and_sweep(fleet)

    assert await connected(fleet) == ["A", "B"]
    assert await told(fleet) == [
        ("A", 40, False),
        ("A", 40, True),
        ("B", 41, False),
        ("B", 41, True),
        ("C", 42, False),
    ]


async def test_a_station_that_left_is_not_brought_back_with_its_edge(fleet):
    fleet.time.pass_s(11)
    await note_and_sweep(fleet)
    await fleet.apply(fleet.presence(43, station_id="A", connected=False, epoch=40))
    fleet.hear(7, epoch=5)
    await note_and_sweep(fleet)

    assert await connected(fleet) == ["B"]


async def test_presence_of_a_dead_edge_does_not_connect(fleet):
    fleet.time.pass_s(11)
    await note_and_sweep(fleet)

    assert await fleet.apply(fleet.presence(44, station_id="D")) == []
    assert "D" not in await connected(fleet)


async def test_an_edge_not_heard_of_yet_may_connect_stations(device):
    await device.apply(device.presence(40))

    assert await connected(device) == ["CS-1"]


async def test_what_another_copy_heard_keeps_an_edge_alive(fleet):
    fleet.time.pass_s(11)
    await fleet.database.pool.execute("UPDATE edge SET seen_at = $1", fleet.time())

    await note_and_sweep(fleet)

    assert await connected(fleet) == ["A", "B", "C"]


async def test_the_heartbeat_of_an_edge_whose_slot_was_taken_does_not_count(fleet):
    fleet.hear(7, instance="edge-b")
    fleet.hear(8, epoch=5)
    await note_and_sweep(fleet)

    assert await connected(fleet) == ["C"]


async def test_two_copies_that_sweep_at_once_tell_each_end_once(fleet):
    fleet.time.pass_s(11)

    await asyncio.gather(fleet.life.sweep(), fleet.life.sweep())

    assert await told(fleet) == [("A", 40, False), ("B", 41, False), ("C", 42, False)]


async def test_nobody_is_declared_dead_before_there_was_time_to_hear_of_him(device):
    await device.apply(device.presence(40))
    await device.database.pool.execute("INSERT INTO edge VALUES (3, 5, false, $1)", device.time() - timedelta(hours=1))
    running = asyncio.create_task(device.life.run())
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(running), 0.3)
    finally:
        running.cancel()

    assert await connected(device) == ["CS-1"]


async def test_an_edge_that_was_dead_before_the_service_started_stays_dead(fleet):
    fleet.time.pass_s(11)
    await note_and_sweep(fleet)
    assert await connected(fleet) == []

    fleet.heard.view.ready.clear()  # as a copy that has just started, it finds the last heartbeats in the topic
    fleet.hear(8, epoch=5)
    fleet.hear(9, slot=4, epoch=6)
    fleet.heard.view.ready.set()
    await fleet.life.note()
    await longer_running_copy(fleet).sweep()
    assert await connected(fleet) == []

    fleet.hear(10, slot=4, epoch=6)
    await fleet.life.note()
    await longer_running_copy(fleet).sweep()
    assert await connected(fleet) == ["C"]


def longer_running_copy(fleet):
    """Another copy of the service, that has heard nothing by itself for a while."""
    heard = EdgeLiveness("other", fleet.time, lambda: fleet.time().timestamp())
    return EdgeLife(fleet.database, heard, LifeRules(DEAD_AFTER, every_s=1), fleet.time)


async def test_an_edge_that_is_found_in_the_topic_may_connect_stations_whatever_its_clock_says(device):
    device.heard.view.ready.clear()
    device.hear(5, at=device.time() - timedelta(hours=1))
    device.heard.view.ready.set()

    await device.apply(device.presence(40))

    assert await connected(device) == ["CS-1"]


async def test_an_edge_that_another_copy_heard_stop_holds_nothing(device):
    device.hear(5)
    await device.database.pool.execute("INSERT INTO edge VALUES (3, 5, true, $1)", device.time())

    await device.apply(device.presence(40))

    assert await connected(device) == []

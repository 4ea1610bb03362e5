"""What time alone does to commands, against a real database."""

import asyncio
from datetime import timedelta

import pytest


def ends(service, records):
    return sorted((outcome.command_id, outcome.outcome) for outcome in service.outcomes(records))


async def test_the_deadline_ends_a_command_whose_edge_says_nothing(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", timeout_s=10))
    service.time.pass_s(10 + service.queues.rules.answer_grace_s)
    await service.sweeper.sweep()

    assert ends(service, await service.settled()) == [("a", "timed_out")]


async def test_before_the_deadline_nothing_ends(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", timeout_s=10))
    service.time.pass_s(10 + service.queues.rules.answer_grace_s - 0.001)
    await service.sweeper.sweep()

    assert await service.settled() == []


async def test_a_command_that_is_held_for_a_pending_station_is_tried_again_by_time(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", ttl_s=60))
    await service.apply(service.delivery("CS-1", "a", "pending"))
    await service.sweeper.sweep()
    early = list(await service.settled())
    service.time.pass_s(2)
    await service.apply(service.heartbeat())
    await service.sweeper.sweep()

    assert service.downlinks(early) == []
    assert service.downlinks(await service.settled()) == [("CS-1", 3, b"a")]


async def test_a_command_that_waited_too_long_expires(service):
    await service.apply(service.registered("CS-1"))
    await service.apply(service.request("CS-1", "a", ttl_s=60))
    service.time.pass_s(60)
    await service.sweeper.sweep()

    assert ends(service, await service.settled()) == [("a", "expired")]


async def test_the_next_command_follows_in_the_same_transaction(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", timeout_s=10), service.request("CS-1", "b", ttl_s=600))
    service.time.pass_s(16)
    await service.apply(service.heartbeat(offset=6, epoch=5))
    await service.sweeper.sweep()

    assert service.downlinks(await service.settled()) == [("CS-1", 3, b"b")]


async def test_an_edge_that_was_silent_and_speaks_again_gets_what_waited(service):
    await service.come_online("CS-1")
    service.time.pass_s(11)
    waiting = await service.apply(service.request("CS-1", "a", ttl_s=600))
    await service.apply(service.heartbeat(offset=6, epoch=5))
    await service.sweeper.sweep()

    assert waiting == []
    assert service.downlinks(await service.settled()) == [("CS-1", 3, b"a")]


async def test_a_connection_that_was_left_alone_is_tried_again(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", ttl_s=600))
    await service.apply(service.delivery("CS-1", "a", "undeliverable"))
    await service.sweeper.sweep()
    too_early = list(await service.settled())
    service.time.pass_s(service.queues.rules.avoid_s)
    await service.apply(service.heartbeat(offset=6, epoch=5))
    await service.sweeper.sweep()

    assert too_early == []
    assert service.downlinks(await service.settled()) == [("CS-1", 3, b"a")]


async def test_more_than_one_transaction_may_hold_is_swept_all_the_same(service):
    names = [f"CS-{n}" for n in range(7)]
    await service.come_online(*names)
    await service.apply(*(service.request(name, name) for name in names))
    service.time.pass_s(100)
    await service.sweeper.sweep()

    assert ends(service, await service.settled()) == [(name, "timed_out") for name in names]


async def test_stations_that_another_copy_holds_are_left_to_it(service):
    await service.come_online("CS-1", "CS-2")
    await service.apply(service.request("CS-1", "a"), service.request("CS-2", "b"))
    service.time.pass_s(100)
    async with service.database.transaction() as other:
        await service.queues.take(other.connection, ["CS-1"], other.now)
        await service.sweeper.sweep()
        meanwhile = ends(service, await service.settled())
    await service.sweeper.sweep()

    assert meanwhile == [("b", "timed_out")]
    assert ends(service, await service.settled()) == [("a", "timed_out"), ("b", "timed_out")]


async def test_two_copies_that_sweep_at_once_end_each_command_once(service):
    names = [f"CS-{n}" for n in range(20)]
    await service.come_online(*names)
    await service.apply(*(service.request(name, name) for name in names))
    service.time.pass_s(100)
    await asyncio.gather(*(service.sweeper.sweep() for _ in range(4)))
    await service.sweeper.sweep()

    assert ends(service, await service.settled()) == sorted((name, "timed_out") for name in names)


async def test_the_census_deletes_old_ends_and_nothing_else(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "old"))
    await service.apply(service.delivery("CS-1", "old", "timed_out"))
    service.time.now += timedelta(days=91)
    await service.come_online("CS-1", epoch=8)
    await service.apply(service.request("CS-1", "new"))
    await service.apply(service.delivery("CS-1", "new", "timed_out", epoch=8), service.request("CS-1", "open"))
    await service.sweeper.take_census()

    assert await service.fetch("SELECT command_id FROM command ORDER BY number") == [("new",), ("open",)]


@pytest.mark.parametrize("absent_grace_s", [2.0])
@pytest.mark.parametrize("registered", [True, False])
async def test_a_command_for_a_station_that_did_not_come_ends_when_its_grace_is_over(service, registered):
    await service.apply(*([service.registered("CS-1")] if registered else []), service.heartbeat())
    waiting = await service.apply(service.request("CS-1", "a"))
    service.time.pass_s(1.999)
    await service.sweeper.sweep()
    too_early = list(await service.settled())
    service.time.pass_s(0.001)
    await service.sweeper.sweep()

    assert (waiting, too_early) == ([], [])
    assert ends(service, await service.settled()) == [("a", "undeliverable")]


async def test_what_is_in_flight_on_an_edge_that_started_anew_is_looked_at_once(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", timeout_s=600))
    await service.apply(service.heartbeat(offset=20))
    await service.sweeper.sweep()
    due = await service.fetch("SELECT due_at FROM command")
    service.time.pass_s(1)
    await service.sweeper.sweep()

    assert due == [(service.time() + timedelta(seconds=service.queues.rules.lost_grace_s - 1),)]
    assert await service.fetch("SELECT due_at FROM command") == due


async def test_the_sweeper_keeps_sweeping(service):
    await service.apply(service.registered("CS-1"))
    sweeping = asyncio.create_task(service.sweeper.tasks[0]())
    swept = asyncio.Event()
    service.sent.on_record = lambda _record: swept.set()
    await service.apply(service.request("CS-1", "a", ttl_s=60))
    service.time.pass_s(60)
    await asyncio.wait_for(swept.wait(), 180)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)

    assert ends(service, await service.settled()) == [("a", "expired")]

"""Simulated time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_station.clock import Changes, ScaledClock, happened


def test_simulated_time_begins_in_the_past_and_never_overtakes_the_wall_clock():
    clock = ScaledClock(speed=1e9, begin=datetime.now(UTC) - timedelta(seconds=1))
    assert clock.now() <= datetime.now(UTC)
    assert datetime.now(UTC) - clock.now() < timedelta(seconds=0.9)


def test_simulated_time_runs_faster_than_the_wall_clock():
    clock = ScaledClock(speed=3600)
    begun, wall = clock.now(), datetime.now(UTC)
    assert wall - begun > timedelta(days=6)
    while (elapsed := datetime.now(UTC) - wall) < timedelta(milliseconds=2):
        pass
    assert clock.now() - begun > 1000 * elapsed


def test_time_must_pass():
    with pytest.raises(ValueError, match="time must pass"):
        ScaledClock(speed=0)


async def test_a_sleep_is_as_long_as_simulated_time_says():
    clock = ScaledClock(speed=3600)
    begun = clock.now()
    await clock.sleep(36)
    assert clock.now() - begun >= timedelta(seconds=36)


async def test_a_wait_ends_with_the_event_or_with_the_patience():
    event = asyncio.Event()
    assert not await happened(event, asyncio.sleep(0))
    event.set()
    assert await happened(event, asyncio.sleep(1000))


async def test_a_change_wakes_those_whose_condition_holds():
    changes, seen = Changes(), []
    waiting = asyncio.create_task(changes.until(lambda: len(seen) == 2))
    for number in range(2):
        await asyncio.sleep(0)
        assert not waiting.done()
        seen.append(number)
        changes.notify()
    await waiting

"""Calls that wait: each action has its room, what our code fails at ends nobody else's, and who adds some is answered.

The table and the database are in memory here; services' tests have real ones.
"""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest
from chargebus_calls.waiting import Ended, Kind, WaitingCall, WaitingCalls, answering
from chargebus_calls.waiting.store import Claimed, Wanted, claim
from chargebus_events.frames import Frame
from chargebus_runtime.batch import Batch
from chargebus_runtime.telemetry import Trace
from chargebus_testkit.waiting import eventually

ACTION, CHECKED = "Get15118EVCertificate", "Authorize"
LEASE = timedelta(seconds=15)


NUMBERS = {}
"""The numbers of the calls that were made, by the ids of their rows."""


def call(number, action=CHECKED):
    frame = Frame("CS-1", "2.0.1", action, f"m{number}", 3, 7, number, b"{}", datetime.now(UTC))
    NUMBERS[frame.id] = number
    return WaitingCall(frame)


class Waiting:
    """The calls that wait, in the place of their table and of the database."""

    def __init__(self, *calls):
        self.calls = list(calls)
        self.ended = {}
        self.sent = []
        self.leases = {}
        self.released = []
        self.connection = None
        self.now = datetime.now(UTC)
        self.send = self.sent.append
        self.looks = 0
        self.unreadable = {}

    @asynccontextmanager
    async def transaction(self):
        yield self

    async def add(self, _connection, calls, _now):
        self.calls += calls

    async def claim(self, _connection, wanted, now, until):
        self.looks += 1
        taken = [each for each in self.calls if each.frame.action == wanted.action][: wanted.limit]
        self.calls = [each for each in self.calls if each not in taken]
        self.leases.update(dict.fromkeys((each.frame.number for each in taken), until - now))
        unreadable, self.unreadable = self.unreadable, {}
        return Claimed(taken, unreadable)

    async def end(self, _connection, call_id, outcome):
        self.ended[NUMBERS[call_id]] = outcome
        return True

    async def release(self, _connection, calls, _now):
        self.released += [each.frame.number for each in calls]


async def finish(done, _tx):
    return Ended("done", done.frame.answer(b"{}", "/security", datetime.now(UTC)))


async def do(done):
    return partial(finish, done)


async def hang(_call):
    await asyncio.Event().wait()


@asynccontextmanager
async def running(monkeypatch, waiting, **works):
    monkeypatch.setattr(answering, "store", waiting)
    kinds = {ACTION: Kind(works.get("fetch", do), 4 * LEASE), CHECKED: Kind(works.get("check", do), LEASE)}
    waiting.gave_up = []
    calls = WaitingCalls("security", waiting, kinds, lambda *what: waiting.gave_up.append(what))
    task = asyncio.create_task(calls.run())
    try:
        yield calls
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_over(waiting, *numbers):
    async def ended():
        return waiting.ended

    await eventually(ended, lambda those: set(numbers) <= set(those), what="calls are over")


async def test_requests_that_wait_for_a_pool_take_no_room_of_drivers_authorizes(monkeypatch):
    waiting = Waiting(*(call(number, ACTION) for number in range(600)), call(1000))
    async with running(monkeypatch, waiting, fetch=hang):
        await until_over(waiting, 1000)
    assert waiting.ended == {1000: "done"}
    assert (waiting.leases[0], waiting.leases[1000]) == (4 * LEASE, LEASE)


@pytest.mark.parametrize("fails_at", ["the work", "the end"])
async def test_a_call_that_our_code_fails_at_is_told_so_and_the_next_is_answered(monkeypatch, fails_at):
    async def finish_wrongly(_tx):
        raise ValueError("what nobody has thought of")

    async def check(which):
        if which.frame.number == 2:
            return partial(finish, which)
        if fails_at == "the work":
            raise ValueError("what nobody has thought of")
        return finish_wrongly

    waiting = Waiting(call(1), call(2))
    async with running(monkeypatch, waiting, check=check):
        await until_over(waiting, 1, 2)
    assert waiting.ended == {1: "error", 2: "done"}
    [error] = [each for each in waiting.sent if dict(each.headers)["ocpp_number"] == b"1"]
    assert msgspec.json.decode(error.value)["code"] == "InternalError"
    assert waiting.gave_up == [(CHECKED, "error")]


async def test_a_call_whose_frame_cannot_be_read_ends_alone_and_the_next_is_answered(monkeypatch):
    lost, read = call(1), call(2)
    rows = [
        {"call_id": lost.frame.id, "frame": b"\xc1", "content": ""},
        {"call_id": read.frame.id, "frame": msgspec.msgpack.encode(read.frame), "content": "x"},
    ]

    class Connection:
        async def fetch(self, *_query):
            return rows

    now = datetime.now(UTC)
    claimed = await claim(Connection(), Wanted(CHECKED, 5), now, now + LEASE)
    assert [each.frame.number for each in claimed.calls] == [2]
    assert list(claimed.unreadable) == [lost.frame.id]

    waiting = Waiting(*claimed.calls)
    waiting.unreadable = claimed.unreadable
    async with running(monkeypatch, waiting):
        await until_over(waiting, 1, 2)
    assert waiting.ended == {1: "error", 2: "done"}
    assert waiting.gave_up.count((CHECKED, "error")) + waiting.gave_up.count((ACTION, "error")) == 1


async def test_what_a_copy_is_about_when_it_is_stopped_is_left_to_the_others_at_once(monkeypatch):
    waiting = Waiting(call(1), call(2))
    begun = asyncio.Event()

    async def check(which):
        if which.frame.number == 2:
            return partial(finish, which)
        begun.set()
        return await hang(which)

    async with running(monkeypatch, waiting, check=check):
        await begun.wait()
        await until_over(waiting, 2)
    assert waiting.released == [1]


async def test_a_call_is_taken_when_its_batch_is_committed_and_not_before(monkeypatch):
    monkeypatch.setattr(answering, "_SWEEP_EVERY_S", 3600)
    waiting = Waiting()
    async with running(monkeypatch, waiting) as calls:
        await eventually(lambda: asyncio.sleep(0, waiting.looks), lambda looks: looks == 2, what="both were looked for")
        batch = Batch([], None, datetime.now(UTC), Trace())
        await calls.add(batch, [call(1)])
        for _ in range(20):
            await asyncio.sleep(0)
        looks_before = waiting.looks
        batch.committed()
        await until_over(waiting, 1)
    assert looks_before == 2


async def test_what_another_copy_left_is_found_from_time_to_time(monkeypatch):
    monkeypatch.setattr(answering, "_SWEEP_EVERY_S", 0.01)
    waiting = Waiting()
    async with running(monkeypatch, waiting):
        await eventually(lambda: asyncio.sleep(0, waiting.looks), lambda looks: looks >= 2, what="both were looked for")
        waiting.calls.append(call(1))
        await until_over(waiting, 1)

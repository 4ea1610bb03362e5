"""Calls about contracts that wait: each action has its room, and what our code fails at ends nobody else's."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import msgspec
import pytest
from chargebus_events.frames import Frame
from chargebus_security.contracts.block import ACTION, CHECKED, CheckState, ContractChecks
from chargebus_security.contracts.domain.checks import Link, Policy
from chargebus_security.contracts.domain.provisioning import CertificateRequest
from chargebus_security.contracts.errors import ProvisioningError
from chargebus_security.contracts.operations import answering
from chargebus_security.contracts.operations.answering import Answering, Ended, Kind
from chargebus_security.contracts.operations.built_in import BuiltInPool
from chargebus_security.contracts.store import Came, WaitingCall
from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.metrics import Metrics
from chargebus_security.status.domain.asked import Question
from chargebus_testkit.waiting import eventually

LEASE = timedelta(seconds=15)
QUESTION = Question(HashData("SHA256", "a", "b", "c"), "OCSP", ("http://one/",))


def call(number, action=CHECKED):
    return WaitingCall(Frame("CS-1", "2.0.1", action, f"m{number}", 3, 7, number, b"{}", datetime.now(UTC)))


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

    @asynccontextmanager
    async def transaction(self):
        yield self

    async def claim(self, _connection, wanted, now, until):
        taken = [each for each in self.calls if each.frame.action == wanted.action][: wanted.limit]
        self.calls = [each for each in self.calls if each not in taken]
        self.leases.update(dict.fromkeys((each.frame.number for each in taken), until - now))
        return taken

    async def end(self, _connection, ended, outcome):
        self.ended[ended.frame.number] = outcome
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
    task = asyncio.create_task(Answering(waiting, Metrics(), kinds).run())
    try:
        yield task
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
    async with running(monkeypatch, waiting, check=check) as task:
        await until_over(waiting, 1, 2)
        assert not task.done()
    assert waiting.ended == {1: "error", 2: "done"}
    [error] = [each for each in waiting.sent if dict(each.headers)["ocpp_number"] == b"1"]
    assert msgspec.json.decode(error.value)["code"] == "InternalError"


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


async def test_a_vehicles_request_of_letters_that_are_no_base64_is_refused_by_the_pool_for_trials():
    with pytest.raises(ProvisioningError, match="no base64"):
        await BuiltInPool({}).contracts(CertificateRequest("CS-1", "Install", "", "gAé="))


async def test_a_station_that_shows_more_contracts_than_are_asked_about_at_a_time_is_refused():
    block, waiting = ContractChecks(Policy(), Metrics()), (Link((QUESTION,)),)
    calls = [SimpleNamespace(frame=call(number).frame, record=None) for number in range(12)]
    state = CheckState({"CS-1": Came(5, 3)}, {id(each): waiting for each in calls}, {})
    for each in calls:
        block.decide(state, each)
    assert len(state.waiting) == 5
    assert {check.status for _, check in state.checked} == {"CertChainError"}
    assert len(state.checked) == 7

    often = CheckState({"CS-1": Came(300, 0)}, {id(calls[0]): waiting}, {})
    block.decide(often, calls[0])
    assert (len(often.waiting), len(often.checked)) == (0, 1)

"""The five ends that a command can have, over the HTTP API and a station of each version."""

import pytest
import pytest_asyncio
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.faults import Fault
from chargebus_testkit.checker import Checker
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEARTBEAT = {"requestedMessage": "Heartbeat"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fleet(system):
    async with Fleet(system, Plan("e2e-command", size=len(VERSIONS), speed=10)) as fleet:
        yield fleet


@pytest.fixture(params=VERSIONS)
def station(fleet, request):
    (station,) = fleet.of(request.param)
    return station


async def outcome(api, station, **more):
    """Ask a station for a heartbeat and return how that command ended."""
    answer = await api.command(station.config.station_id, "TriggerMessage", HEARTBEAT, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_answered(api, station):
    ended = await outcome(api, station)

    assert (ended["outcome"], ended["reply"], ended["error"]) == ("answered", {"status": "Accepted"}, None)


async def test_refused(api, station):
    station.faults.arm(Fault.REFUSE_COMMAND)

    ended = await outcome(api, station)

    assert ended["outcome"] == "refused"
    assert ended["error"]["code"] == "InternalError"


async def test_timed_out(api, station):
    station.faults.arm(Fault.IGNORE_COMMAND)

    ended = await outcome(api, station, timeout_s=1)

    assert ended["outcome"] == "timed_out"
    assert "no answer" in ended["reason"]


async def test_timed_out_because_the_socket_was_lost(api, station):
    station.faults.arm(Fault.DROP_ON_COMMAND)

    ended = await outcome(api, station, timeout_s=20)

    assert ended["outcome"] == "timed_out"
    assert "connection" in ended["reason"]
    await station.until(lambda: station.online)


async def test_undeliverable_and_expired(system, api, station):
    station.cut()
    await station.until(lambda: not station.connected)

    async def connected():
        shown = await api.call("GET", f"/v1/stations/{station.config.station_id}")
        return shown["connection"]["connected"]

    await eventually(connected, lambda is_connected: not is_connected, what="the loss noticed")
    undeliverable = await outcome(api, station)
    expired = await outcome(api, station, ttl_s=1)
    station.mend()
    await station.until(lambda: station.online)

    assert (undeliverable["outcome"], expired["outcome"]) == ("undeliverable", "expired")
    heard = {entry.message_id for entry in station.history.commands}
    assert heard.isdisjoint({undeliverable["command_id"], expired["command_id"]})


async def test_a_command_waits_for_its_station(api, station):
    station.cut()
    await station.until(lambda: not station.connected)
    asked = await api.command(station.config.station_id, "TriggerMessage", HEARTBEAT, ttl_s=60, wait=False)
    station.mend()

    async def ended():
        return await api.call("GET", f"/v1/commands/{asked.json()['command_id']}")

    found = await eventually(ended, lambda command: command["outcome"], what="the command ended")
    assert asked.status_code == 202
    assert asked.headers["Location"] == f"/v1/commands/{found['command_id']}"
    assert found["outcome"] == "answered"


async def test_a_payload_that_no_version_takes_is_refused_at_once(api, station):
    answer = await api.command(station.config.station_id, "TriggerMessage", {"requestedMessage": "Coffee"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_same_idempotency_key_is_the_same_command(api, station):
    body = {"action": "TriggerMessage", "payload": HEARTBEAT}
    path, headers = f"/v1/stations/{station.config.station_id}/commands", {"Idempotency-Key": "one-and-the-same"}

    first = await api.request("POST", path, json=body, headers=headers)
    second = await api.request("POST", path, json=body, headers=headers)

    assert first.json()["command_id"] == second.json()["command_id"]
    heard = [entry.message_id for entry in station.history.commands]
    assert heard.count(first.json()["command_id"]) == 1


async def test_the_books_of_all_these_agree_with_the_ledger(system, fleet):
    await fleet.rest()

    assert await Checker(system).objections(fleet.expected) == []

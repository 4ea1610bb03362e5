"""Sessions whose station does not say that they ended, or says so wrongly."""

from datetime import UTC, datetime

import pytest
import pytest_asyncio
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import ago, written
from chargebus_testkit.running import running_system
from chargebus_testkit.system import services
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRACE_S = 1
BY_RULE = ["end_unknown", "energy_from_readings", "ended_by_rule"]
STATUS = "GetTransactionStatus"
V2 = ["2.0.1", "2.1"]
CHARGING = {"chargingState": "Charging"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system():
    """Run a system of its own, which waits for ends only shortly."""
    settings = {"SESSION_END_GRACE_S": f"{GRACE_S}", "SESSION_END_SWEEP_S": "0.2"}
    async with running_system(settings, services()) as system, system.api() as api:
        await api.add_token("ALICE")
        await api.add_token("BOB")
        yield system


@pytest.fixture
def begun():
    """Begin a transaction of 1,000 Wh and bring it to 2,500 Wh; return its id, None for one of a station."""

    async def begin(station, driver="ALICE", minutes=30):
        if station.version != "1.6":
            await station.call("TransactionEvent", v201.started("t", 0, ago(minutes), 1000, driver))
            await station.call("TransactionEvent", v201.updated("t", 1, ago(minutes - 10), 2500, info=CHARGING))
            return None
        started = await station.call("StartTransaction", v16.start(ago(minutes), 1000, driver))
        assert started["idTagInfo"]["status"] == "Accepted"
        await station.call("MeterValues", v16.meter_values(ago(minutes - 10), 2500, started["transactionId"]))
        return started["transactionId"]

    return begin


@pytest.fixture
def ended_by_rule(ended_sessions):
    """Wait until a station's one session is taken for ended: by its last reading, marked so, and not as charging."""

    async def wait(station):
        [session] = await ended_sessions(station)
        assert (session["energy_wh"], session["ended_at"]) == (1500, None)
        assert session["flags"] == sorted(BY_RULE)
        assert session["billable"]
        assert session["charging_state"] == ""
        return session

    return wait


@pytest.fixture
def looked_at(raw_station, begun, ended_sessions):
    """Wait until the rule has had its time: until it has ended a session that came to be in doubt later."""

    async def wait():
        async with raw_station("1.6") as station:
            await begun(station)
            await station.call("StatusNotification", v16.status())
            await ended_sessions(station)

    return wait


async def restart(station, **boot):
    """Lose power, and boot."""
    await station.cut()
    await station.connect()
    assert (await station.boot(**boot))["status"] == "Accepted"


async def end(station, transaction_id):
    """Say the end that was not said, at 3,000 Wh."""
    if transaction_id is None:
        reason = {"triggerReason": "AbnormalCondition", "info": {"stoppedReason": "PowerLoss"}}
        return await station.call("TransactionEvent", v201.ended("t", 2, ago(15), 3000, offline=True, **reason))
    return await station.call("StopTransaction", v16.stop(transaction_id, ago(15), 3000, reason="PowerLoss"))


async def settled(sessions, station):
    """Return a station's one session when its late end is there."""

    async def look():
        [session] = await sessions(station)
        return session

    return await eventually(look, lambda found: found["ended_at"] is not None, what="the end")


@pytest.mark.parametrize("version", V2)
async def test_a_station_that_lost_power_is_asked_and_its_transaction_is_over(
    raw_station, begun, ended_by_rule, sessions, version
):
    async with raw_station(version) as station:
        station.replies[STATUS] = {"ongoingIndicator": False, "messagesInQueue": False}
        await begun(station)
        await restart(station)
        assert await station.asked(STATUS) == {"transactionId": "t"}
        await ended_by_rule(station)
        await end(station, None)

        session = await settled(sessions, station)

    assert (session["energy_wh"], session["stop_reason"], session["flags"]) == (2000, "PowerLoss", ["ended_by_rule"])


@pytest.mark.parametrize("answer", [{"ongoingIndicator": True, "messagesInQueue": False}, {"messagesInQueue": True}])
async def test_a_transaction_that_goes_on_or_whose_messages_wait_is_not_ended(
    raw_station, begun, looked_at, sessions, answer
):
    async with raw_station("2.0.1") as station:
        station.replies[STATUS] = answer
        await begun(station)
        await restart(station)
        await station.asked(STATUS)
        await looked_at()
        assert [session["state"] for session in await sessions(station)] == ["active"]
        await end(station, None)

        session = await settled(sessions, station)

    assert (session["energy_wh"], session["flags"]) == (2000, [])


@pytest_asyncio.fixture(params=["1.6", *V2], loop_scope="session")
async def token_for_one(request, api):
    """Return a version, and a token that may charge only once at a time."""
    once = f"ONCE-{request.param}"
    await api.add_token(once, concurrent_transactions=False)
    return request.param, once


async def test_an_available_connector_ends_its_session_and_frees_a_token_that_charges_once(
    token_for_one, raw_station, begun, ended_by_rule, sessions
):
    version, once = token_for_one
    async with raw_station(version) as station, raw_station("1.6") as other:
        station.replies[STATUS] = {"ongoingIndicator": False, "messagesInQueue": False}
        transaction_id = await begun(station, once)
        refused = await other.call("StartTransaction", v16.start(ago(9), 0, once))
        at = ago(8)
        available = v16.status(timestamp=at) if version == "1.6" else v201.status(at=at)
        await station.call("StatusNotification", available)
        await ended_by_rule(station)
        accepted = await other.call("StartTransaction", v16.start(ago(7), 0, once, connector_id=2))
        await end(station, transaction_id)

        session = await settled(sessions, station)

    assert (session["energy_wh"], session["flags"]) == (2000, ["ended_by_rule"])
    assert [each["idTagInfo"]["status"] for each in (refused, accepted)] == ["ConcurrentTx", "Accepted"]


@pytest.mark.parametrize("version", ["1.6", *V2])
async def test_the_next_start_on_the_connector_ends_a_session(raw_station, begun, sessions, ended_sessions, version):
    async with raw_station(version) as station:
        station.replies[STATUS] = {"ongoingIndicator": False, "messagesInQueue": False}
        transaction_id = await begun(station)
        now = written(datetime.now(UTC))  # after the boot, of which `session` may hear only then
        if version == "1.6":
            await station.call("StartTransaction", v16.start(now, 3000, "BOB"))
        else:
            await station.call("TransactionEvent", v201.started("u", 0, now, 3000, "BOB"))
        [over] = await ended_sessions(station)
        assert (over["id_token"], over["energy_wh"], over["flags"]) == ("ALICE", 1500, sorted(BY_RULE))
        await end(station, transaction_id)

        async def look():
            return await sessions(station, count=2)

        alice, bob = await eventually(look, lambda found: found[0]["ended_at"] is not None, what="the end")

    assert (alice["id_token"], alice["energy_wh"], alice["flags"]) == ("ALICE", 2000, ["ended_by_rule"])
    assert (bob["id_token"], bob["state"], bob["flags"]) == ("BOB", "active", [])


async def test_a_station_that_is_removed_has_no_sessions_that_go_on(raw_station, api, begun, ended_by_rule):
    async with raw_station("2.0.1") as station:
        await begun(station)
        await api.call("DELETE", f"/v1/stations/{station.station_id}")

        await ended_by_rule(station)


@pytest.mark.parametrize(("before", "now"), [("1.6", "2.0.1"), ("2.0.1", "1.6")])
async def test_a_station_that_speaks_another_version_now_has_no_sessions_of_the_old_one(
    raw_station, begun, ended_by_rule, before, now
):
    async with raw_station(before) as station:
        await begun(station)
        station.version = now
        await restart(station)

        await ended_by_rule(station)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_another_station_in_the_place_of_one_has_none_of_its_sessions(
    raw_station, begun, ended_by_rule, sessions, version
):
    def serial(number):
        if version == "1.6":
            return {"chargePointSerialNumber": number}
        return {"chargingStation": {"vendorName": "Raw", "model": "R201", "serialNumber": number}}

    async with raw_station(version, boot=False) as station:
        station.replies[STATUS] = {"ongoingIndicator": False, "messagesInQueue": False}
        await station.boot(**serial("A-1"))
        transaction_id = await begun(station)
        await restart(station, **serial("B-2"))
        await ended_by_rule(station)
        await end(station, transaction_id)

        session = await settled(sessions, station)

    assert (session["energy_wh"], session["flags"]) == (2000, ["ended_by_rule"])


@pytest.mark.parametrize("status", ["Unavailable", "Faulted", "Finishing", "Preparing"])
async def test_a_boot_of_1_6_ends_what_its_connector_says_cannot_be_charging(
    raw_station, begun, ended_by_rule, sessions, status
):
    async with raw_station("1.6") as station:
        await station.call("StatusNotification", v16.status("Charging"))
        transaction_id = await begun(station)
        await restart(station)
        await station.call("StatusNotification", v16.status(status))
        await ended_by_rule(station)
        await end(station, transaction_id)

        session = await settled(sessions, station)

    assert (session["energy_wh"], session["stop_reason"], session["flags"]) == (2000, "PowerLoss", ["ended_by_rule"])


async def test_a_boot_of_1_6_ends_nothing_where_the_connector_may_be_charging(raw_station, begun, looked_at, sessions):
    async with raw_station("1.6") as station:
        await station.call("StatusNotification", v16.status("Charging"))
        transaction_id = await begun(station)
        await restart(station)
        await station.call("StatusNotification", v16.status("SuspendedEV"))
        await looked_at()
        assert [session["state"] for session in await sessions(station)] == ["active"]
        await end(station, transaction_id)

        session = await settled(sessions, station)

    assert (session["energy_wh"], session["flags"]) == (2000, [])


async def test_readings_that_name_a_transaction_let_it_go_on(raw_station, begun, ended_by_rule, sessions):
    async with raw_station("1.6") as station:
        transaction_id = await begun(station)
        await station.call("StatusNotification", v16.status(timestamp=ago(18)))
        await ended_by_rule(station)
        await station.call("MeterValues", v16.meter_values(ago(5), 2800, transaction_id))

        async def look():
            return await sessions(station, state="active")

        [session] = await eventually(look, bool, what="a session that goes on")

    assert (session["energy_wh"], session["flags"]) == (1800, ["ended_by_rule"])


async def test_an_operator_ends_corrects_and_reopens_a_session(raw_station, sessions, ended_sessions, api):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 1000))
        [session] = await sessions(station)
        path = f"/v1/sessions/{session['session_id']}"
        ended = await api.call("POST", f"{path}/end", {"reason": "the station is dead", "meter_stop_wh": 2000})
        corrected = await api.call("POST", f"{path}/correct", {"reason": "seen at the meter", "energy_wh": 1500})
        reopened = await api.call("POST", f"{path}/reopen", {"reason": "it lives"})
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000))

        [found] = await ended_sessions(station)

    assert [each["energy_wh"] for each in (ended, corrected, found)] == [1000, 1500, 2000]
    assert (ended["state"], reopened["state"]) == ("ended", "active")
    assert found["flags"] == ["corrected", "ended_by_operator", "reopened"]
    shown = await api.call("GET", path)
    assert [each["reason"] for each in shown["decisions"]] == ["the station is dead", "seen at the meter", "it lives"]

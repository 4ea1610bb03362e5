"""Boot, pending, rejected, heartbeats, credentials, reconnecting."""

import base64
from datetime import UTC, datetime
from random import Random

import pytest
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.backoff import Backoff
from chargebus_station.registration import Status

ALL = pytest.mark.parametrize("version", VERSIONS)
TWO = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


def boots(csms, *statuses, interval=60):
    """Answer boot notifications in turn; the last answer stays."""
    left = list(statuses)

    def answer(_payload):
        status = left.pop(0) if len(left) > 1 else left[0]
        return {"status": status, "currentTime": format_timestamp(datetime.now(UTC)), "interval": interval}

    csms.scripts["BootNotification"] = answer


@ALL
async def test_cold_boot_tells_all_statuses_and_beats_at_the_interval(csms, start, version):
    boots(csms, "Accepted", interval=300)
    async with start(version) as station:
        await csms.until(lambda: len(csms.seen("Heartbeat")) > 1)
        assert [call.action for call in csms.calls][:2] == ["BootNotification", "StatusNotification"]
        assert station.history.boots_accepted == 1


async def test_TC_001_cold_boot_tells_connector_zero_too(csms, start):
    async with start("1.6"):
        await csms.until(lambda: len(csms.seen("StatusNotification")) == 2)
    assert [told["connectorId"] for told in csms.seen("StatusNotification")] == [0, 1]


@ALL
async def test_pending_sends_nothing_until_accepted_and_waits_the_interval(csms, start, version):
    boots(csms, "Pending", "Pending", "Accepted", interval=900)
    async with start(version) as station:
        assert [call.action for call in csms.calls][:3] == ["BootNotification"] * 3
        assert station.registration is Status.ACCEPTED


@ALL
async def test_pending_answers_the_csms_and_sends_what_it_triggers(csms, start, version):
    boots(csms, "Pending", interval=10_000_000)
    async with start(version, accepted=False) as station:
        await station.until(lambda: station.registration is Status.PENDING)
        assert await csms.call("TriggerMessage", {"requestedMessage": "Heartbeat"}) == {"status": "Accepted"}
        await csms.until(lambda: csms.seen("Heartbeat") != [])
        assert {call.action for call in csms.calls} == {"BootNotification", "Heartbeat"}


@TWO
async def test_B02_FR_05_pending_refuses_a_remote_start(csms, start, version):
    boots(csms, "Pending", interval=10_000_000)
    async with start(version, accepted=False) as station:
        await station.until(lambda: station.registration is Status.PENDING)
        token = {"idToken": "A", "type": "Central"}
        answer = await csms.call("RequestStartTransaction", {"idToken": token, "remoteStartId": 1})
        assert answer == {"status": "Rejected"}


@ALL
async def test_rejected_boots_again_after_the_interval(csms, start, version):
    boots(csms, "Rejected", "Accepted", interval=600)
    async with start(version) as station:
        assert len(csms.seen("BootNotification")) == 2
        assert station.history.boots_accepted == 1


@TWO
async def test_F06_a_rejected_station_boots_when_it_is_triggered_to(csms, start, version):
    boots(csms, "Rejected", "Accepted", interval=10_000_000)
    async with start(version, accepted=False) as station:
        await station.until(lambda: station.registration is Status.REJECTED)
        await csms.call("TriggerMessage", {"requestedMessage": "BootNotification"})
        await station.until(lambda: station.online)
        assert csms.seen("BootNotification")[1]["reason"] == "Triggered"


async def test_A00_basic_credentials_and_percent_encoded_identity(csms, start):
    async with start("1.6", password="5ecret"):
        encoded = csms.credentials[0].removeprefix("Basic ")
        assert base64.b64decode(encoded).decode() == "CS 1.6:5ecret"
        assert csms.sockets[0].request.path == "/ocpp/CS%201.6"
        assert csms.sockets[0].subprotocol == "ocpp1.6"


async def test_a_new_password_is_used_at_once(csms, start):
    async with start("1.6", password="5ecret") as station:
        await csms.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": "n3w"})
        await station.until(lambda: station.history.connections == 2)
        assert base64.b64decode(csms.credentials[1].removeprefix("Basic ")).decode() == "CS 1.6:n3w"


@TWO
async def test_A01_a_new_password_is_used_at_once(csms, start, version):
    variable = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    async with start(version, password="5ecret") as station:
        await csms.call("SetVariables", {"setVariableData": [{**variable, "attributeValue": "n3w"}]})
        await station.until(lambda: station.history.connections == 2)
        assert base64.b64decode(csms.credentials[1].removeprefix("Basic ")).decode() == f"CS {version}:n3w"


@ALL
async def test_a_station_that_reconnects_does_not_boot_again(csms, start, version):
    async with start(version) as station:
        station.drop()
        await station.until(lambda: station.history.connections == 2 and station.online)
        await csms.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await csms.until(lambda: csms.seen("Heartbeat") != [])
        assert len(csms.seen("BootNotification")) == 1


@ALL
async def test_B04_after_an_outage_only_changed_statuses_are_told(csms, start, version):
    more = {} if version == "1.6" else {"settings": {"OCPPCommCtrlr.OfflineThreshold": "999999"}}
    async with start(version, **more) as station:
        await station.until(
            lambda: station.history.tally("StatusNotification").answered == (2 if version == "1.6" else 1)
        )
        before = len(csms.seen("StatusNotification"))
        station.cut()
        await station.until(lambda: not station.connected)
        station.break_connector(1)
        station.mend()
        await csms.until(lambda: len(csms.seen("StatusNotification")) > before)
        told = csms.seen("StatusNotification")[before:]
        assert [one.get("status", one.get("connectorStatus")) for one in told] == ["Faulted"]


@ALL
async def test_hard_reset_boots_again(csms, start, version):
    async with start(version, reboot_s=60) as station:
        kind = "Hard" if version == "1.6" else "Immediate"
        assert await csms.call("Reset", {"type": kind}) == {"status": "Accepted"}
        await station.until(lambda: station.history.boots_accepted == 2)
        assert station.history.connections == 2
        reason = csms.seen("BootNotification")[1].get("reason", "RemoteReset")
        assert reason == "RemoteReset"


async def test_a_csms_that_asks_to_be_left_alone_is_left_alone():
    backoff = Backoff(minimum_s=1, jitter_s=2, doublings=3)
    assert all(30 <= backoff.wait_s(1, Random(n), retry_after_s=30) <= 32 for n in range(20))
    assert [round(backoff.wait_s(n, Random(1)) - backoff.wait_s(0, Random(1))) for n in (1, 2, 3, 4, 9)] == [
        0,
        1,
        3,
        7,
        7,
    ]

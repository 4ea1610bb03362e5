"""The table of actions, row by row over one socket of each version: what the CSMS asks, and what a station says.

Payloads are the smallest that the official schemas allow. What an action does stands in the tests of its block.
"""

import asyncio
import json
from dataclasses import dataclass, field

import msgspec
import pytest
from chargebus_events.topics import FRAME_SERVICES, frames_topic
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.schemas import validate_result
from chargebus_ocppj.versions import VERSIONS
from chargebus_testkit.log import Log
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.samples import smallest, smallest_reply
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = pytest.mark.parametrize("version", VERSIONS)
MORE = {"aStrangeMember": 1}
SAID = {
    "Authorize": lambda answer: status_in(answer, "idTagInfo", "idTokenInfo") in {"Invalid", "Unknown"},
    "BootNotification": lambda answer: answer["status"] == "Accepted" and answer["interval"] > 0,
    "DataTransfer": lambda answer: answer["status"] == "UnknownVendorId",
    "Get15118EVCertificate": lambda answer: answer["status"] == "Failed",
    "GetCertificateStatus": lambda answer: answer["status"] == "Failed",
    "Heartbeat": lambda answer: answer["currentTime"].endswith("Z"),
    "NotifyEVChargingNeeds": lambda answer: answer["status"] in {"Rejected", "NoChargingProfile"},
    "PullDynamicScheduleUpdate": lambda answer: answer["status"] == "Rejected",
    "SignCertificate": lambda answer: answer["status"] == "Rejected",
    "StartTransaction": lambda answer: status_in(answer, "idTagInfo") == "Invalid",
}
"""What has to be answered to the smallest request; of others it is enough that their answer keeps its schema."""


NOT_YET = frozenset({"NotifySettlement", "VatNumberValidation"})
"""Whose owner has no answer yet, and says so."""

OWNED = frozenset({"DeleteCertificate"})
"""Which another route sends: `test_conformance_certificates`."""


def status_in(answer, *names):
    return next(answer[name]["status"] for name in names if name in answer)


def rows(version, initiator):
    return [row for row in ACTIONS if version in row.versions and row.initiator == initiator]


def sent_by_anybody(version):
    return [row.name for row in rows(version, "csms") if row.name not in OWNED]


@dataclass
class Told:
    """What a walk over the table found: of each action what is not as it has to be."""

    wrong: dict[str, object] = field(default_factory=dict)

    def expect(self, action, found, expected):
        if found != expected:
            self.wrong[action] = f"{found!r} in place of {expected!r}"


@ALL
async def test_every_action_of_the_csms_passes_with_its_answer_and_what_breaks_its_schema_is_not_sent(
    raw_station, ask, api, version
):
    told, actions = Told(), sent_by_anybody(version)
    replies = {action: smallest_reply(version, action) for action in actions}
    async with raw_station(version, replies) as station:
        for action in actions:
            payload = smallest(version, action)
            refused = await api.command(station.station_id, action, payload | MORE)
            told.expect(f"{action} with a strange member", refused.status_code, 422)
            sent = await ask(station, action, payload)
            told.expect(action, (sent["outcome"], sent["reply"], sent["reason"]), ("answered", replies[action], ""))
            while await station.asked(action) != payload:  # services may have asked for the same
                pass
        for action in OWNED:
            refused = await api.command(station.station_id, action, smallest(version, action))
            told.expect(action, (refused.status_code, refused.json()["title"]), (409, "another route does it"))
        assert told.wrong == {}
        listed = [each async for each in api.items(f"/v1/stations/{station.station_id}/commands")]
    assert sorted(each["action"] for each in listed if each["requester"] == "http") == sorted(actions)


@ALL
async def test_an_answer_that_breaks_its_schema_is_shown_as_such(raw_station, ask, version):
    """2.1 has a message for it: CALLRESULTERROR (Part 4, 4.2.3)."""
    told, actions = Told(), sent_by_anybody(version)
    replies = {action: smallest_reply(version, action) | MORE for action in actions}
    async with raw_station(version) as station:
        station.replies.update(replies)
        sent = await asyncio.gather(*(ask(station, action, smallest(version, action)) for action in actions))
        for each in sent:
            shown = each["outcome"], each["reply"], "breaks" in each["reason"]
            told.expect(each["action"], shown, ("answered", replies[each["action"]], True))
        if version == "2.1":
            left = {each["command_id"] for each in sent}
            while left:  # services may have asked, too
                kind, message_id, *_ = await station.receive()
                assert kind == 5
                left.discard(message_id)
    assert told.wrong == {}


@ALL
async def test_every_action_of_a_station_is_answered_as_specified_and_lands_on_the_topic_of_its_owner(
    raw_station, system, version
):
    told, owners = Told(), {}
    async with Log(system.kafka_connection) as log, raw_station(version) as station:
        since = await log.ends([frames_topic(service) for service in FRAME_SERVICES])
        for row in rows(version, "station"):
            owners[row.name] = frames_topic(row.service)
            payload = smallest(version, row.name)
            if row.answered_by == "nobody":
                await station.send(json.dumps([6, f"send-{row.name}", row.name, payload]))
                continue
            await answered(told, station, row.name, payload)

        async def landed():
            found = await log.read(*map(frames_topic, FRAME_SERVICES), since=since)
            return {each.text("ocpp_action"): each.topic for each in found if each.key == station.station_id}

        found = await eventually(landed, lambda found: len(found) >= len(owners), what="all landed")
    assert (told.wrong, found) == ({}, owners)


async def answered(told, station, action, payload):
    """Send a request, and look at its answer."""
    try:
        answer = await station.call(action, payload)
    except RefusedError as refused:
        told.expect(f"{action} is refused with", refused.code, "NotSupported" if action in NOT_YET else "")
        return
    validate_result(station.version, action, msgspec.json.encode(answer))
    if action in NOT_YET or not SAID.get(action, lambda _: True)(answer):
        told.wrong[action] = answer


async def test_an_answer_that_a_station_cannot_read_is_not_answered(raw_station):
    """Spec: OCPP 2.1 Part 4, 4.2.3 (CALLRESULTERROR)."""
    async with raw_station("2.1") as station:
        await station.send(json.dumps([5, "m1", "FormatViolation", "what is that?", {}]))
        await station.send(json.dumps([2, "next", "Coffee", {}]))
        assert (await station.receive())[:3] == [4, "next", "NotImplemented"]  # and nothing before it

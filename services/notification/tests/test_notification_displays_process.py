"""Display messages in the process: asked of stations, compared with their reports, repaired, cleared."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_events.commands import CommandOutcome, CommandRequested
from chargebus_events.frames import Frame
from chargebus_events.public import (
    SESSION_ENDED,
    STATION_BOOTED,
    STATION_CONNECTION,
    STATION_DESCRIBED,
    Session,
    StationBooted,
    StationConnection,
    StationDescribed,
    event,
)
from chargebus_events.topics import COMMANDS, frames_topic
from chargebus_notification.main import build
from chargebus_testkit.waiting import eventually

NOTHING: dict[str, list[object]] = {"getVariableResult": []}
LIMITS = {
    "getVariableResult": [
        {
            "attributeStatus": "Accepted",
            "attributeValue": value,
            "component": {"name": "DisplayMessageCtrlr"},
            "variable": {"name": name},
        }
        for name, value in {"NumberDisplayMessages": "2", "SupportedFormats": "ASCII,HTML"}.items()
    ]
}
NOW = datetime.now(UTC).replace(microsecond=0)
OTHERS = {"id": 7, "priority": "InFront", "message": {"format": "UTF8", "content": "Out of order"}}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setenv("NOTIFICATION_DISPLAYS_SETTLE_S", "0")


class Asked:
    """The station's side of what is asked of it: the test answers."""

    def __init__(self, bed, station_id):
        self._bed = bed
        self._station_id = station_id
        self._taken = 0

    async def next(self):
        """Return the next command, and note that it was taken."""
        found = await eventually(
            lambda: self._bed.read(COMMANDS, self._station_id),
            lambda records: len(records) > self._taken,
            what=f"command {self._taken + 1} of {self._station_id}",
        )
        asked = msgspec.json.decode(found[self._taken].value, type=CommandRequested)
        self._taken += 1
        return asked

    async def answer(self, action, answer, version="2.0.1"):
        """See that an action is asked, answer it, and return its payload."""
        asked = await self.next()
        [form] = [each for each in asked.forms if version in each.versions]
        assert form.action == action
        outcome = CommandOutcome(
            asked.command_id, self._station_id, "notification", "answered", NOW, NOW, intent=asked.intent,
            subject=asked.subject, action=action, version=version, payload=msgspec.Raw(json.dumps(answer).encode()),
        )  # fmt: skip
        await self._bed.publish(outcome.record())
        return json.loads(bytes(form.payload))


def booted(station_id, version="2.0.1"):
    body = StationBooted(station_id, NOW, "accepted", version)
    return event(STATION_BOOTED, f"{station_id}/boot", "/device", NOW, body)


def part(station_id, number, request_id, messages, *, tbc):
    said = {"requestId": request_id, "tbc": tbc, "messageInfo": messages}
    frame = Frame(
        station_id, "2.0.1", "NotifyDisplayMessages", f"m{number}", 0, 7, number, json.dumps(said).encode(),
        datetime.now(UTC),
    )  # fmt: skip
    return frame.record(frames_topic("notification"))


async def until_status(client, message_id, **stations):
    found = await eventually(
        lambda: client.get(f"/display-messages/{message_id}"),
        lambda answer: answer.json()["stations"] == stations,
        what=f"{message_id} is {stations}",
    )
    return found.json()


async def test_a_message_is_told_compared_repaired_and_cleared(make_bed, station_id):
    bed = make_bed(build)
    asked = Asked(bed, station_id)
    body = {"station_ids": [station_id], "content": "Free on Sundays", "language": "en", "state": "Idle"}
    path = f"/stations/{station_id}/display-messages"
    async with bed.running() as process, bed.client() as client:
        made = await client.post("/display-messages", json=body, headers={"Idempotency-Key": station_id})
        again = await client.post("/display-messages", json=body, headers={"Idempotency-Key": station_id})
        other = await client.post(
            "/display-messages", json=body | {"content": "other"}, headers={"Idempotency-Key": station_id}
        )
        message_id = made.json()["message_id"]
        await asked.answer("GetVariables", NOTHING)
        told = await asked.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, message_id, shown=1)

        await process.producer.publish([booted(station_id)])
        request_id = (await asked.answer("GetDisplayMessages", {"status": "Accepted"}))["requestId"]
        await process.producer.publish(
            [
                part(station_id, 1, request_id + 1, [told["message"]], tbc=False),
                part(station_id, 2, request_id, [OTHERS], tbc=True),
                part(station_id, 3, request_id, [OTHERS | {"id": 8}], tbc=False),
            ]
        )
        assert len((await asked.answer("GetVariables", NOTHING))["getVariableData"]) == 5
        repaired = await asked.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, message_id, shown=1)
        shown = (await client.get(path)).json()
        first = (await client.get(path, params={"limit": 1})).json()
        second = (await client.get(path, params={"limit": 2, "cursor": first["next"]})).json()
        strange = await client.get(path, params={"cursor": "MQ"})
        [on_station] = (await client.get(f"/display-messages/{message_id}/stations")).json()["items"]

        await client.delete(f"/display-messages/{message_id}")
        cleared = await asked.answer("ClearDisplayMessage", {"status": "Accepted"})
        await until_status(client, message_id, gone=1)
        listed = (await client.get("/display-messages")).json()["items"]

    assert (made.status_code, again.json()["message_id"], other.status_code) == (201, message_id, 422)
    assert told["message"]["message"] == {"format": "UTF8", "language": "en", "content": "Free on Sundays"}
    assert repaired == told
    assert cleared == {"id": told["message"]["id"]}
    assert [(each["number"], each["verdict"]) for each in shown["messages"]] == [
        (7, "of others"),
        (8, "of others"),
        (told["message"]["id"], "missing"),
    ]
    assert (first["messages"] + second["messages"], second["next"]) == (shown["messages"], None)
    assert (strange.status_code, strange.json()["errors"][0]["field"]) == (422, "query.cursor")
    assert (shown["version"], shown["report"], on_station["repaired"]) == ("2.0.1", "complete", 1)
    assert message_id not in [each["message_id"] for each in listed]


async def test_a_message_by_labels_follows_the_stations_that_have_them(make_bed, station_id):
    bed = make_bed(build)
    first, second = f"{station_id}-1", f"{station_id}-2"

    def described(name, minute, **labels):
        body = StationDescribed(name, NOW + timedelta(minutes=minute), labels=labels)
        return event(STATION_DESCRIBED, f"{name}/{minute}", "/device", NOW, body)

    async with bed.running() as process, bed.client() as client:
        await process.producer.publish([described(first, 0, site=station_id), booted(first, "1.6")])
        await eventually(
            lambda: client.get(f"/stations/{first}/display-messages"),
            lambda answer: answer.json()["version"] == "1.6",
            what="the first is known",
        )
        made = await client.post("/display-messages", json={"labels": {"site": station_id}, "content": "Welcome"})
        message_id = made.json()["message_id"]
        await until_status(client, message_id, unsupported=1)
        await process.producer.publish([described(second, 0, site=station_id)])
        asked = Asked(bed, second)
        await asked.answer("GetVariables", NOTHING)
        await asked.answer("SetDisplayMessage", {"status": "NotSupportedPriority"})
        await until_status(client, message_id, unsupported=1, refused=1)
        page = (await client.get(f"/display-messages/{message_id}/stations")).json()["items"]
        await process.producer.publish([described(second, 1, site="elsewhere")])
        await until_status(client, message_id, unsupported=1, gone=1)

    assert [(each["station_id"], each["status"], each["reason"]) for each in page] == [
        (first, "unsupported", "NotSupported"),
        (second, "refused", "NotSupportedPriority"),
    ]


async def test_a_station_that_is_offline_is_not_asked_until_it_is_back(make_bed, station_id):
    bed = make_bed(build)

    def connection(epoch, *, connected):
        body = StationConnection(station_id, NOW, connected=connected, epoch=epoch, version="2.0.1")
        return event(STATION_CONNECTION, f"{station_id}/{epoch}/{connected}", "/device", NOW, body)

    async with bed.running() as process, bed.client() as client:
        await process.producer.publish([connection(1, connected=True), connection(1, connected=False)])
        await eventually(
            lambda: bed.rows("SELECT 1 FROM known_station WHERE station_id = $1 AND NOT online", station_id),
            bool,
            what="it is known to be offline",
        )
        made = await client.post("/display-messages", json={"station_ids": [station_id], "content": "Welcome"})
        path = f"/display-messages/{made.json()['message_id']}/stations"
        waiting = await eventually(
            lambda: client.get(path),
            lambda answer: answer.json()["items"][0]["detail"] == "the station is offline",
            what="it waits",
        )
        asked = await bed.read(COMMANDS, station_id)
        await process.producer.publish([connection(2, connected=True)])
        back = Asked(bed, station_id)
        await back.answer("GetVariables", NOTHING)
        told = await back.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, made.json()["message_id"], shown=1)

    assert (waiting.json()["items"][0]["status"], asked) == ("waiting", [])
    assert told["message"]["message"]["content"] == "Welcome"


async def test_what_a_display_does_not_take_it_is_not_told_and_when_there_is_room_it_is(make_bed, station_id):
    bed = make_bed(build)
    asked = Asked(bed, station_id)
    body = {"station_ids": [station_id], "content": "Welcome"}
    async with bed.running() as process, bed.client() as client:

        async def want(**more):
            return (await client.post("/display-messages", json=body | more)).json()["message_id"]

        async def on_station(message_id):
            return (await client.get(f"/display-messages/{message_id}/stations")).json()["items"][0]

        await process.producer.publish([booted(station_id)])
        await eventually(
            lambda: client.get(f"/stations/{station_id}/display-messages"),
            lambda answer: answer.json()["version"] == "2.0.1",
            what="it is known",
        )
        first = await want()
        await asked.answer("GetVariables", LIMITS)
        told = await asked.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, first, shown=1)
        second = await want(format="HTML")
        await asked.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, second, shown=1)
        third, accented = await want(content="Third"), await want(content="Grüße")
        await until_status(client, third, refused=1)
        await until_status(client, accented, refused=1)
        refusals = [await on_station(third), await on_station(accented)]

        await client.delete(f"/display-messages/{first}")
        await asked.answer("ClearDisplayMessage", {"status": "Accepted"})
        assert (await asked.answer("SetDisplayMessage", {"status": "Accepted"}))["message"]["message"] == {
            "format": "ASCII",
            "content": "Third",
        }
        await until_status(client, third, shown=1)

    assert told["message"]["message"] == {"format": "ASCII", "content": "Welcome"}
    assert [each["reason"] for each in refusals] == ["TooManyMessages", "NotSupportedMessageFormat"]
    assert refusals[1]["detail"] == "it takes ASCII, HTML (SupportedFormats), not UTF8"


async def test_what_there_was_no_room_for_is_told_when_a_report_says_that_there_is(make_bed, station_id):
    bed = make_bed(build)
    asked = Asked(bed, station_id)
    body = {"station_ids": [station_id], "content": "Welcome"}
    async with bed.running() as process, bed.client() as client:

        async def report(number, *messages):
            await client.post(f"/stations/{station_id}/display-messages/compare")
            request_id = (await asked.answer("GetDisplayMessages", {"status": "Accepted"}))["requestId"]
            await process.producer.publish([part(station_id, number, request_id, list(messages), tbc=False)])
            await eventually(
                lambda: client.get(f"/stations/{station_id}/display-messages"),
                lambda answer: len(answer.json()["messages"]) >= len(messages),
                what="the report",
            )

        await process.producer.publish([booted(station_id)])
        await eventually(
            lambda: client.get(f"/stations/{station_id}/display-messages"),
            lambda answer: answer.json()["version"] == "2.0.1",
            what="it is known",
        )
        await report(1, OTHERS, OTHERS | {"id": 8})
        message_id = (await client.post("/display-messages", json=body)).json()["message_id"]
        await asked.answer("GetVariables", LIMITS)
        await until_status(client, message_id, refused=1)
        await report(2, OTHERS)
        told = await asked.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, message_id, shown=1)

    assert told["message"]["message"]["content"] == "Welcome"


async def test_a_message_for_a_transaction_ends_with_it(make_bed, station_id):
    bed = make_bed(build)
    asked = Asked(bed, station_id)

    def ended(transaction_id, of=station_id):
        body = Session(f"{of}/{transaction_id}", of, transaction_id, "2.0.1", "ended", NOW, ended_at=NOW)
        return event(SESSION_ENDED, f"{of}/{transaction_id}/ended", "/session", NOW, body)

    async with bed.running() as process, bed.client() as client:
        body = {"station_ids": [station_id], "content": "You are charging", "transaction_id": "T-1"}
        message_id = (await client.post("/display-messages", json=body)).json()["message_id"]
        await asked.answer("GetVariables", NOTHING)
        told = await asked.answer("SetDisplayMessage", {"status": "Accepted"})
        await until_status(client, message_id, shown=1)
        await process.producer.publish([ended("T-1", of=f"{station_id}-other"), ended("T-2"), ended("T-1")])
        cleared = await asked.answer("ClearDisplayMessage", {"status": "Unknown"})
        found = await until_status(client, message_id, gone=1)

    assert told["message"]["transactionId"] == "T-1"
    assert cleared == {"id": told["message"]["id"]}
    assert found["removed_at"] is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"station_ids": ["a"], "labels": {"site": "b"}},
        {"labels": {"site": "b"}, "transaction_id": "t"},
        {"station_ids": ["a"], "starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"},
        {"station_ids": ["a"], "ends_at": "2020-01-01T00:00:00Z"},
        {"station_ids": ["a"], "format": "PDF"},
        {"station_ids": ["a"], "content": "x" * 1025},
    ],
)
async def test_a_message_that_cannot_be_is_refused(bed_client, wrong):
    answer = await bed_client.post("/display-messages", json={"content": "Hello"} | wrong)

    assert answer.status_code == 422


@pytest.fixture
async def bed_client(make_bed):
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        yield client

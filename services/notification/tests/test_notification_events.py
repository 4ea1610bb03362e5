"""Events of stations: read in every version, kept and published once, searched, dropped when they are old."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_events.topics import SECURITY_EVENTS, STATION_EVENTS, frames_topic
from chargebus_notification.events import payload, v21, v201
from chargebus_notification.events.domain import STALE_CLOCK, counts_from
from chargebus_notification.main import build
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)
PROBLEM = {
    "eventId": 7,
    "timestamp": NOW.isoformat(),
    "trigger": "Alerting",
    "actualValue": "true",
    "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 2}},
    "variable": {"name": "Problem"},
    "eventNotificationType": "HardWiredNotification",
}


def frame(action, said, station_id="CS-1", version="2.0.1", **more):
    number, at = more.get("number", 1), more.get("at", NOW)
    return Frame(station_id, version, action, f"m{number}", 0, 7, number, json.dumps(said).encode(), at)


def notified(*data, tbc=False, seq_no=0, **more):
    said = {"generatedAt": NOW.isoformat(), "tbc": tbc, "seqNo": seq_no, "eventData": list(data)}
    return frame("NotifyEvent", said, **more)


def security(said, **more):
    return frame("SecurityEventNotification", said, **more)


# Reading


def test_N07_a_datum_is_an_event_with_its_place():
    [told] = v201.station_events(notified(PROBLEM))

    assert (told.component, told.variable, told.evse_id, told.connector_id) == ("Connector", "Problem", 1, 2)
    assert (told.number, told.value, told.trigger, told.kind) == (7, "true", "Alerting", "HardWiredNotification")
    assert (told.at, told.severity, told.cleared) == (NOW, None, False)


def test_only_OCPP_2_1_tells_how_severe_an_event_is():
    severe = PROBLEM | {"severity": 3}

    assert v21.station_events(notified(severe, version="2.1"))[0].severity == 3
    assert v201.station_events(notified(severe))[0].severity is None


def test_an_event_that_is_sent_again_has_the_same_name_and_another_has_another():
    names = {
        v201.station_events(notified(said, number=number))[0].event_id
        for number, said in enumerate([PROBLEM, PROBLEM, PROBLEM | {"actualValue": "false"}, PROBLEM | {"eventId": 8}])
    }

    assert len(names) == 3


@pytest.mark.parametrize("said_at", ["", "yesterday"])
def test_an_event_without_a_time_is_another_one_each_time_and_counts_from_its_receipt(said_at):
    said = {"type": "TamperDetectionActivated", "timestamp": said_at}
    [first] = payload.security_events(security(said, version="1.6", number=1))
    [second] = payload.security_events(security(said, version="1.6", number=2))

    assert first.event_id != second.event_id
    assert first.at == NOW


@pytest.mark.parametrize(
    ("said_at", "counted"),
    [
        (NOW - timedelta(days=20), NOW - timedelta(days=20)),
        (NOW - STALE_CLOCK - timedelta(seconds=1), NOW),
        (NOW + timedelta(hours=1), NOW),
        (NOW + timedelta(seconds=1), NOW),
        (None, NOW),
    ],
)
def test_a_station_is_believed_when_it_was_unless_its_clock_cannot_be_right(said_at, counted):
    assert counts_from(said_at, NOW) == counted


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, "x"])
def test_a_number_that_no_database_holds_is_unusable(number):
    with pytest.raises(UnusableCallError):
        v201.station_events(notified(PROBLEM | {"eventId": number}))


# The whole road


@pytest.fixture
def station_id():
    return f"CS-{uuid4().hex[:8]}"


async def listed(client, path, expected, **query):
    answer = await eventually(
        lambda: client.get(path, params=query),
        lambda answer: answer.status_code != 200 or len(answer.json()["items"]) == expected,
        what=f"{expected} of {path} with {query}",
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_events_are_kept_and_published_once_whatever_is_sent_again(make_bed, station_id):
    bed = make_bed(build)
    over = PROBLEM | {"eventId": 8, "actualValue": "false", "cleared": True}
    warm = PROBLEM | {"eventId": 9, "severity": 5, "component": {"name": "Controller"}, "variable": {"name": "Temp"}}
    tampered = {"type": "TamperDetectionActivated", "timestamp": NOW.isoformat(), "techInfo": "the door is open"}
    frames = [
        notified(PROBLEM, tbc=True, station_id=station_id, number=1),
        notified(over, warm, seq_no=1, station_id=station_id, version="2.1", number=2),
        notified(PROBLEM, over, station_id=station_id, number=3),
        security(tampered, station_id=station_id, version="1.6", number=4),
        security(tampered, station_id=station_id, version="1.6", number=5),
    ]
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish([each.record(frames_topic("notification")) for each in frames])
        [kept] = await listed(client, "/security-events", 1, station_id=station_id)
        events = await listed(client, "/station-events", 3, station_id=station_id)
        await eventually(bed.caught_up, bool, what="all is applied")
        assert len(await listed(client, "/station-events", 3, station_id=station_id)) == 3
        about = [
            await listed(client, "/station-events", count, station_id=station_id, **query)
            for count, query in [
                (1, {"severity": 5}),
                (0, {"severity": 4}),
                (1, {"component": "Controller", "variable": "Temp"}),
                (1, {"cleared": True}),
                (0, {"from": (NOW + timedelta(days=1)).isoformat()}),
                (3, {"to": (NOW + timedelta(days=1)).isoformat(), "trigger": "Alerting"}),
            ]
        ]
        wrong = await client.get("/security-events", params={"sort": "type"})
        published = [
            await eventually(
                lambda topic=topic: bed.read(topic, station_id), lambda found, n=n: len(found) >= n, what=topic
            )
            for topic, n in [(SECURITY_EVENTS, 1), (STATION_EVENTS, 3)]
        ]

    assert (kept["type"], kept["tech_info"]) == ("TamperDetectionActivated", "the door is open")
    assert {each["number"] for each in events} == {7, 8, 9}
    assert about[0] == about[2]
    assert wrong.status_code == 422
    assert [[record.type for record in found] for found in published] == [
        ["chargebus.security.event.v1"],
        ["chargebus.station.event.v1"] * 3,
    ]


async def test_pages_of_events_go_from_the_newest_to_the_oldest(make_bed, station_id):
    bed = make_bed(build)
    said = [
        {"type": f"Kind{number}", "timestamp": (NOW - timedelta(hours=hours)).isoformat()}
        for number, hours in enumerate([3, 1, 2, 1])
    ]
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish(
            [
                security(each, station_id=station_id, number=n).record(frames_topic("notification"))
                for n, each in enumerate(said)
            ]
        )
        whole = await listed(client, "/security-events", 4, station_id=station_id)
        paged, cursor = [], None
        while cursor is not None or not paged:
            query = {"station_id": station_id, "limit": 1} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/security-events", params=query)).json()
            paged += page["items"]
            cursor = page["next"]
        [only] = await listed(client, "/security-events", 1, station_id=station_id, type="Kind2")

    assert paged == whole
    assert [each["at"] for each in paged] == sorted((each["at"] for each in paged), reverse=True)
    assert only["type"] == "Kind2"


async def test_an_event_that_came_long_ago_is_dropped(make_bed, station_id, monkeypatch):
    monkeypatch.setenv("NOTIFICATION_KEEP_EVENTS_DAYS", "1")
    monkeypatch.setenv("NOTIFICATION_SWEEP_EVENTS_EVERY_S", "0.1")
    bed = make_bed(build)
    long_ago = NOW - timedelta(days=2)
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish(
            [
                each.record(frames_topic("notification"))
                for each in (
                    security({"type": "Old", "timestamp": ""}, station_id=station_id, number=1, at=long_ago),
                    security({"type": "New", "timestamp": ""}, station_id=station_id, number=2),
                )
            ]
        )
        await eventually(bed.caught_up, bool, what="both are applied")
        [kept] = await listed(client, "/security-events", 1, station_id=station_id)

    assert kept["type"] == "New"

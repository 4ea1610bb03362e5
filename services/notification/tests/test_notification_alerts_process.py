"""Alerts from Kafka to Kafka: real topics in, a real database, HTTP with a key."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import asyncpg
import msgspec
import pytest
from chargebus_events.public import (
    ALERT_CHANGED,
    CERTIFICATE_EXPIRING,
    STATION_CONNECTION,
    STATION_DESCRIBED,
    Alert,
    CertificateExpiring,
    StationConnection,
    StationDescribed,
    event,
)
from chargebus_events.topics import ALERT_EVENTS
from chargebus_notification.main import build
from chargebus_notification.stations.domain.station import Monitored, Place, Station, Told
from chargebus_notification.stations.store import stations
from chargebus_runtime.migrations import database_url
from chargebus_testkit.waiting import eventually

LONG_AGO = timedelta(hours=1)
OPEN = "SELECT cause FROM alert WHERE state <> 'resolved' AND station_id LIKE $1"


def connection(station_id, at, epoch, *, connected):
    body = StationConnection(station_id, at, connected=connected, epoch=epoch, version="1.6")
    return event(STATION_CONNECTION, f"{station_id}/{epoch}/{connected}", "/device", at, body)


def described(station_id, at, **labels):
    return event(
        STATION_DESCRIBED, f"{station_id}/described", "/device", at, StationDescribed(station_id, at, labels=labels)
    )


def offline_rule(minutes, **more):
    return {"kind": "station_offline", "parameters": {"minutes": minutes}, "resolve_after_s": 0, **more}


async def keep(bed, known):
    """Put what is known of stations into the database, as if the topics had told of it."""
    connection = await asyncpg.connect(database_url(bed.settings.database_url, bed.name))
    try:
        now = datetime.now(UTC)
        await stations.keep(connection, [(each, now) for each in known], now)
    finally:
        await connection.close()


async def listed(client, **wanted):
    return (await client.get("/alerts", params={"limit": 500, **wanted})).json()["items"]


async def test_a_station_that_stays_away_has_one_alert_until_it_is_back(make_bed, station_id):
    bed = make_bed(build)
    now = datetime.now(UTC)
    async with bed.running() as process, bed.client() as client:
        assert (await client.put("/alert-rules/station_offline", json=offline_rule(10))).status_code == 200
        await process.producer.publish(
            [
                described(station_id, now, site=f"{station_id}-site"),
                connection(station_id, now - LONG_AGO, 7, connected=False),
            ]
        )
        (alert,) = await eventually(
            lambda: listed(client, station_id=station_id), lambda found: found, what="the alert is open"
        )
        assert (alert["state"], alert["rule_id"], alert["labels"]) == (
            "open",
            "station_offline",
            {"site": f"{station_id}-site"},
        )

        taken = await client.post(f"/alerts/{alert['alert_id']}/acknowledge", json={"note": "on my way"})
        assert (taken.json()["state"], taken.json()["note"]) == ("acknowledged", "on my way")
        by_label = await listed(client, state="acknowledged", label=f"site:{station_id}-site")
        assert [each["alert_id"] for each in by_label] == [alert["alert_id"]]

        await process.producer.publish([connection(station_id, datetime.now(UTC), 8, connected=True)])
        await eventually(
            lambda: listed(client, station_id=station_id, state="resolved"), lambda found: found, what="it is resolved"
        )
        assert (await client.post(f"/alerts/{alert['alert_id']}/resolve", json={})).status_code == 409

        async def told():
            return [msgspec.json.decode(each.value, type=Alert) for each in await bed.read(ALERT_EVENTS, station_id)]

        events = await eventually(told, lambda found: len(found) == 3, what="all is published")

    assert [(each.state, bool(each.acknowledged_by)) for each in events] == [
        ("open", False),
        ("open", True),
        ("resolved", True),
    ]
    assert {each.alert_id for each in events} == {alert["alert_id"]}
    assert events[0].labels == {"site": f"{station_id}-site"}


async def test_ten_thousand_stations_that_go_at_once_make_one_alert(make_bed, station_id):
    bed = make_bed(build)
    went = datetime.now(UTC) - LONG_AGO
    names = [f"{station_id}-{number:05}" for number in range(10_000)]
    async with bed.running(), bed.client() as client:
        await keep(
            bed,
            [
                Station(name, connected=False, epoch=7, connection_at=went + timedelta(milliseconds=number))
                for number, name in enumerate(names)
            ],
        )
        alerts = await eventually(
            lambda: listed(client),
            lambda found: found and found[0]["members"] == 10_000,
            what="all are in one alert",
            within_s=240,
        )
        (alert,) = alerts
        page = (await client.get(f"/alerts/{alert['alert_id']}/stations", params={"limit": 3})).json()
        assert [each["station_id"] for each in page["items"]] == names[:3]
        assert (alert["subject"], alert["state"]) == ("fleet", "open")

        back = datetime.now(UTC)
        await keep(bed, [Station(name, connected=True, epoch=8, connection_at=back) for name in names[3:]])
        own = await eventually(
            lambda: listed(client, state="open"),
            lambda found: sorted(each["station_id"] for each in found) == names[:3],
            what="the alert is resolved, and those that stay away have one of their own",
            within_s=240,
        )

    assert {each["rule_id"] for each in own} == {"station_offline"}


async def test_all_stations_of_a_site_make_one_alert(make_bed, station_id):
    bed = make_bed(build)
    went = datetime.now(UTC) - LONG_AGO
    labels = {"site": f"{station_id}-site"}
    async with bed.running(), bed.client() as client:
        await keep(
            bed,
            [
                Station(f"{station_id}-{number}", labels=labels, connected=False, connection_at=went)
                for number in range(5)
            ],
        )
        (alert,) = await eventually(
            lambda: listed(client), lambda found: found and found[0]["members"] == 5, what="the site has one alert"
        )

    assert (alert["subject"], alert["labels"]) == (labels["site"], labels)


async def test_one_that_is_told_of_late_is_of_the_group_that_is_open(make_bed, station_id):
    bed = make_bed(build)
    went = datetime.now(UTC) - LONG_AGO
    faulted = [
        Station(f"{station_id}-{number}", connected=True, places={"1/1": Place("Faulted", went, went)})
        for number in range(21)
    ]
    async with bed.running(), bed.client() as client:
        await keep(bed, faulted[:20])
        await eventually(
            lambda: listed(client), lambda found: found and found[0]["members"] == 20, what="there is a group"
        )
        await keep(bed, faulted[20:])
        alerts = await eventually(
            lambda: listed(client), lambda found: len(found) > 1 or found[0]["members"] == 21, what="it is told of"
        )

    assert [(each["subject"], each["members"]) for each in alerts] == [("fleet", 21)]


async def test_whatever_a_station_says_and_is_called_it_has_its_alerts(make_bed, station_id):
    bed = make_bed(build)
    now, name = datetime.now(UTC), f"{station_id}-{{0}}"
    long = "".join(f"{sha256(bytes([number])).hexdigest()}" for number in range(60))
    known = Station(
        name,
        security=(Told("1", "TamperDetectionActivated", now),),
        monitored={long: Monitored(now, 0, active=True, since=now)},
    )
    async with bed.running(), bed.client() as client:
        await keep(bed, [known])
        found = await eventually(
            lambda: listed(client, station_id=name), lambda found: len(found) == 2, what="both alerts are open"
        )

    assert {each["title"] for each in found} == {f"{name} tells of TamperDetectionActivated", f"{name} reports {long}"}


async def test_a_timer_goes_on_while_the_service_is_down(make_bed, station_id):
    bed = make_bed(build)
    async with bed.running() as process, bed.client() as client:
        await client.put("/alert-rules/station_offline", json=offline_rule(0.05))
        await process.producer.publish([connection(station_id, datetime.now(UTC), 7, connected=False)])
        await eventually(
            lambda: bed.rows("SELECT 1 FROM known_station WHERE station_id = $1", station_id),
            bool,
            what="the station is known",
        )
    async with bed.running(), bed.client() as client:
        await eventually(lambda: listed(client, station_id=station_id), bool, what="the timer has run out")
    async with bed.running(), bed.client() as client:
        assert len(await listed(client, station_id=station_id)) == 1


async def test_nothing_is_judged_before_what_happened_meanwhile_is_read(make_bed, station_id):
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        await client.put("/alert-rules/station_offline", json=offline_rule(10))
    away = Station(station_id, connected=False, epoch=7, connection_at=datetime.now(UTC) - LONG_AGO)
    marker = f"{station_id}-marker"
    await keep(bed, [away])
    await bed.publish(
        connection(station_id, datetime.now(UTC), 8, connected=True),
        connection(marker, datetime.now(UTC) - LONG_AGO, 7, connected=False),
    )
    async with bed.running(), bed.client() as client:
        await eventually(lambda: listed(client, station_id=marker), bool, what="what is judged later is judged")

        assert await listed(client, station_id=station_id) == []


async def test_two_copies_make_one_alert_of_one_cause(make_bed, station_id):
    bed = make_bed(build)
    names = [f"{station_id}-{number:02}" for number in range(40)]
    async with AsyncExitStack() as running, bed.client() as client:
        await running.enter_async_context(bed.running())
        await running.enter_async_context(bed.running(http_port=0))
        await client.put("/alert-rules/station_offline", json=offline_rule(10, together_least=100))
        went = datetime.now(UTC) - LONG_AGO
        for half in (names[:20], names[20:]):
            known = [
                Station(name, connected=False, connection_at=went - timedelta(minutes=5 * number))
                for number, name in enumerate(half)
            ]
            await keep(bed, known)
        await eventually(
            lambda: bed.rows(OPEN, f"{station_id}%"), lambda rows: len(rows) == 40, what="each has its alert"
        )
        await bed.rows("UPDATE known_station SET due_at = now()")
        await asyncio.gather(*(listed(client) for _ in range(3)))
        await eventually(
            lambda: bed.rows("SELECT 1 FROM known_station WHERE due_at <= now()"), lambda rows: not rows, what="judged"
        )

        assert sorted(await bed.rows(OPEN, f"{station_id}%")) == [(f"station_offline/{name}/",) for name in names]


async def test_what_other_services_tell_of_is_listed_and_taken_on(make_bed, station_id):
    bed = make_bed(build)
    now = datetime.now(UTC)

    def told(state, minutes):
        at = now + timedelta(minutes=minutes)
        body = Alert(f"{station_id}/1/profile_drift", station_id, "profile_drift", state, "warning", at, "It drifts")
        return event(ALERT_CHANGED, f"{station_id}/{state}/{minutes}", "/smart_charging", at, body)

    async with bed.running() as process, bed.client() as client:
        await process.producer.publish([told("open", -5)])
        (alert,) = await eventually(lambda: listed(client, rule_id="profile_drift"), bool, what="it is listed")
        assert (alert["source"], alert["state"], alert["subject"]) == ("smart_charging", "open", station_id)
        await client.post(f"/alerts/{alert['alert_id']}/acknowledge", json={})
        await process.producer.publish([told("resolved", -4), told("open", -3)])
        (again,) = await eventually(
            lambda: listed(client, rule_id="profile_drift"), lambda found: found[0]["count"] == 2, what="it is back"
        )
        assert (again["alert_id"], again["state"]) == (alert["alert_id"], "acknowledged")
        events = [msgspec.json.decode(each.value, type=Alert) for each in await bed.read(ALERT_EVENTS, station_id)]

    assert [each.alert_id for each in events if each.acknowledged_by] == [f"{station_id}/1/profile_drift"]


async def test_a_silence_shows_on_the_alert_and_when_it_ends_it_is_told_again(make_bed, station_id):
    bed = make_bed(build)
    now = datetime.now(UTC)
    async with bed.running() as process, bed.client() as client:
        wanted = {"ends_at": (now + LONG_AGO).isoformat(), "reason": "works", "station_id": station_id}
        silence = await client.post("/silences", json=wanted)
        assert (silence.status_code, silence.json()["holds"]) == (201, True)
        await process.producer.publish([connection(station_id, now - LONG_AGO, 7, connected=False)])
        (alert,) = await eventually(lambda: listed(client, station_id=station_id), bool, what="the alert is open")
        assert alert["silenced"]

        assert (await client.delete(silence.headers["Location"].removeprefix("/v1"))).status_code == 204

        async def told():
            return [
                msgspec.json.decode(each.value, type=Alert).silenced
                for each in await bed.read(ALERT_EVENTS, station_id)
            ]

        await eventually(told, lambda found: found == [True, False], what="it is told that it is silent no more")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "no_such_kind"},
        {"kind": "station_offline", "parameters": {"hours": 1}},
        {"kind": "station_offline", "parameters": {"minutes": 0}},
        {"kind": "evse_faulted", "labels": {"site": 1}},
    ],
)
async def test_a_rule_of_an_unknown_kind_or_parameter_is_refused(make_bed, wrong):
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        refused = await client.put("/alert-rules/mine", json=wrong)

        assert refused.status_code == 422, refused.text
        assert (await client.get("/alert-rules/mine")).status_code == 404


async def test_the_rules_that_are_there_can_be_changed_and_taken_away(make_bed, station_id):
    bed = make_bed(build)
    async with bed.running() as process, bed.client() as client:
        rules = (await client.get("/alert-rules")).json()["items"]
        assert len(rules) == 15
        for rule in rules:
            same = {key: value for key, value in rule.items() if key != "rule_id"}
            answer = await client.put(f"/alert-rules/{rule['rule_id']}", json=same)
            assert (answer.status_code, answer.json()) == (200, rule)

        await process.producer.publish([connection(station_id, datetime.now(UTC) - LONG_AGO, 7, connected=False)])
        await eventually(lambda: listed(client, station_id=station_id), bool, what="the alert is open")
        assert (await client.delete("/alert-rules/station_offline")).status_code == 204
        await eventually(
            lambda: listed(client, station_id=station_id, state="resolved"), bool, what="what it told of is resolved"
        )


async def test_a_window_that_never_opens_is_refused(make_bed):
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        wanted = {
            "starts_at": "2099-05-01T12:00:00Z",
            "ends_at": "2099-05-02T08:00:00Z",
            "reason": "works",
            "weekly": {"days": ["monday"], "begins": "22:00", "minutes": 60, "time_zone": "Europe/Amsterdam"},
        }
        never = await client.post("/silences", json=wanted)
        nowhere = await client.post("/silences", json=wanted | {"weekly": wanted["weekly"] | {"time_zone": "Mars"}})

    assert (never.status_code, nowhere.status_code) == (422, 422)
    assert "never opens" in never.json()["errors"][0]["error"]


async def test_where_nobody_charges_each_station_has_its_own_alert_and_keeps_it(make_bed, station_id):
    bed = make_bed(build)
    last = datetime.now(UTC) - timedelta(days=4)
    days = tuple(last.toordinal() - number for number in range(20))
    names = [f"{station_id}-{number:03}" for number in range(120)]
    usual = Station("", connected=True, epoch=7, connection_at=last, charging_days=days)
    # As in a fleet that is well: the first have been silent for long enough, most others for a day or two.
    known = [
        msgspec.structs.replace(usual, station_id=name, last_session_at=last + timedelta(hours=number * 0.8))
        for number, name in enumerate(names)
    ]
    rare = [msgspec.structs.replace(each, station_id=f"{each.station_id}-R", charging_days=()) for each in known]
    async with bed.running(), bed.client() as client:
        await keep(bed, [*known, *rare])
        told = await eventually(
            lambda: listed(client, rule_id="no_session", limit=500),
            lambda found: len(found) >= 30,
            what="each silent one has an alert",
        )
        await keep(bed, known)  # they are looked at again
        await eventually(
            lambda: bed.rows("SELECT 1 FROM known_station WHERE due_at <= now()"), lambda due: not due, what="they were"
        )
        again = await listed(client, rule_id="no_session", limit=500)

    assert {each["subject"] for each in told} <= set(names[:31])
    assert {each["alert_id"] for each in told} <= {each["alert_id"] for each in again}
    assert {(each["state"], each["returns"]) for each in again} == {("open", 0)}


async def test_a_station_that_is_removed_leaves_no_alert_and_is_kept_until_then(make_bed, station_id):
    bed = make_bed(build)
    now = datetime.now(UTC)
    async with bed.running() as process, bed.client() as client:
        await client.put("/alert-rules/station_offline", json=offline_rule(10) | {"resolve_after_s": 86_400})
        await process.producer.publish([connection(station_id, now - LONG_AGO, 7, connected=False)])
        await eventually(lambda: listed(client, station_id=station_id), lambda found: found, what="the alert is open")
        assert await stale(bed, now + timedelta(days=365)) == []

        removed = StationDescribed(station_id, now, removed=True)
        await process.producer.publish([event(STATION_DESCRIBED, f"{station_id}/removed", "/device", now, removed)])
        await eventually(
            lambda: listed(client, station_id=station_id, state="resolved"), lambda found: found, what="it is resolved"
        )
        await bed.rows("INSERT INTO alert_member VALUES ('a cause', 'a group', $1, now())", station_id)
        assert await stale(bed, now + timedelta(days=365)) == [station_id]
        assert await bed.rows("SELECT * FROM alert_member") == []


async def stale(bed, before):
    """Drop what is stale, as of a time; return what that was."""
    connection = await asyncpg.connect(database_url(bed.settings.database_url, bed.name))
    try:
        found = list(await stations.take_stale(connection, before, before, 10))
        await stations.forget(connection, found)
        return found
    finally:
        await connection.close()


async def test_a_certificate_of_no_station_has_an_alert_until_it_is_replaced(make_bed, station_id):
    bed = make_bed(build)
    now = datetime.now(UTC)
    runs_out = CertificateExpiring(station_id, "server", now + timedelta(days=3), now, "CN=edge")
    replaced = msgspec.structs.replace(runs_out, at=now + timedelta(seconds=1), replaced=True)
    subject = f"/certificate/{station_id}"

    def told(body, number):
        return event(CERTIFICATE_EXPIRING, f"{station_id}/{number}", "/security", now, body)

    async def alerts(client, state):
        return [each for each in await listed(client, state=state) if each["subject"] == subject]

    rule = {"kind": "certificate_expiring", "resolve_after_s": 0}
    async with bed.running() as process, bed.client() as client:
        assert (await client.put("/alert-rules/certificate_expiring", json=rule)).status_code == 200
        await process.producer.publish([told(runs_out, 1)])
        (alert,) = await eventually(lambda: alerts(client, "open"), lambda found: found, what="the alert is open")
        known = (await client.get("/notification/stations", params={"limit": 500})).json()["items"]
        await process.producer.publish([told(replaced, 2)])
        await eventually(lambda: alerts(client, "resolved"), lambda found: found, what="it is resolved")

    assert (alert["title"], alert["station_id"]) == ("The server CN=edge runs out before long", "")
    assert subject not in [each["station_id"] for each in known]

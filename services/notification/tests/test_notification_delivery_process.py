"""Alerts on the topic become messages to real receivers: HTTPS with the test's own authority, and a mail server."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from chargebus_embedded import free_port
from chargebus_events import public
from chargebus_events.topics import ALERT_EVENTS
from chargebus_notification.main import build
from chargebus_runtime.sealing import Sealing, generate_key
from chargebus_testkit.receivers import answer, mail_receiver, webhook_receiver
from chargebus_testkit.waiting import eventually, until
from chargebus_testkit.web_authority import WebAuthority
from pydantic import SecretStr

KEY = SecretStr(generate_key())
SETTINGS = {
    "NOTIFICATION_WEBHOOK_ALLOWED_NETWORKS": '["127.0.0.0/8", "::1/128"]',
    "NOTIFICATION_RETRY_FIRST_S": "0.2",
    "NOTIFICATION_RETRY_LONGEST_S": "0.5",
    "NOTIFICATION_SMTP_HOST": "localhost",
    "NOTIFICATION_SMTP_FROM": "alerts@chargebus.example",
    "NOTIFICATION_SMTP_USERNAME": "chargebus",
    "NOTIFICATION_SMTP_PASSWORD": "secret",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return WebAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def receiver(authority):
    async with webhook_receiver(authority.server_context()) as receiver:
        yield receiver


@pytest.fixture
async def mail_server(authority):
    async with mail_receiver(authority.server_context()) as server:
        yield server


@pytest.fixture
def bed(make_bed, authority, monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NOTIFICATION_WEBHOOK_CA_FILE", str(authority.ca_file))
    monkeypatch.setenv("NOTIFICATION_SMTP_CA_FILE", str(authority.ca_file))
    return make_bed(build)


@pytest.fixture
def site():
    """Return a subject of the test's own: the topic is everybody's."""
    return f"site-{uuid4().hex[:8]}"


def alert(subject, number=1, severity="warning", state="open", **more):
    now = datetime.now(UTC)
    more = {"title": f"Alert {number}", "rule": subject, **more}  # so that others' alerts pass the test by
    body = public.Alert(f"{subject}/{number}", subject, state=state, severity=severity, at=now, **more)
    return public.event(public.ALERT_CHANGED, f"{subject}/{number}/{state}", "/test", now, body)


def webhook(url, site, **more):
    return {"name": "a test", "channel": {"kind": "webhook", "url": url}, "rules": [site], **more}


def mail(addresses, site, **more):
    return {"name": "a test", "channel": {"kind": "mail", "addresses": addresses}, "rules": [site], **more}


async def subscribe(client, wanted):
    made = await client.post("/subscriptions", json=wanted)
    assert made.status_code == 201, made.text
    return made.json()


async def delivered(client, subscription, count=1):
    return await eventually(
        lambda: client.get(
            "/deliveries", params={"subscription_id": subscription["subscription_id"], "state": "delivered"}
        ),
        lambda found: len(found.json()["items"]) >= count,
        what=f"{count} are delivered",
    )


async def status_of(client, subscription, status):
    return (
        await eventually(
            lambda: client.get(f"/subscriptions/{subscription['subscription_id']}"),
            lambda found: found.json()["status"] == status,
            what=f"the subscription is {status}",
        )
    ).json()


def signature(secret, post):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@pytest.mark.road
async def test_an_alert_is_posted_signed_and_stands_in_the_log(bed, receiver, site):
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        headers = {"kind": "webhook", "url": receiver.url(), "headers": {"Authorization": "Bearer x"}}
        made = await subscribe(client, webhook(receiver.url(), site, channel=headers))
        await bed.publish(alert(site))
        await until(lambda: receiver.posts)
        log = (await delivered(client, made)).json()["items"]
        detail = (await client.get(f"/deliveries/{log[0]['delivery_id']}")).json()
        shown = (await client.get(f"/subscriptions/{made['subscription_id']}")).json()
        kept = await bed.rows("SELECT sealed FROM subscription")
    (post,) = receiver.posts

    assert post.json["type"] == "chargebus.alert.changed.v1"
    assert post.json["data"]["title"] == "Alert 1"
    assert post.json["subject"] == site
    assert post.headers["webhook-signature"] == signature(made["secret"], post)
    assert post.headers["authorization"] == "Bearer x"
    assert post.headers["host"] == f"localhost:{receiver.port}"
    assert post.id == post.json["id"] == detail["message_id"]
    assert [each["status"] for each in detail["tried"]] == [204]
    assert "secret" not in shown
    assert shown["channel"] == {"kind": "webhook", "url": receiver.url(), "header_names": ["Authorization"]}
    assert made["secret"] not in str(kept)
    assert "Bearer x" not in str(kept)


async def test_what_fails_is_tried_again_with_the_same_id_and_nothing_overtakes_it(bed, receiver, site):
    receiver.answers = [answer(500, body=b"no\r\nthanks"), answer(302, "Location: https://127.0.0.1/x"), answer(404)]
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        await bed.publish(alert(site, 1), alert(site, 2), alert(site, 1, state="resolved"))
        log = (await delivered(client, made, 3)).json()["items"]
        detail = (await client.get(f"/deliveries/{log[-1]['delivery_id']}")).json()

    assert [post.json["data"]["title"] for post in receiver.posts] == ["Alert 1"] * 4 + ["Alert 2", "Alert 1"]
    assert len({post.id for post in receiver.posts[:4]}) == 1
    assert len({post.body for post in receiver.posts[:4]}) == 1
    assert [each["status"] for each in detail["tried"]] == [500, 302, 404, 204]
    assert detail["tried"][0]["error"] == "it answered 500: no thanks"
    assert "redirects are not followed" in detail["tried"][1]["error"]
    assert all(each["next_at"] for each in detail["tried"][:3])
    assert detail["attempts"] == 4


async def test_an_alert_that_is_told_twice_is_delivered_once(bed, receiver, site):
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        await bed.publish(alert(site, 1), alert(site, 1), alert(site, 2))
        await bed.publish(alert(site, 1), alert(site, 3))
        await delivered(client, made, 3)

    assert receiver.titles == ["Alert 1", "Alert 2", "Alert 3"]
    assert len(receiver.posts) == 3


async def test_who_wants_to_know_what_is_acknowledged_is_told_of_that(bed, receiver, site):
    taken_on = {"acknowledged_at": datetime.now(UTC), "acknowledged_by": "Kim"}
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        acknowledged = await subscribe(client, webhook(receiver.url(), site, states=["acknowledged"]))
        others = await subscribe(client, webhook(receiver.url(), site, states=["open", "resolved"]))
        again = alert(site, 1, state="open", title="It is taken on", **taken_on)
        await bed.publish(alert(site, 1), again, alert(site, 1, state="resolved", **taken_on))
        told = (await delivered(client, acknowledged)).json()["items"]
        other = (await delivered(client, others, 2)).json()["items"]

    assert [each["change"] for each in told] == ["acknowledged"]
    assert [each["change"] for each in other] == ["resolved", "open"]


async def test_an_alert_has_the_labels_of_its_station_where_its_publisher_says_none(bed, receiver, site):
    now = datetime.now(UTC)
    described = public.StationDescribed(site, now, "A station", {"operator": site})
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        await bed.publish(public.event(public.STATION_DESCRIBED, f"{site}/1", "/device", now, described))
        await eventually(
            lambda: bed.rows("SELECT 1 FROM known_station WHERE station_id = $1", site), what="the station is known"
        )
        made = await subscribe(client, {**webhook(receiver.url(), site), "labels": {"operator": site}})
        await bed.publish(alert(site, 1), alert(site, 2, station_id=site), alert(site, 3, labels={"operator": site}))
        await delivered(client, made, 2)

    assert receiver.titles == ["Alert 2", "Alert 3"]


async def test_a_receiver_that_says_nothing_or_too_much_delays_no_other(bed, receiver, site, authority, monkeypatch):
    monkeypatch.setenv("NOTIFICATION_SEND_WITHIN_S", "6")
    async with (
        webhook_receiver(authority.server_context()) as silent,
        webhook_receiver(authority.server_context()) as endless,
        bed.running(sealing_keys=KEY),
        bed.client() as client,
    ):
        silent.always = lambda _post: None
        endless.always = lambda _post: answer(500, body=b"x" * 5_000_000)
        stuck = await subscribe(client, webhook(silent.url(), site))
        loud = await subscribe(client, webhook(endless.url(), site))
        made = await subscribe(client, webhook(receiver.url(), site))
        await bed.publish(*(alert(site, number) for number in range(5)))
        await delivered(client, made, 5)
        troubles = [
            await eventually(
                lambda each=each: client.get(f"/subscriptions/{each['subscription_id']}"),
                lambda found: found.json()["trouble"],
                what="it is told what is wrong",
            )
            for each in (stuck, loud)
        ]

    assert receiver.titles == [f"Alert {number}" for number in range(5)]
    assert troubles[0].json()["trouble"] == "no answer within 6 s"
    assert len(troubles[1].json()["trouble"]) < 300
    assert len({post.id for post in silent.posts}) == 1


async def test_a_receiver_that_fails_for_too_long_is_parked_and_told_and_gets_all_when_it_is_resumed(
    bed, receiver, site, authority, monkeypatch
):
    monkeypatch.setenv("NOTIFICATION_RETRY_FOR_S", "1")
    async with (
        webhook_receiver(authority.server_context()) as dead,
        bed.running(sealing_keys=KEY),
        bed.client() as client,
    ):
        dead.always = lambda _post: answer(500)
        made = await subscribe(client, webhook(dead.url(), site))
        await subscribe(client, {**webhook(receiver.url(), site), "rules": ["receiver_parked"]})
        await bed.publish(alert(site, 1), alert(site, 2))
        parked = await status_of(client, made, "parked")
        await bed.publish(alert(site, 3))
        mine = made["subscription_id"]
        told = lambda: [post.json["data"] for post in receiver.posts if post.json["subject"] == mine]  # noqa: E731
        await until(told)
        dead.always = lambda _post: answer(204)
        dead.posts.clear()
        resumed = await client.post(f"/subscriptions/{mine}/resume", json={})
        again = await client.post(f"/subscriptions/{mine}/resume", json={})
        await delivered(client, made, 3)
        await until(lambda: len(told()) == 2)
        events = [json.loads(record.value or b"") for record in await bed.read(ALERT_EVENTS, mine)]

    assert "it answered 500" in parked["reason"]
    assert dead.titles == ["Alert 1", "Alert 2", "Alert 3"]
    assert resumed.json()["status"] == "active"
    assert again.status_code == 409
    assert [each["state"] for each in told()] == ["open", "resolved"]
    assert [each["state"] for each in events] == ["open", "resolved"]
    assert len({each["alert_id"] for each in events}) == 1


async def test_a_receiver_that_is_gone_is_parked_at_once_and_what_waits_may_be_discarded(bed, receiver, site):
    receiver.answers = [answer(410)]
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        await bed.publish(alert(site, 1), alert(site, 2))
        parked = await status_of(client, made, "parked")
        await client.post(f"/subscriptions/{made['subscription_id']}/resume", json={"discard": True})
        await bed.publish(alert(site, 3))
        await delivered(client, made)
        cancelled = (await client.get("/deliveries", params={"alert_id": f"{site}/1"})).json()["items"]

    assert "410" in parked["reason"]
    assert receiver.titles == ["Alert 1", "Alert 3"]
    assert [each["state"] for each in cancelled] == ["cancelled"]


async def test_retry_after_is_obeyed(bed, receiver, site):
    receiver.answers = [answer(429, "Retry-After: 3")]
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        await bed.publish(alert(site, 1))
        (row,) = (await delivered(client, made)).json()["items"]
        tried = (await client.get(f"/deliveries/{row['delivery_id']}")).json()["tried"]

    first, second = (datetime.fromisoformat(each["at"]) for each in tried)
    assert second - first >= timedelta(seconds=3)


async def test_what_is_silenced_is_not_delivered_whoever_tells_it(bed, receiver, site):
    quiet, loud = f"{site}-Q", f"{site}-L"
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        ends_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        silence = {"station_id": quiet, "ends_at": ends_at, "reason": "it is being repaired"}
        assert (await client.post("/silences", json=silence)).status_code == 201
        await bed.publish(alert(site, 1, station_id=quiet), alert(site, 2, station_id=loud))
        rows = (await delivered(client, made)).json()["items"]

    assert [row["alert_id"] for row in rows] == [f"{site}/2"]


async def test_a_receiver_with_a_certificate_of_somebody_else_gets_nothing(bed, site, tmp_path):
    stranger = WebAuthority(tmp_path)
    async with (
        webhook_receiver(stranger.server_context()) as receiver,
        bed.running(sealing_keys=KEY),
        bed.client() as client,
    ):
        made = await subscribe(client, webhook(receiver.url(), site))
        tested = (await client.post(f"/subscriptions/{made['subscription_id']}/test")).json()

    assert tested["outcome"] == "failed"
    assert "certificate" in tested["error"].lower()
    assert receiver.posts == []


async def test_a_secret_that_is_changed_signs_beside_the_one_before(bed, receiver, site):
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        path = f"/subscriptions/{made['subscription_id']}"
        renewed = (await client.post(f"{path}/secret")).json()
        changed = (await client.put(path, json=webhook(receiver.url("/other"), site))).json()
        tested = (await client.post(f"{path}/test")).json()
    (post,) = receiver.posts

    assert tested == {"outcome": "delivered", "status": 204, "error": "", "took_ms": tested["took_ms"]}
    assert renewed["secret"] != made["secret"]
    assert changed["secret"] is None
    assert post.path == "/other"
    assert post.json["data"]["rule"] == "test"
    assert post.headers["webhook-signature"].split(" ") == [
        signature(renewed["secret"], post),
        signature(made["secret"], post),
    ]


async def test_a_digest_is_one_message_for_many(bed, receiver, site):
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site, digest={"every_minutes": 60}))
        await bed.publish(alert(site, 1), alert(site, 2, "critical"))
        path = f"/subscriptions/{made['subscription_id']}"
        waiting = await eventually(
            lambda: client.get("/deliveries", params={"subscription_id": made["subscription_id"]}),
            lambda found: len(found.json()["items"]) == 2,
            what="two wait",
        )
        assert receiver.posts == []
        await bed.rows("UPDATE delivery SET due_at = now() - interval '1 second' RETURNING 1")
        await bed.rows("UPDATE subscription SET next_at = now() - interval '1 second' RETURNING 1")
        log = (await delivered(client, made, 2)).json()["items"]
        shown = (await client.get(path)).json()
    (post,) = receiver.posts

    assert all(datetime.fromisoformat(each["due_at"]).minute == 0 for each in waiting.json()["items"])
    assert post.json["type"] == "chargebus.alert.digest.v1"
    assert [each["title"] for each in post.json["data"]["alerts"]] == ["Alert 1", "Alert 2"]
    assert {each["message_id"] for each in log} == {post.id}
    assert shown["digest"] == {"every_minutes": 60, "at": "", "time_zone": ""}


async def test_in_quiet_hours_only_what_is_critical_goes_and_without_them_the_rest(bed, receiver, site):
    now = datetime.now(UTC)
    quiet = {"starts": f"{now - timedelta(hours=1):%H:%M}", "ends": f"{now + timedelta(hours=2):%H:%M}"}
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        wanted = webhook(receiver.url(), site, quiet_hours={**quiet, "time_zone": "UTC", "critical_passes": True})
        made = await subscribe(client, wanted)
        await bed.publish(alert(site, 1), alert(site, 2, "critical"))
        await delivered(client, made)
        before = receiver.titles
        await client.put(f"/subscriptions/{made['subscription_id']}", json=webhook(receiver.url(), site))
        await delivered(client, made, 2)

    assert before == ["Alert 2"]
    assert receiver.titles == ["Alert 2", "Alert 1"]


async def test_in_quiet_hours_what_passes_takes_along_what_its_alert_told_before(bed, receiver, site):
    now = datetime.now(UTC)
    quiet = {"starts": f"{now - timedelta(hours=1):%H:%M}", "ends": f"{now + timedelta(hours=2):%H:%M}"}
    quiet |= {"time_zone": "UTC", "critical_passes": True}
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site, quiet_hours=quiet))
        other = await subscribe(client, webhook(receiver.url("/other"), site, digest={"every_minutes": 10_080}))
        await bed.publish(alert(site, 1), alert(site, 2))
        await waiting(client, made, 2)
        await bed.publish(alert(site, 1, "critical", "resolved"))
        await delivered(client, made, 2)
        assert [(post.json["data"]["alert_id"], post.json["data"]["state"]) for post in receiver.posts] == [
            (f"{site}/1", "open"),
            (f"{site}/1", "resolved"),
        ]

        # The same where what waits for a digest has quiet hours from now on.
        wanted = webhook(receiver.url("/other"), site, quiet_hours=quiet)
        await client.put(f"/subscriptions/{other['subscription_id']}", json=wanted)
        await delivered(client, other, 2)

    assert [post.json["data"]["state"] for post in receiver.posts if post.path == "/other"] == ["open", "resolved"]


async def waiting(client, subscription, count):
    listed = {"subscription_id": subscription["subscription_id"]}
    return await eventually(
        lambda: client.get("/deliveries", params=listed),
        lambda found: len(found.json()["items"]) >= count,
        what=f"{count} are known",
    )


async def test_mail_goes_over_tls_with_a_login_and_can_be_read(bed, mail_server, site, monkeypatch):
    monkeypatch.setenv("NOTIFICATION_SMTP_PORT", str(mail_server.port))
    async with bed.running(), bed.client() as client:
        made = await subscribe(client, mail(["a@example.com", "b@example.com"], site))
        title = "Lader <b>7</b> ist offline\r\nBcc: thief@example.com"
        await bed.publish(alert(site, 1, "critical", title=title, detail="since <i>noon</i>"))
        await bed.publish(alert(site, 1, "critical", "resolved", title="Lader 7 ist offline… vorbei"))
        log = (await delivered(client, made, 2)).json()["items"]
    first, second = mail_server.mails
    text, html = (first.mail.get_body((kind,)).get_content() for kind in ("plain", "html"))

    assert first.encrypted
    assert first.recipients == ["a@example.com", "b@example.com"]
    assert first.mail["Subject"] == "Critical: Lader <b>7</b> ist offline Bcc: thief@example.com"
    assert first.mail["Bcc"] is None
    assert second.mail["Subject"] == "Resolved: Lader 7 ist offline… vorbei"
    assert first.mail["From"] == "Chargebus <alerts@chargebus.example>"
    assert first.mail["Message-ID"] == f"<{log[1]['message_id']}@chargebus.example>"
    assert first.mail["Auto-Submitted"] == "auto-generated"
    assert made["subscription_id"] in first.mail["List-Id"]
    assert "since <i>noon</i>" in text
    assert "since &lt;i&gt;noon&lt;/i&gt;" in html
    assert "<b>7" not in html


async def test_who_is_refused_for_now_is_tried_again_alone_and_who_is_refused_for_good_is_told(
    bed, mail_server, site, monkeypatch
):
    monkeypatch.setenv("NOTIFICATION_SMTP_PORT", str(mail_server.port))
    mail_server.refusals = {"b@example.com": ["450 later"], "c@example.com": ["550 unknown"]}
    async with bed.running(), bed.client() as client:
        made = await subscribe(client, mail(["a@example.com", "b@example.com", "c@example.com"], site))
        await bed.publish(alert(site, 1))
        (row,) = (await delivered(client, made)).json()["items"]
        tried = (await client.get(f"/deliveries/{row['delivery_id']}")).json()["tried"]
        await bed.publish(alert(site, 2))
        log = (await delivered(client, made, 2)).json()["items"]

    a, b, c = ("a@example.com", "b@example.com", "c@example.com")
    assert [each.recipients for each in mail_server.mails] == [[a], [b], [a, b, c]]
    assert len({each.mail["Message-ID"] for each in mail_server.mails[:2]}) == 1
    assert "c@example.com: 550 unknown" in tried[0]["error"]
    assert "b@example.com: 450 later" in tried[0]["error"]
    assert [each["state"] for each in log] == ["delivered", "delivered"]


async def test_a_mail_that_nobody_takes_waits_until_somebody_changes_the_addresses(bed, mail_server, site, monkeypatch):
    monkeypatch.setenv("NOTIFICATION_SMTP_PORT", str(mail_server.port))
    mail_server.refusals = {"gone@example.com": ["550 unknown"]}
    async with bed.running(), bed.client() as client:
        made = await subscribe(client, mail(["gone@example.com"], site))
        await bed.publish(alert(site, 1))
        parked = await status_of(client, made, "parked")
        path = f"/subscriptions/{made['subscription_id']}"
        await client.put(path, json=mail(["here@example.com"], site))
        await client.post(f"{path}/resume", json={})
        await delivered(client, made)

    assert "gone@example.com: 550 unknown" in parked["reason"]
    assert [each.recipients for each in mail_server.mails] == [["here@example.com"]]


async def test_a_mail_server_that_breaks_off_or_is_busy_is_tried_again(bed, mail_server, site, monkeypatch):
    monkeypatch.setenv("NOTIFICATION_SMTP_PORT", str(mail_server.port))
    mail_server.drop = 1
    mail_server.data = ["451 busy"]
    async with bed.running(), bed.client() as client:
        made = await subscribe(client, mail(["a@example.com"], site))
        await bed.publish(alert(site, 1))
        (row,) = (await delivered(client, made)).json()["items"]
        tried = (await client.get(f"/deliveries/{row['delivery_id']}")).json()["tried"]

    assert [each["outcome"] for each in tried] == ["failed", "failed", "delivered"]
    assert tried[1]["error"] == "451 busy"
    assert len(mail_server.mails) == 1


async def test_mail_goes_over_tls_from_the_first_byte_where_it_is_set_so(bed, authority, site, monkeypatch):
    async with mail_receiver(authority.server_context(), at_once=True) as server:
        monkeypatch.setenv("NOTIFICATION_SMTP_PORT", str(server.port))
        monkeypatch.setenv("NOTIFICATION_SMTP_TLS", "tls")
        monkeypatch.setenv("NOTIFICATION_SMTP_USERNAME", "")
        async with bed.running(), bed.client() as client:
            made = await subscribe(client, mail(["a@example.com"], site))
            tested = (await client.post(f"/subscriptions/{made['subscription_id']}/test")).json()

    assert tested["outcome"] == "delivered"
    assert server.mails[0].mail["Subject"] == "Info: A test of the subscription a test"


async def test_two_copies_deliver_each_alert_once_and_in_order(bed, receiver, site, authority):
    async with (
        webhook_receiver(authority.server_context()) as other,
        bed.running(sealing_keys=KEY),
        bed.running(sealing_keys=KEY, http_port=free_port()),
        bed.client() as client,
    ):
        first = await subscribe(client, webhook(receiver.url(), site))
        second = await subscribe(client, webhook(other.url(), site))
        for number in range(0, 40, 10):
            await bed.publish(*(alert(site, number + each) for each in range(10)))
        await delivered(client, first, 40)
        await delivered(client, second, 40)

    expected = [f"Alert {number}" for number in range(40)]
    assert [post.json["data"]["title"] for post in receiver.posts] == expected
    assert [post.json["data"]["title"] for post in other.posts] == expected


COPY = """
import asyncio, sys
from chargebus_notification.main import build
from chargebus_runtime.settings import RuntimeSettings
from chargebus_testkit.bed import ProcessUnderTest


async def main():
    await ProcessUnderTest(RuntimeSettings(), sys.argv[1]).start([build])
    await asyncio.Event().wait()


asyncio.run(main())
"""


async def test_what_a_killed_copy_was_sending_another_sends_again_with_the_same_id_and_in_order(
    bed, receiver, site, monkeypatch
):
    monkeypatch.setenv("NOTIFICATION_SEND_WITHIN_S", "6")
    monkeypatch.setenv("NOTIFICATION_SENDERS", "0")
    receiver.answers = [answer(204), answer(204), None]
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        await bed.publish(*(alert(site, number) for number in range(5)))
        await eventually(
            lambda: client.get("/deliveries", params={"subscription_id": made["subscription_id"], "state": "waiting"}),
            lambda found: len(found.json()["items"]) == 5,
            what="five wait",
        )
    monkeypatch.setenv("NOTIFICATION_SENDERS", "4")
    copy = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COPY, bed.name),
        env={
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": bed.settings.kafka_bootstrap_servers,
            "DATABASE_URL": bed.settings.database_url,
            "HTTP_PORT": str(free_port()),
            "SEALING_KEYS": KEY.get_secret_value(),
        },
    )
    try:
        await until(lambda: len(receiver.posts) >= 3, what="the third message is under way")
    finally:
        copy.kill()
        await copy.wait()
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        await delivered(client, made, 5)
    sent = [post.json["data"]["title"] for post in receiver.posts]

    assert receiver.titles == [f"Alert {number}" for number in range(5)]
    assert sent == sorted(sent)
    assert sent.count("Alert 2") >= 2
    assert len({post.id for post in receiver.posts}) == 5


MAILED = {"kind": "mail", "addresses": ["a@example.com"]}
REFUSED = [
    ({"kind": "webhook", "url": "https://10.0.0.1/"}, {}, "body.channel.url", "private"),
    ({"kind": "webhook", "url": "https://169.254.169.254/latest"}, {}, "body.channel.url", "link-local"),
    ({"kind": "webhook", "url": "http://example.com/"}, {}, "body.channel.url", "https"),
    ({"kind": "webhook", "url": "https://2130706433/"}, {}, "body.channel.url", "IPv4"),
    ({"kind": "mail", "addresses": []}, {}, "body.channel.mail.addresses", "at least 1"),
    ({"kind": "mail", "addresses": ["nobody"]}, {}, "body.channel.addresses.0", "@"),
    (MAILED, {"quiet_hours": {"starts": "22:00", "ends": "07:00"}}, "body.quiet_hours.time_zone", "required"),
    (MAILED, {"digest": {"at": "08:00", "time_zone": "Mars/Olympus"}}, "body.digest.time_zone", "Mars/Olympus"),
    (MAILED, {"severity": "fatal"}, "body.severity", "critical"),
]


async def test_bad_input_is_refused_where_it_stands(bed):
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        problems = []
        for channel, more, _, _ in REFUSED:
            answered = await client.post("/subscriptions", json={"name": "n", "channel": channel, **more})
            assert answered.status_code == 422
            problems.append(answered.json()["errors"])

    assert [[each["field"] for each in errors] for errors in problems] == [[field] for *_, field, _ in REFUSED]
    assert [what in errors[0]["error"] for errors, (*_, what) in zip(problems, REFUSED, strict=True)] == [True] * len(
        REFUSED
    )


async def test_without_a_key_there_are_no_webhooks_and_it_is_said_why(bed, receiver, site):
    async with bed.running(sealing_keys=SecretStr("")), bed.client() as client:
        refused = await client.post("/subscriptions", json=webhook(receiver.url(), site))

    assert refused.status_code == 422
    assert "SEALING_KEYS" in refused.json()["errors"][0]["error"]


async def test_with_another_key_the_message_waits_and_with_both_it_goes_and_the_old_one_may_go(bed, receiver, site):
    other = generate_key()
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
    async with bed.running(sealing_keys=SecretStr(other)), bed.client() as client:
        tested = (await client.post(f"/subscriptions/{made['subscription_id']}/test")).json()
        changed = await client.post(f"/subscriptions/{made['subscription_id']}/secret")
    async with bed.running(sealing_keys=SecretStr(f"{other},{KEY.get_secret_value()}")):
        await eventually(
            lambda: bed.rows("SELECT sealed FROM subscription"),
            lambda rows: not rows[0][0].startswith(name_of(KEY)),
            what="it is sealed anew",
        )
    async with bed.running(sealing_keys=SecretStr(other)), bed.client() as client:
        again = (await client.post(f"/subscriptions/{made['subscription_id']}/test")).json()

    assert tested["outcome"] == "failed"
    assert "SEALING_KEYS" in tested["error"]
    assert changed.status_code == 409
    assert again["outcome"] == "delivered"


def name_of(key):
    return Sealing.of(key.get_secret_value()).seal(b"", "", datetime.now(UTC)).partition(".")[0]


async def test_subscriptions_are_listed_page_by_page_and_removed(bed, site):
    async with bed.running(), bed.client() as client:
        made = [await subscribe(client, mail([f"{number}@example.com"], site)) for number in range(3)]
        await bed.publish(alert(site, 1))
        first = (await client.get("/subscriptions", params={"limit": 2})).json()
        rest = (await client.get("/subscriptions", params={"limit": 2, "cursor": first["next"]})).json()
        path = f"/subscriptions/{made[0]['subscription_id']}"
        await eventually(
            lambda: client.get("/deliveries", params={"alert_id": f"{site}/1"}),
            lambda found: len(found.json()["items"]) == 3,
            what="three wait",
        )
        removed = await client.delete(path)
        cancelled = (await client.get("/deliveries", params={"subscription_id": made[0]["subscription_id"]})).json()

        assert (await client.get(path)).status_code == 404
        assert (await client.delete(path)).status_code == 404
        assert (await client.post(f"/subscriptions/{made[1]['subscription_id']}/secret")).status_code == 409
    listed = [each["subscription_id"] for each in (*first["items"], *rest["items"])]

    assert listed == sorted(each["subscription_id"] for each in made)
    assert rest["next"] is None
    assert removed.status_code == 204
    assert [each["state"] for each in cancelled["items"]] == ["cancelled"]


async def test_the_log_reaches_back_as_far_as_it_is_set_and_what_waits_for_so_long_expires(
    bed, receiver, site, monkeypatch
):
    monkeypatch.setenv("NOTIFICATION_FORGET_EVERY_S", "0.1")
    async with bed.running(sealing_keys=KEY), bed.client() as client:
        made = await subscribe(client, webhook(receiver.url(), site))
        late = await subscribe(client, webhook(receiver.url(), site, digest={"every_minutes": 10_000}))
        await bed.publish(alert(site, 1))
        await delivered(client, made)
        long_ago = "now() - interval '40 days'"
        await bed.rows(f"UPDATE delivery SET received_at = {long_ago}, ended_at = {long_ago} RETURNING 1")
        await eventually(
            lambda: client.get("/deliveries", params={"alert_id": f"{site}/1"}),
            lambda found: [each["state"] for each in found.json()["items"]] == ["expired"],
            what="what was delivered is forgotten, and what waited expires",
        )
        (expired,) = (await client.get("/deliveries", params={"subscription_id": late["subscription_id"]})).json()[
            "items"
        ]

    assert "longer than deliveries are kept" in expired["error"]


async def test_that_a_limit_is_disobeyed_is_told_once_as_the_rule_has_it(bed, receiver, station_id):
    now = datetime.now(UTC)
    told_id = f"{station_id}/2/limit_disobeyed"

    def told(state, minutes):
        at = now + timedelta(minutes=minutes)
        body = public.Alert(
            told_id, station_id, "limit_disobeyed", state, "warning", at, "Too much", "16 A", "depot", station_id, 2
        )
        return public.event(public.ALERT_CHANGED, f"{station_id}/{state}/{minutes}", "/smart_charging", at, body)

    async def listed(client, state):
        return (await client.get("/alerts", params={"station_id": station_id, "state": state})).json()["items"]

    rule = {"kind": "limit_disobeyed", "severity": "critical", "parameters": {"minutes": 1}, "resolve_after_s": 0}
    async with bed.running() as process, bed.client() as client:
        assert (await client.put("/alert-rules/limit_disobeyed", json=rule)).status_code == 200
        await subscribe(client, webhook(receiver.url(), "limit_disobeyed"))
        await process.producer.publish([told("open", -5)])
        (opened,) = await eventually(lambda: listed(client, "open"), bool, what="it is open")
        await process.producer.publish([told("resolved", -4)])
        (resolved,) = await eventually(lambda: listed(client, "resolved"), bool, what="it is over")
        await until(lambda: len([post for post in receiver.posts if post.json["subject"] == station_id]) == 2)
        events = [json.loads(record.value or b"") for record in await bed.read(ALERT_EVENTS, station_id)]

    assert (opened["source"], opened["severity"], opened["evse_id"], opened["site_id"], opened["detail"]) == (
        "notification",
        "critical",
        2,
        "depot",
        "16 A",
    )
    assert resolved["alert_id"] == opened["alert_id"]
    posts = [post.json["data"] for post in receiver.posts if post.json["subject"] == station_id]
    assert [(each["state"], each["severity"]) for each in posts] == [("open", "critical"), ("resolved", "critical")]
    assert {each["alert_id"] for each in events} == {told_id}

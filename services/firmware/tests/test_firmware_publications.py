"""A publication: what a local controller says moves it forwards only; in the process, over HTTP, and by time."""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import httpx
import msgspec
import pytest
from chargebus_events.commands import CommandOutcome
from chargebus_events.frames import Frame
from chargebus_events.topics import COMMANDS, FIRMWARE_EVENTS, frames_topic
from chargebus_firmware.links.domain.ends import done_with
from chargebus_firmware.main import build
from chargebus_firmware.names import SERVICE
from chargebus_firmware.publications import domain
from chargebus_firmware.publications.domain import Publication
from chargebus_ocppj.schemas import validate_call
from chargebus_testkit.asked import asked as sent_to
from chargebus_testkit.waiting import eventually
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MD5 = "0123456789abcdef0123456789abcdef"
URL = "https://files.example.com/two.bin"
ASKED = domain.asked(Publication(UUID(int=1), "LC-1", 7, URL, MD5, NOW), NOW)
ROAD = ["DownloadScheduled", "Downloading", "Downloaded", "ChecksumVerified"]
SILENT_S = 4 * 3600.0
LAST = ["unpublishing", "unpublished"]


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def told(publication, *statuses):
    for minute, status in enumerate(statuses, 1):
        publication = domain.told(publication, status, ("http://lc/two",) if status == "Published" else (), at(minute))
    return publication


@given(st.permutations(ROAD), st.integers(0, len(ROAD)), st.lists(st.sampled_from([*ROAD, "Idle"]), max_size=4))
def test_whatever_is_said_in_whatever_order_published_is_published(statuses, lost, again):
    published = told(ASKED, *statuses[lost:], *again, "Published", *again)

    assert (published.state, published.locations) == ("published", ("http://lc/two",))
    assert not published.is_under_way


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("DownloadFailed", "download_failed"),
        ("InvalidChecksum", "invalid_checksum"),
        ("PublishFailed", "publish_failed"),
    ],
)
def test_what_the_controller_says_to_have_failed_has_failed_until_it_publishes(status, reason):
    failed = told(ASKED, "Downloading", status)

    assert (failed.state, failed.reason) == ("failed", reason)
    assert told(failed, "Downloading").state == "failed"
    assert told(failed, "Published").state == "published"
    assert told(told(ASKED, "Published"), status).state == "published"


def test_answers_that_are_no_yes():
    assert domain.answered(ASKED, "Rejected", at(0), "why").reason == "rejected"
    assert domain.not_answered(ASKED, "refused", "NotSupported", at(0), "").reason == "not_supported"
    assert domain.not_answered(ASKED, "refused", "InternalError", at(0), "").reason == "refused"
    assert domain.not_answered(ASKED, "expired", "", at(0), "").reason == "not_reached"
    assert domain.not_answered(ASKED, "timed_out", "", at(0), "").state == "requested"
    assert domain.answered(told(ASKED, "Downloading"), "Accepted", at(2), "").state == "downloading"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("Unpublished", "unpublished"),
        ("NoFirmware", "unpublished"),
        ("DownloadOngoing", "published"),
        ("", "published"),
    ],
)
def test_a_file_is_there_until_the_controller_says_that_it_is_not(answer, state):
    asked = domain.to_unpublish(told(ASKED, "Published"), at(9))

    assert domain.unpublish_answered(asked, answer, at(10), "").state == state


def test_a_controller_that_is_silent_is_asked_how_it_is_and_then_given_up():
    publication = told(ASKED, "Downloading")

    assert domain.look_at(publication, SILENT_S) == at(121)
    assert domain.is_to_ask(publication, at(121), SILENT_S)
    probed = domain.probed(publication, at(121))
    assert domain.look_at(probed, SILENT_S) == at(241)
    assert domain.after(probed, at(240), SILENT_S).state == "downloading"
    assert domain.after(probed, at(241), SILENT_S).reason == "silent"


def test_links_end_once_the_file_is_there_and_not_again_as_it_is_taken_away():
    asked = msgspec.structs.replace(ASKED, image_id="i-1")
    published, failed = told(asked, "Published"), told(asked, "DownloadFailed")
    unpublishing = domain.to_unpublish(published, at(9))
    unpublished = domain.unpublish_answered(unpublishing, "Unpublished", at(10), "")

    assert done_with([(asked, published)]) == {("LC-1", "i-1")}
    assert done_with([(failed, told(failed, "Published"))]) == {("LC-1", "i-1")}
    assert done_with([(asked, told(asked, "Downloading")), (asked, failed)]) == set()
    assert done_with([(published, unpublishing), (unpublishing, unpublished), (published, published)]) == set()
    assert done_with([(ASKED, told(ASKED, "Published"))]) == set()


async def test_a_controller_publishes_and_takes_back_over_http(make_bed, station_id, booted, connected):
    bed, numbers = make_bed(build), count(1)

    async def asked(intent):
        sent = [json.loads(record.value) for record in await bed.read(COMMANDS, station_id)]
        return [each for each in sent if each["intent"] == intent]

    async def answers(intent, payload):
        (command,) = await eventually(lambda: asked(intent), what=f"it is asked to {intent}")
        now, form = datetime.now(UTC), command["forms"][0]
        validate_call("2.1", form["action"], json.dumps(form["payload"]).encode())
        raw = msgspec.Raw(json.dumps(payload).encode())
        outcome = CommandOutcome(
            command["command_id"],
            station_id,
            SERVICE,
            "answered",
            now,
            now,
            intent,
            command["subject"],
            form["action"],
            "2.1",
            raw,
        )
        await bed.publish(outcome.record())
        return form["payload"]

    async def says(payload):
        number, body = next(numbers), json.dumps(payload).encode()
        validate_call("2.1", "PublishFirmwareStatusNotification", body)
        at = datetime.now(UTC)
        frame = Frame(station_id, "2.1", "PublishFirmwareStatusNotification", f"m{number}", 0, 7, number, body, at)
        await bed.publish(frame.record(frames_topic("firmware")))

    async with bed.running(), bed.client() as client:

        async def shows(state):
            return await eventually(
                lambda: client.get(f"/firmware/publications/{begun['publication_id']}"),
                lambda answer: answer.json()["state"] == state,
                what=f"it is {state}",
            )

        wanted, key = {"station_id": station_id, "url": URL, "checksum": MD5}, {"Idempotency-Key": station_id}
        assert (await client.post("/firmware/publications", json=wanted)).status_code == 404
        await bed.publish(connected(station_id, 7, "2.1"), booted(station_id, "1.0.0", "2.1"))
        await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: answer.status_code == 200,
            what="the controller is known",
        )
        begun = (await client.post("/firmware/publications", json=wanted, headers=key)).json()
        assert (await client.post("/firmware/publications", json=wanted)).status_code == 409
        early = await client.post(f"/firmware/publications/{begun['publication_id']}/unpublish")
        payload = await answers("publish", {"status": "Accepted"})
        await shows("accepted")
        await says({"status": "Downloading", "requestId": begun["request_id"]})
        await says({"status": "PublishFailed", "requestId": begun["request_id"] + 1})
        await says({"status": "Published", "requestId": begun["request_id"], "location": ["http://lc/two"]})
        published = (await shows("published")).json()
        once = await client.post("/firmware/publications", json=wanted, headers=key)
        other = await client.post("/firmware/publications", json=wanted | {"retries": 1}, headers=key)
        again = await client.post("/firmware/publications", json=wanted)
        await client.post(f"/firmware/publications/{begun['publication_id']}/unpublish")
        taken = await answers("unpublish", {"status": "Unpublished"})
        await shows("unpublished")
        listed = (await client.get("/firmware/publications", params={"station_id": station_id})).json()["items"]
        told = [json.loads(record.value) for record in await bed.read(FIRMWARE_EVENTS, station_id)]

    assert payload == {"location": URL, "checksum": MD5, "requestId": begun["request_id"]}
    assert taken == {"checksum": MD5}
    assert (early.status_code, early.json()["title"]) == (409, "it is not published")
    assert (once.status_code, once.json()["publication_id"]) == (200, begun["publication_id"])
    assert (other.status_code, "Idempotency-Key" in other.json()["detail"]) == (422, True)
    assert [each["state"] for each in told] == ["requested", "accepted", "downloading", "published", *LAST]
    assert (told[3]["locations"], told[3]["checksum"]) == (["http://lc/two"], MD5)
    assert "has this file already" in again.json()["detail"]
    assert published["locations"] == ["http://lc/two"]
    assert [step["what"] for step in published["history"]] == ["asked", "answered Accepted", "Downloading", "Published"]
    assert [each["publication_id"] for each in listed] == [begun["publication_id"]]


@pytest.fixture
def folder(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("OBJECTS_URL", str(tmp_path))


async def test_an_image_that_is_kept_here_is_published_by_a_link_of_the_controllers_own(
    make_bed, station_id, booted, connected, folder
):
    bed, content = make_bed(build), os.urandom(100_000)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()

    async def says(number, **payload):
        body, at = json.dumps(payload).encode(), datetime.now(UTC)
        frame = Frame(station_id, "2.1", "PublishFirmwareStatusNotification", f"m{number}", 0, 7, number, body, at)
        await bed.publish(frame.record(frames_topic("firmware")))

    async with bed.running(), bed.client() as client, httpx.AsyncClient(timeout=60) as controller:
        await bed.publish(connected(station_id, 7, "2.1"), booted(station_id, "1.0.0", "2.1"))
        await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: answer.status_code == 200,
            what="the controller is known",
        )
        image = (
            await client.post("/firmware/images", json={"name": "two", "version": "2.0.0", "vendor": "Acme"})
        ).json()
        wanted = {"station_id": station_id, "image_id": image["image_id"]}
        empty = await client.post("/firmware/publications", json=wanted)
        await client.put(f"/firmware/images/{image['image_id']}/content", content=content)
        differs = await client.post("/firmware/publications", json=wanted | {"checksum": MD5})
        no_ftp = await client.post("/firmware/publications", json=wanted | {"over": "ftp"})
        both = await client.post("/firmware/publications", json=wanted | {"url": URL, "checksum": MD5})
        begun = await client.post("/firmware/publications", json=wanted)
        [sent] = await eventually(lambda: bed.read(COMMANDS, station_id), len, what="it is asked")
        payload = json.loads(bytes(sent_to(sent.value).forms[0].payload))
        fetched = await controller.get(payload["location"])
        used = await client.delete(f"/firmware/images/{image['image_id']}")
        await says(1, status="Published", requestId=begun.json()["request_id"], location=["http://lc/two"])
        over = await eventually(
            lambda: controller.get(payload["location"]), lambda answer: answer.status_code != 200, what="it is done"
        )

    assert (empty.status_code, differs.status_code, no_ftp.status_code, both.status_code) == (404, 422, 422, 422)
    assert (md5 in differs.json()["detail"], "FIRMWARE_FTP_PORT" in no_ftp.json()["detail"]) == (True, True)
    assert (begun.status_code, begun.json()["url"], begun.json()["version"]) == (201, None, "2.0.0")
    assert (payload["checksum"], begun.json()["checksum"]) == (md5, md5)
    assert fetched.content == content
    assert (used.status_code, station_id in used.json()["detail"]) == (409, True)
    assert over.status_code == 410

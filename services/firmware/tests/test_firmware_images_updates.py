"""An image on its road to a station: uploaded, wanted by an update, fetched by a link of the station's own."""

import asyncio
import ftplib
import hashlib
import io
import json
import os
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from chargebus_embedded import free_port
from chargebus_events.commands import CommandOutcome
from chargebus_events.topics import COMMANDS
from chargebus_firmware.main import build
from chargebus_firmware.names import SERVICE
from chargebus_firmware.stations.routes import PROTOCOLS
from chargebus_testkit.asked import asked
from chargebus_testkit.waiting import eventually
from pydantic import SecretStr

DESCRIBED = {"name": "two.bin", "version": "2.0.0", "vendor": "Acme", "models": ["One"], "from_versions": ["1.0.0"]}


@pytest.fixture
def folder(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("OBJECTS_URL", str(tmp_path))


@pytest.fixture
def ftp_port(folder, monkeypatch) -> int:
    monkeypatch.setenv("FIRMWARE_FTP_PORT", str(port := free_port()))
    return port


async def test_a_station_is_sent_to_a_link_by_which_it_fetches_the_image_that_fits(
    make_bed, station_id, booted, connected, folder
):
    bed, content = make_bed(build), os.urandom(5_000_000)
    async with bed.running(), bed.client("operator") as client:
        await bed.publish(connected(station_id, 7), booted(station_id, "1.0.0"))
        await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: answer.status_code == 200 and answer.json()["online"] and answer.json()["firmware_version"],
            what="the station is known",
        )
        image_id = (await client.post("/firmware/images", json=DESCRIBED)).json()["image_id"]
        other_id = (await client.post("/firmware/images", json={**DESCRIBED, "models": ["Two"]})).json()["image_id"]
        empty = await client.post("/firmware/updates", json={"station_id": station_id, "image_id": image_id})
        for each in (image_id, other_id):
            assert (await client.put(f"/firmware/images/{each}/content", content=content)).status_code == 200
        unfit = await client.post("/firmware/updates", json={"station_id": station_id, "image_id": other_id})
        begun = await client.post("/firmware/updates", json={"station_id": station_id, "image_id": image_id})
        [sent] = await eventually(lambda: bed.read(COMMANDS, station_id), len, what="the station is asked")
        forms = [json.loads(bytes(form.payload)) for form in asked(sent.value).forms]
        [location] = {form.get("location") or form["firmware"]["location"] for form in forms}
        async with httpx.AsyncClient(timeout=60) as station:
            fetched = await station.get(location, headers={"Range": "bytes=1000-"})
            used = await client.delete(f"/firmware/images/{image_id}")
            await bed.publish(booted(station_id, "2.0.0"))
            over = await eventually(
                lambda: station.get(location), lambda answer: answer.status_code != 200, what="the update is over"
            )
        unused = await client.delete(f"/firmware/images/{other_id}")

    assert empty.status_code == 404, empty.text
    assert (unfit.status_code, "models One" in unfit.text or "models Two" in unfit.text) == (422, True), unfit.text
    assert begun.status_code == 201
    assert location.endswith("/two.bin")
    assert (fetched.status_code, fetched.content) == (206, content[1000:])
    assert (used.status_code, station_id in used.json()["detail"]) == (409, True)
    assert unused.status_code == 204
    assert over.status_code == 410


@pytest.fixture
def s3(object_storage, monkeypatch) -> None:
    for name, value in object_storage.settings.items():
        monkeypatch.setenv(name, value)


async def test_in_s3_an_image_is_kept_that_came_in_pieces_and_is_fetched_in_ranges(
    make_bed, station_id, booted, connected, s3
):
    bed, content, tus = make_bed(build), os.urandom(11_000_000), {"Tus-Resumable": "1.0.0"}
    half = 6_000_000
    async with bed.running(), bed.client("operator") as client, httpx.AsyncClient(timeout=60) as station:
        await bed.publish(connected(station_id, 7), booted(station_id, "1.0.0"))
        image_id = (await client.post("/firmware/images", json=DESCRIBED)).json()["image_id"]
        begun = await client.post(
            f"/firmware/images/{image_id}/uploads", headers={**tus, "Upload-Length": str(len(content))}
        )
        upload = begun.headers["Location"].removeprefix("/v1")
        for start, end in ((0, half), (half, len(content))):
            patch = {**tus, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
            told = await client.patch(upload, content=content[start:end], headers=patch, timeout=120)
            assert (told.status_code, told.headers["Upload-Offset"]) == (204, str(end)), told.text
        image = (await client.get(f"/firmware/images/{image_id}")).json()
        asked_for = await eventually(
            lambda: client.post("/firmware/updates", json={"station_id": station_id, "image_id": image_id}),
            lambda answer: answer.status_code == 201,
            what="the station is known, and has the update",
        )
        [sent] = await eventually(lambda: bed.read(COMMANDS, station_id), len, what="the station is asked")
        location = json.loads(bytes(asked(sent.value).forms[0].payload))["location"]
        first = await station.get(location, headers={"Range": f"bytes=0-{half - 1}"})
        rest = await station.get(location, headers={"Range": f"bytes={half}-", "If-Range": first.headers["ETag"]})

    assert asked_for.json()["state"] == "requested"
    assert (image["state"], image["sha256"]) == ("ready", hashlib.sha256(content).hexdigest())
    assert image["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == content


async def test_a_station_that_knows_ftp_alone_is_sent_to_its_link_over_that(
    make_bed, station_id, booted, connected, ftp_port
):
    bed, content = make_bed(build), os.urandom(100_000)
    async with bed.running(), bed.client("operator") as client:
        await bed.publish(connected(station_id, 7), booted(station_id, "1.0.0"))
        image_id = (await client.post("/firmware/images", json=DESCRIBED)).json()["image_id"]
        assert (await client.put(f"/firmware/images/{image_id}/content", content=content)).status_code == 200
        await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: answer.status_code == 200 and answer.json()["online"] and answer.json()["firmware_version"],
            what="the station is known",
        )
        wanted = {"station_id": station_id, "image_id": image_id}
        no_sftp = await client.post("/firmware/updates", json={**wanted, "over": "sftp"})
        begun = await client.post("/firmware/updates", json={**wanted, "over": "ftp"})
        [sent] = await eventually(lambda: bed.read(COMMANDS, station_id), len, what="the station is asked")
        location = urlsplit(json.loads(bytes(asked(sent.value).forms[0].payload))["location"])
        fetched = await asyncio.to_thread(fetch, location)

    assert (no_sftp.status_code, "FIRMWARE_SFTP_PORT" in no_sftp.json()["detail"]) == (422, True)
    assert (begun.status_code, location.scheme, location.port) == (201, "ftp", ftp_port)
    assert fetched == content


async def test_a_station_is_asked_once_what_it_knows_where_there_is_a_choice(
    make_bed, station_id, booted, connected, ftp_port
):
    bed, other_id, silent_id = make_bed(build), f"{station_id}-b", f"{station_id}-c"

    async def commands(each, intent):
        sent = [json.loads(record.value) for record in await bed.read(COMMANDS, each)]
        return [command for command in sent if command["intent"] == intent]

    async def location(each, intent):
        records = await bed.read(COMMANDS, each)
        [sent] = [record for record in records if json.loads(record.value)["intent"] == intent]
        return urlsplit(json.loads(bytes(asked(sent.value).forms[0].payload))["location"])

    async def answers(each, outcome, payload=None, error=""):
        [command] = await eventually(lambda: commands(each, PROTOCOLS), what="it is asked what it knows")
        now, raw = datetime.now(UTC), None if payload is None else msgspec.Raw(json.dumps(payload).encode())
        told = (command["command_id"], each, SERVICE, outcome, now, now, PROTOCOLS, command.get("subject", ""))
        await bed.publish(CommandOutcome(*told, "GetConfiguration", "1.6", raw, error).record())
        return command["forms"][0]

    async with bed.running(), bed.client("operator") as client:

        async def is_there(each, *, online):
            shown = await eventually(
                lambda: client.get(f"/firmware/stations/{each}"),
                lambda answer: answer.status_code == 200 and answer.json()["online"] is online,
                what="it is known whether the station is there",
            )
            return shown.json()

        image_id = (await client.post("/firmware/images", json=DESCRIBED)).json()["image_id"]
        assert (await client.put(f"/firmware/images/{image_id}/content", content=b"x")).status_code == 200
        for each in (station_id, other_id):
            await bed.publish(connected(each, 7), booted(each, "1.0.0"))
            begun = await eventually(
                lambda wanted={"station_id": each, "image_id": image_id}: client.post("/firmware/updates", json=wanted),
                lambda answer: answer.status_code == 201,
                what="the station is known, and has an update",
            )
            assert begun.json()["state"] == "waiting"
        protocols = {"key": "SupportedFileTransferProtocols", "readonly": True, "value": "FTP, SFTP"}
        form = await answers(station_id, "answered", {"configurationKey": [protocols]})
        await answers(other_id, "refused", error="NotImplemented")
        for each in (station_id, other_id):
            await eventually(lambda each=each: commands(each, "update"), what="it is asked to update")
        log = await client.post(f"/stations/{station_id}/logs", json={"kind": "diagnostics"})
        await eventually(lambda: commands(station_id, "log"), what="it is asked for its log")
        schemes = [(await location(*each)).scheme for each in ((station_id, "update"), (other_id, "update"))]
        sent_to = await location(station_id, "log")
        shown = (await client.get(f"/firmware/stations/{station_id}")).json()
        once = await commands(station_id, PROTOCOLS)
        await bed.publish(connected(silent_id, 7), booted(silent_id, "1.0.0"))
        await is_there(silent_id, online=True)
        asking = asyncio.create_task(client.post(f"/stations/{silent_id}/logs", json={"kind": "diagnostics"}))
        await answers(silent_id, "timed_out")
        unsaid = await asking
        silent = await is_there(silent_id, online=True)
        await bed.publish(connected(silent_id, 7, online=False))
        await is_there(silent_id, online=False)
        away = await client.post(f"/stations/{silent_id}/logs", json={"kind": "diagnostics"})
        asked_while_there = await commands(silent_id, PROTOCOLS)

    assert form["payload"] == {"key": ["SupportedFileTransferProtocols"]}
    assert schemes == ["ftp", "http"]
    assert (log.json()["over"], sent_to.scheme, sent_to.port) == ("ftp", "ftp", ftp_port)
    assert shown["file_transfer_protocols"] == ["FTP", "SFTP"]
    assert len(once) == 1
    assert (unsaid.json()["over"], away.json()["over"]) == ("http", "http")
    assert silent["file_transfer_protocols"] is None
    assert len(asked_while_there) == 1


async def test_without_a_key_no_link_to_an_image_is_given_away(make_bed, station_id, booted, connected, folder):
    bed = make_bed(build)
    async with bed.running(sealing_keys=SecretStr("")), bed.client("operator") as client:
        await bed.publish(connected(station_id, 7), booted(station_id, "1.0.0"))
        image_id = (await client.post("/firmware/images", json=DESCRIBED)).json()["image_id"]
        assert (await client.put(f"/firmware/images/{image_id}/content", content=b"x")).status_code == 200
        refused = await eventually(
            lambda: client.post("/firmware/updates", json={"station_id": station_id, "image_id": image_id}),
            lambda answer: answer.status_code != 404,
            what="the station is known",
        )
        campaign = {"name": "all", "image_id": image_id, "selector": {"vendor": "Acme"}}
        none = await client.post("/firmware/campaigns", json=campaign)

    assert (refused.status_code, "SEALING_KEYS" in refused.json()["detail"]) == (422, True)
    assert (none.status_code, [each["field"] for each in none.json()["errors"]]) == (422, ["body.rules.over"])


async def test_what_cannot_be_asked_without_a_key_any_more_fails_by_itself(
    make_bed, station_id, booted, connected, folder
):
    bed, other_id, secret = make_bed(build), f"{station_id}-b", "https://user:word@files.example.com/two.bin"
    elsewhere = {"station_id": other_id, "url": secret, "version": "2.0.0"}

    async def known(client, each, *, online):
        await eventually(
            lambda: client.get(f"/firmware/stations/{each}"),
            lambda answer: answer.status_code == 200 and answer.json()["online"] == online,
            what="the station is known",
        )

    async with bed.running(), bed.client("operator") as client:
        for each in (station_id, other_id):
            await bed.publish(connected(each, 7, online=False), booted(each, "1.0.0"))
            await known(client, each, online=False)
        image_id = (await client.post("/firmware/images", json=DESCRIBED)).json()["image_id"]
        assert (await client.put(f"/firmware/images/{image_id}/content", content=b"x")).status_code == 200
        ours = {"station_id": station_id, "image_id": image_id}
        begun = [await client.post("/firmware/updates", json=wanted) for wanted in (ours, elsewhere)]
    async with bed.running(sealing_keys=SecretStr("")), bed.client("operator") as client:
        await bed.publish(connected(station_id, 8), connected(other_id, 8))
        failed = [
            await eventually(
                lambda path=answer.headers["Location"]: client.get(path.removeprefix("/v1")),
                lambda answer: answer.json()["state"] == "failed",
                what="it has failed",
            )
            for answer in begun
        ]
        refused = await client.post("/firmware/updates", json=elsewhere)
        publication = {"station_id": other_id, "url": secret, "checksum": "0" * 32}
        unpublished = await client.post("/firmware/publications", json=publication)
        ((count,),) = await bed.rows("SELECT count(*) FROM firmware_update")

    assert [answer.json()["state"] for answer in begun] == ["waiting", "waiting"]
    for answer in failed:
        assert (answer.json()["reason"], "SEALING_KEYS" in answer.json()["detail"]) == ("not_served", True)
    for answer in (refused, unpublished):
        assert (answer.status_code, "SEALING_KEYS" in answer.json()["detail"]) == (422, True), answer.text
    assert count == 2


def fetch(location) -> bytes:
    taken = io.BytesIO()
    with ftplib.FTP(timeout=30) as ftp:
        ftp.connect(location.hostname, location.port)
        ftp.login(location.username, "any")
        ftp.retrbinary(f"RETR {location.path}", taken.write)
    return taken.getvalue()

"""Logs, in a whole process: asked for, told of, uploaded over HTTP, FTP and SFTP, shown, and gone in the end."""

import asyncio
import ftplib
import gzip
import io
import json
import socket
import sys
import zipfile
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from urllib.parse import urlsplit

import asyncssh
import httpx
import msgspec
import pytest
from chargebus_embedded import free_port
from chargebus_events.commands import CommandOutcome, CommandRequested
from chargebus_events.frames import Frame
from chargebus_events.public import StationLog
from chargebus_events.topics import COMMANDS, FIRMWARE_EVENTS, frames_topic
from chargebus_firmware.logs.operations import receiving
from chargebus_firmware.main import build
from chargebus_objects import NoRoomError, Objects, ObjectsAwayError
from chargebus_testkit.asked import asked
from chargebus_testkit.waiting import eventually
from pydantic import SecretStr

NUMBERS = count(1)
CONTENT = b"".join(b"line %d of the log\n" % number for number in range(150_000))  # some parts


_LIKE_A_STATION = {"known_hosts": None, "client_keys": None, "config": None}


class Bench:
    """The service, and one station that answers as it is told."""

    def __init__(self, bed, process, client, station_id) -> None:
        self.bed = bed
        self.process = process
        self.client = client
        self.station_id = station_id
        self.stations = httpx.AsyncClient(timeout=30)

    async def ask(self, status: int = 202, **wanted) -> dict:
        answer = await self.client.post(f"/stations/{self.station_id}/logs", json=wanted)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def requests(self) -> list[CommandRequested]:
        records = await self.bed.read(COMMANDS, self.station_id)
        return [asked(record.value) for record in records]

    async def request(self, log: dict) -> CommandRequested:
        """Return how the command for a log went out."""
        requests = await eventually(
            self.requests,
            lambda requests: any(each.subject == str(log["log_id"]) for each in requests),
            what="the command goes out",
        )
        return next(each for each in requests if each.subject == str(log["log_id"]))

    async def form(self, log: dict, version: str) -> dict:
        """Return what a station of a version is asked."""
        request = await self.request(log)
        [form] = [each for each in request.forms if version in each.versions]
        return json.loads(bytes(form.payload)) | {"action": form.action}

    async def link(self, log: dict) -> str:
        return (await self.form(log, "2.0.1"))["log"]["remoteLocation"]

    async def outcome(self, log: dict, outcome: str, action: str = "GetLog", payload: dict | None = None) -> None:
        """Let the command end so."""
        request = await self.request(log)
        now = datetime.now(UTC)
        raw = None if payload is None else msgspec.Raw(json.dumps(payload).encode())
        ended = CommandOutcome(
            request.command_id,
            self.station_id,
            "firmware",
            outcome,
            now,
            now,
            request.intent,
            request.subject,
            action if outcome == "answered" else "",
            "2.0.1",
            raw,
        )
        await self.process.producer.publish([ended.record()])

    async def says(self, version: str, action: str, **payload) -> None:
        number = next(NUMBERS)
        body = json.dumps(payload).encode()
        frame = Frame(self.station_id, version, action, f"m{number}", 0, 7, number, body, datetime.now(UTC))
        await self.process.producer.publish([frame.record(frames_topic("firmware"))])

    async def shows(self, log: dict, state: str, **more) -> dict:
        answer = await eventually(
            lambda: self.client.get(f"/logs/{log['log_id']}"),
            lambda answer: (
                answer.json()["state"] == state and all(answer.json()[name] == value for name, value in more.items())
            ),
            what=f"the log is {state}",
        )
        return answer.json()

    async def content(self, log: dict, **headers) -> httpx.Response:
        return await self.client.get(f"/logs/{log['log_id']}/content", headers=headers)


@pytest.fixture
def running(make_bed, station_id, tmp_path, monkeypatch):
    """Return what runs the service: `async with running() as bench`."""
    monkeypatch.setenv("OBJECTS_URL", str(tmp_path / "objects"))

    @asynccontextmanager
    async def run(bed=None, **settings):
        bed = bed or make_bed(build)
        async with bed.running(**settings) as process, bed.client("operator") as client:
            bench = Bench(bed, process, client, station_id)
            async with bench.stations:
                yield bench

    return run


@pytest.mark.road
async def test_TC_045_1_a_log_is_asked_for_told_of_uploaded_and_read(running):
    async with running() as bench:
        log = await bench.ask(oldest="2026-05-01T00:00:00Z", retries=2, retry_interval_s=30)
        form = await bench.form(log, "1.6")
        link = form.pop("location")
        assert form == {
            "action": "GetDiagnostics",
            "retries": 2,
            "retryInterval": 30,
            "startTime": "2026-05-01T00:00:00.000Z",
        }
        await bench.outcome(log, "answered", "GetDiagnostics", {"fileName": "diag.log"})
        await bench.shows(log, "accepted")
        await bench.says("1.6", "DiagnosticsStatusNotification", status="Uploading")
        await bench.shows(log, "uploading")
        assert (await bench.stations.put(f"{link}/diag.log", content=CONTENT)).status_code == 201
        await bench.says("1.6", "DiagnosticsStatusNotification", status="Uploaded")
        shown = await bench.shows(log, "received", status="Uploaded")

        whole, part = await bench.content(log), await bench.content(log, Range="bytes=1048570-1048590")
        none = await bench.content(log, Range=f"bytes={len(CONTENT)}-")
        same, another = [
            await bench.content(log, Range="bytes=5-", **{"If-Range": etag})
            for etag in (whole.headers["ETag"], '"another"')
        ]
        text = (await bench.client.get(f"/logs/{log['log_id']}/text", params={"start": 5, "limit": 1024})).json()
        records = await bench.bed.read(FIRMWARE_EVENTS, bench.station_id)
        told = [msgspec.json.decode(each.value, type=StationLog) for each in records]

    assert (shown["file"]["name"], shown["file"]["size"], shown["file"]["whole"]) == ("diag.log", len(CONTENT), True)
    assert (whole.status_code, whole.content == CONTENT) == (200, True)
    assert whole.headers["content-disposition"].startswith('attachment; filename="diag.log"')
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert (part.status_code, part.content) == (206, CONTENT[1048570:1048591])
    assert part.headers["content-range"] == f"bytes 1048570-1048590/{len(CONTENT)}"
    assert (same.status_code, same.content == CONTENT[5:]) == (206, True)
    assert (another.status_code, another.content == CONTENT) == (200, True)
    assert (none.status_code, none.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    assert (text["text"].encode(), text["next_start"]) == (CONTENT[5:1029], 1029)
    assert [(each.state, each.size) for each in told] == [
        ("requested", None),
        ("accepted", None),
        ("uploading", None),
        ("received", len(CONTENT)),
    ]


async def test_N01_a_security_log_is_asked_for_in_the_words_of_each_version(running):
    async with running() as bench:
        log = await bench.ask(kind="security", latest="2026-05-02T00:00:00Z")
        old, new = await bench.form(log, "1.6"), await bench.form(log, "2.1")
        collected = await bench.ask(kind="data_collector")
        request = await bench.request(collected)

    assert old == new
    assert (new["action"], new["logType"], new["requestId"]) == ("GetLog", "SecurityLog", log["log_id"])
    assert new["log"]["latestTimestamp"] == "2026-05-02T00:00:00.000Z"
    assert [(each.versions, json.loads(bytes(each.payload))["logType"]) for each in request.forms] == [
        (("2.1",), "DataCollectorLog")
    ]


async def test_TC_N_25_a_status_finds_its_log_by_its_request_id(running):
    async with running() as bench:
        for version in ("1.6", "2.0.1", "2.1"):
            first, second = await bench.ask(kind="security"), await bench.ask(kind="security")
            await bench.says(version, "LogStatusNotification", status="Uploading", requestId=first["log_id"])
            await bench.shows(first, "uploading")
            await bench.says(version, "LogStatusNotification", status="PermissionDenied", requestId=second["log_id"])
            await bench.shows(second, "failed", reason="permission_denied")
            await bench.says(version, "LogStatusNotification", status="Idle")
            await bench.says(version, "LogStatusNotification", status="UploadFailure", requestId=first["log_id"])
            await bench.shows(first, "failed", reason="upload_failed")


async def test_TC_045_2_a_failed_upload_is_shown_and_the_next_try_counts(running):
    async with running() as bench:
        log = await bench.ask()
        await bench.outcome(log, "answered", "GetDiagnostics", {"fileName": "a.log"})
        await bench.says("1.6", "DiagnosticsStatusNotification", status="UploadFailed")
        await bench.shows(log, "failed", reason="upload_failed")
        await bench.stations.post(await bench.link(log), content=b"it did come")
        shown = await bench.shows(log, "received", reason="")

    assert (shown["file"]["name"], shown["uploads"][0]["late"]) == ("a.log", True)


ENDS = (
    (("answered", "GetDiagnostics", {}), "no_log", ""),
    (("answered", "GetLog", {"status": "Rejected"}), "failed", "rejected"),
    (("refused",), "failed", "not_supported"),
    (("undeliverable",), "failed", "not_reached"),
)


async def test_what_comes_of_the_command_is_shown(running):
    async with running() as bench:
        for ended, state, reason in ENDS:
            log = await bench.ask()
            await bench.outcome(log, *ended)
            await bench.shows(log, state, reason=reason)


async def test_N01_FR_20_an_older_log_is_given_up_for_a_later_one(running):
    async with running() as bench:
        older, later = await bench.ask(), await bench.ask()
        await bench.outcome(later, "answered", "GetLog", {"status": "AcceptedCanceled"})
        await bench.shows(older, "superseded")
        await bench.shows(later, "accepted")


async def test_a_form_is_taken_as_well_and_a_second_file_is_shown_while_the_first_stays(running):
    async with running() as bench:
        log = await bench.ask()
        link = await bench.link(log)
        first = await bench.stations.post(link, files={"file": ("logs.zip", b"first", "application/zip")})
        second = await bench.stations.put(link, content=b"second")
        shown = (await bench.client.get(f"/logs/{log['log_id']}")).json()
        content = await bench.content(log)

    assert (first.status_code, second.status_code, content.content) == (201, 409, b"first")
    assert [(each["state"], each["reason"]) for each in shown["uploads"]] == [
        ("complete", ""),
        ("repeated", "taken_already"),
    ]
    assert shown["file"]["name"] == "logs.zip"


async def break_off(link: str, content: bytes) -> None:
    """Send a part of a file, and close the connection."""
    parts = urlsplit(link)

    def send() -> None:
        head = f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * len(content)}\r\n\r\n"
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(head.encode() + content)

    await asyncio.to_thread(send)


async def test_an_upload_that_stops_half_way_is_a_piece_and_the_retry_makes_it_whole(running):
    async with running() as bench:
        log = await bench.ask()
        link = await bench.link(log)
        await break_off(link, CONTENT[:1_500_000])
        shown = await bench.shows(log, "partial")
        piece = await bench.content(log)
        text = (await bench.client.get(f"/logs/{log['log_id']}/text")).json()
        retried = await bench.stations.put(link, content=CONTENT)
        whole = await bench.shows(log, "received")
        first = await bench.client.get(f"/logs/{log['log_id']}/content", params={"upload": 1})

    assert (shown["file"]["whole"], shown["uploads"][0]["reason"]) == (False, "broke_off")
    assert piece.content == CONTENT[:1_500_000] == first.content
    assert text["text"].encode() == CONTENT[: 64 * 1024]
    assert (retried.status_code, [each["state"] for each in whole["uploads"]]) == (201, ["partial", "complete"])


async def test_what_comes_slowly_has_not_stopped(running, monkeypatch):
    monkeypatch.setattr(receiving, "_NOTE_EVERY_S", 0.05)
    heard = asyncio.Event()

    async def slowly():
        while not heard.is_set():
            yield b"x"
            await asyncio.sleep(0.1)

    async with running() as bench:
        log = await bench.ask()
        sending = asyncio.create_task(bench.stations.put(await bench.link(log), content=slowly()))
        await eventually(
            lambda: bench.client.get(f"/logs/{log['log_id']}"),
            lambda answer: any(each["heard_at"] != each["began_at"] for each in answer.json()["uploads"]),
            what="it is noted that bytes come",
        )
        heard.set()
        sent = await sending

    assert sent.status_code == 201


PROCESS = """
import asyncio, sys
from chargebus_firmware.main import build
from chargebus_runtime.settings import RuntimeSettings
from chargebus_testkit.bed import SEALING_KEYS, ProcessUnderTest

async def run():
    settings = RuntimeSettings(
        kafka_bootstrap_servers=sys.argv[2],
        database_url=sys.argv[3],
        http_port=int(sys.argv[4]),
        sealing_keys=SEALING_KEYS,
    )
    await ProcessUnderTest(settings, sys.argv[1]).start([build])
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(run())
"""


@asynccontextmanager
async def process_of_its_own(bed):
    """Run the service of a bed in a process that can be killed."""
    settings = bed.settings
    places = settings.kafka_bootstrap_servers, settings.database_url, str(settings.http_port)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, bed.name, *places, stdout=asyncio.subprocess.PIPE
    )
    try:
        while (line := await child.stdout.readline()) != b"started\n":
            assert line
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_an_upload_whose_process_is_killed_is_a_piece_and_the_retry_makes_it_whole(
    running, make_bed, monkeypatch
):
    monkeypatch.setenv("FIRMWARE_FILES_PORT", str(free_port()))
    monkeypatch.setenv("FIRMWARE_LOGS_STALLED_S", "20")
    bed = make_bed(build)
    async with running(bed) as bench:
        log = await bench.ask()
        link = await bench.link(log)
    async with process_of_its_own(bed) as child:
        parts = urlsplit(link)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode())
        writer.write(CONTENT[:1_500_000])
        async with bed.client("viewer") as client:
            await eventually(
                lambda: client.get(f"/logs/{log['log_id']}"),
                lambda answer: answer.json()["uploads"] and answer.json()["uploads"][0]["size"] >= 1024 * 1024,
                what="a part is kept",
            )
        child.kill()
        await child.wait()
        writer.close()
    async with running(bed) as bench:
        shown = await bench.shows(log, "partial")
        piece = await bench.content(log)
        retried = await bench.stations.put(link, content=CONTENT)
        whole = await bench.content(log)

    assert (shown["uploads"][0]["reason"], piece.content) == ("stalled", CONTENT[: 1024 * 1024])
    assert (retried.status_code, whole.content == CONTENT) == (201, True)


async def test_what_never_comes_is_given_up_and_what_comes_after_that_is_late(running, monkeypatch):
    monkeypatch.setenv("FIRMWARE_LOGS_WAIT_S", "20")
    async with running() as bench:
        silent, lying = await bench.ask(), await bench.ask()
        monkeypatch.undo()
        await bench.bed.rows(
            "UPDATE station_log SET due_at = now() - interval '1 h' WHERE log_id = $1", silent["log_id"]
        )
        await bench.says("2.0.1", "LogStatusNotification", status="Uploaded", requestId=lying["log_id"])
        await bench.shows(silent, "failed", reason="silent")
        await bench.shows(lying, "failed", reason="not_received")
        assert (await bench.stations.put(await bench.link(silent), content=b"late")).status_code == 201
        shown = await bench.shows(silent, "received")

    assert shown["uploads"][0]["late"]


async def test_a_log_that_is_given_up_by_an_operator_takes_no_file(running):
    async with running() as bench:
        log = await bench.ask()
        cancelled = await bench.client.post(f"/logs/{log['log_id']}/cancel")
        again = await bench.client.post(f"/logs/{log['log_id']}/cancel")
        sent = await bench.stations.put(await bench.link(log), content=b"x")
        shown = await bench.shows(log, "cancelled")
        content = await bench.content(log)

    assert (cancelled.json()["state"], again.status_code, sent.status_code) == ("cancelled", 409, 409)
    assert ([each["reason"] for each in shown["uploads"]], content.status_code) == (["cancelled"], 404)


async def test_too_much_is_refused_and_nothing_of_it_is_kept(running, monkeypatch, tmp_path):
    monkeypatch.setenv("FIRMWARE_LOGS_MAX_BYTES", "2000000")
    async with running() as bench:
        log = await bench.ask()
        sent = await bench.stations.put(await bench.link(log), content=CONTENT)
        shown = await bench.shows(log, "accepted")

    assert (sent.status_code, shown["uploads"][0]["state"], shown["uploads"][0]["reason"]) == (
        413,
        "refused",
        "too_large",
    )
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


FAILURES = ((NoRoomError, 507, "disk_full"), (ObjectsAwayError, 503, "store_away"))


async def test_without_room_or_store_it_is_said_and_a_later_try_is_taken(running, monkeypatch):
    put = Objects.put
    async with running() as bench:
        for error, status, reason in FAILURES:

            async def fails(self, key, chunks, max_bytes, error=error):
                if key.endswith("/000001"):
                    raise error("it is so")
                return await put(self, key, chunks, max_bytes)

            log = await bench.ask()
            link = await bench.link(log)
            monkeypatch.setattr(Objects, "put", fails)
            refused = await bench.stations.put(link, content=CONTENT)
            shown = await bench.shows(log, "accepted")
            monkeypatch.setattr(Objects, "put", put)
            taken = await bench.stations.put(link, content=CONTENT)
            whole = await bench.content(log)

            assert (refused.status_code, shown["uploads"][0]["reason"], taken.status_code) == (status, reason, 201)
            assert (whole.content == CONTENT, bool(shown["detail"])) == (True, True)


async def test_files_are_deleted_after_their_time_and_the_row_says_so(running, monkeypatch, tmp_path):
    monkeypatch.setenv("FIRMWARE_FORGET_EVERY_S", "0.2")
    async with running() as bench:
        log = await bench.ask()
        await bench.stations.put(await bench.link(log), content=CONTENT)
        await bench.bed.rows("UPDATE station_log SET expires_at = now() - interval '1 h'")
        await eventually(
            lambda: bench.bed.rows("SELECT state FROM station_log"), lambda rows: rows == [("expired",)], what="expired"
        )
        shown = await bench.shows(log, "expired")
        content = await bench.content(log)
        late = await bench.stations.put(await bench.link(log), content=b"again")

    assert (shown["file"], content.status_code, late.status_code) == (None, 404, 409)
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


async def test_what_is_inside_of_an_archive_is_shown(running):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../syslog", CONTENT)
        archive.writestr("old/syslog.1.gz", gzip.compress(b"older lines"))
    async with running() as bench:
        log = await bench.ask()
        path = f"/logs/{log['log_id']}"
        await bench.stations.put(f"{await bench.link(log)}/d.zip", content=packed.getvalue())
        inside = (await bench.client.get(f"{path}/entries")).json()
        text = (await bench.client.get(f"{path}/text", params={"entry": 1})).json()
        deep = (await bench.client.get(f"{path}/text", params={"start": 2_000_000, "limit": 2000})).json()
        none = await bench.client.get(f"{path}/text", params={"entry": 2})

    assert (inside["form"], inside["cut"]) == ("zip", "")
    assert [(each["number"], each["name"]) for each in inside["entries"]] == [(0, "../syslog"), (1, "old/syslog.1.gz")]
    assert (text["text"], deep["text"].encode()) == ("older lines", CONTENT[2_000_000:2_002_000])
    assert none.status_code == 409


async def test_a_look_while_the_store_is_away_is_told_so(running, monkeypatch):
    async with running() as bench:
        log = await bench.ask()
        await bench.stations.put(await bench.link(log), content=gzip.compress(CONTENT))

        async def away(*_arguments):
            raise ObjectsAwayError("gone")
            yield

        monkeypatch.setattr(Objects, "read", away)
        answers = [await bench.client.get(f"/logs/{log['log_id']}/{what}") for what in ("entries", "text", "content")]

    assert [answer.status_code for answer in answers] == [503, 503, 503]


async def test_lists_are_paged_and_filtered(running):
    async with running() as bench:
        asked = [await bench.ask(kind=kind) for kind in ("diagnostics", "security", "diagnostics")]
        params = {"station_id": bench.station_id, "kind": "diagnostics", "limit": 1}
        first = (await bench.client.get("/logs", params=params)).json()
        second = (await bench.client.get("/logs", params=params | {"cursor": first["next"]})).json()
        none = (await bench.client.get("/logs", params={"state": "received"})).json()

    listed = [item["log_id"] for page in (first, second) for item in page["items"]]
    assert listed == [asked[2]["log_id"], asked[0]["log_id"]]
    assert (second["next"], none["items"]) == (None, [])


async def test_bad_input_and_the_same_key_twice(running):
    async with running() as bench:
        path, key = f"/stations/{bench.station_id}/logs", {"Idempotency-Key": f"k-{bench.station_id}"}
        empty = await bench.client.post(path, json={"oldest": "2026-05-02T00:00:00Z", "latest": "2026-05-01T00:00:00Z"})
        other = await bench.client.post(path, json={"kind": "weather"})
        ftp = await bench.client.post(path, json={"over": "ftp"})
        first = await bench.client.post(path, json={}, headers=key)
        again = await bench.client.post(path, json={}, headers=key)
        reused = await bench.client.post(path, json={"kind": "security"}, headers=key)
        unknown = await bench.client.get("/logs/999999999")

    assert [each.status_code for each in (empty, other, ftp, reused, unknown)] == [422, 422, 422, 422, 404]
    assert first.json()["log_id"] == again.json()["log_id"]


async def test_over_ftp_and_sftp_a_link_takes_the_file(running, monkeypatch, tmp_path):
    ports = free_port(), free_port()
    key = tmp_path / "host_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    monkeypatch.setenv("FIRMWARE_FTP_PORT", str(ports[0]))
    monkeypatch.setenv("FIRMWARE_SFTP_PORT", str(ports[1]))
    monkeypatch.setenv("FIRMWARE_SFTP_HOST_KEY", str(key))
    (tmp_path / "diag.log").write_bytes(CONTENT)
    async with running() as bench:
        by_ftp, by_sftp = await bench.ask(), await bench.ask()
        tokens = [urlsplit(await bench.link(log)).path.split("/")[2] for log in (by_ftp, by_sftp)]
        await asyncio.to_thread(_send_by_ftp, ports[0], tokens[0])
        async with (
            asyncssh.connect("127.0.0.1", ports[1], username=tokens[1], **_LIKE_A_STATION) as ssh,
            ssh.start_sftp_client() as client,
        ):
            await client.put(tmp_path / "diag.log", "diag.log")
        shown = [await bench.shows(log, "received") for log in (by_ftp, by_sftp)]
        contents = [(await bench.content(log)).content == CONTENT for log in (by_ftp, by_sftp)]

    assert [each["uploads"][0]["transport"] for each in shown] == ["ftp", "sftp"]
    assert ([each["file"]["name"] for each in shown], contents) == (["diag.log"] * 2, [True, True])


async def test_without_a_key_no_link_is_given_away(running):
    async with running(sealing_keys=SecretStr("")) as bench:
        unsealed = await bench.client.post(f"/stations/{bench.station_id}/logs", json={})

    assert (unsealed.status_code, "SEALING_KEYS" in unsealed.json()["detail"]) == (422, True)


def _send_by_ftp(port: int, token: str) -> None:
    with ftplib.FTP(timeout=30) as client:
        client.connect("127.0.0.1", port)
        client.login(token, "x")
        client.storbinary("STOR diag.log", io.BytesIO(CONTENT))

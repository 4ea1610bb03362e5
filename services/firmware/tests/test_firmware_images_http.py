"""Images over HTTP: real database, files in a folder."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from chargebus_firmware.images.api import images as images_api
from chargebus_firmware.images.api import uploads as uploads_api
from chargebus_firmware.images.domain.image import IMAGE
from chargebus_firmware.images.errors import BrokenOffError
from chargebus_firmware.images.operations import contents as contents_operations
from chargebus_firmware.images.operations import uploads as uploads_operations
from chargebus_firmware.images.operations.contents import Contents
from chargebus_firmware.images.operations.images import Images
from chargebus_firmware.images.operations.uploads import HELD_FOR, Uploads
from chargebus_firmware.images.store import uploads as uploads_store
from chargebus_firmware.links.domain.link import Link, token_hash
from chargebus_firmware.links.errors import RefusedTransferError
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.stations.domain import Make, Station
from chargebus_objects import NoRoomError, Objects, ObjectsAwayError, ObjectsSettings, objects_from
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.http import Role
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.http import Anyone, http_client
from chargebus_testkit.producer import KeepingProducer
from chargebus_testkit.signing import NOW, P256, RSA_1024, RSA_2048, certificate, signature
from chargebus_testkit.waiting import eventually
from fastapi import APIRouter

MIGRATIONS = Path(__file__).parent.parent / "migrations"
MIB = 1024 * 1024
DESCRIBED = {"name": "Acme 1.2", "version": "1.2", "vendor": "Acme", "models": ["A1"], "from_versions": ["1.1"]}
TUS = {"Tus-Resumable": "1.0.0"}
OFFSET = "application/offset+octet-stream"


class Storage(Objects):
    """Objects in a folder, which may be away or full, or stop before they write."""

    failure: Exception | None = None

    def fail(self, failure: Exception | None) -> None:
        self.failure = failure

    async def put(self, key, chunks, max_bytes):
        if self.failure is not None:
            raise self.failure
        return await super().put(key, chunks, max_bytes)


@dataclass
class Service:
    """The service's images, and who calls."""

    database: Database
    objects: Storage
    contents: Contents
    images: Images
    uploads: Uploads
    client: httpx.AsyncClient
    caller: Anyone
    folder: Path
    uses: dict[str, str]
    now = NOW

    async def created(self, **more) -> str:
        answer = await self.client.post("/firmware/images", json={**DESCRIBED, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()["image_id"]

    async def begun(self, image_id: str, size: int) -> str:
        answer = await self.client.post(
            f"/firmware/images/{image_id}/uploads", headers={**TUS, "Upload-Length": str(size)}
        )
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].removeprefix("/v1")

    async def sent(self, upload: str, offset: int, content, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.patch(
            upload, content=content, headers={**TUS, "Upload-Offset": str(offset), "Content-Type": OFFSET, **named}
        )

    async def offset(self, upload: str) -> int:
        return int((await self.client.head(upload)).headers["Upload-Offset"])

    def files(self, below: str = "") -> list[Path]:
        return [path for path in (self.folder / below).rglob("*") if path.is_file()]


@pytest.fixture
async def service(make_migrated, postgres, tmp_path) -> AsyncIterator[Service]:
    options = DatabaseOptions(await make_migrated("images", MIGRATIONS), postgres.url, MIGRATIONS, pool_size=4)
    made: list[Service] = []
    clock = lambda: made[0].now if made else NOW  # noqa: E731
    database = Database(options, KeepingProducer(), clock, Tracing(enabled=False))
    await database.start()
    objects = objects_from(ObjectsSettings(url=str(tmp_path)))
    objects.__class__ = Storage
    uses: dict[str, str] = {}

    async def in_use(_connection, image_id: str) -> str | None:
        return uses.get(image_id)

    contents = Contents(database, objects, Metrics(), clock, max_bytes=20 * MIB)
    images = Images(database, [in_use])
    uploads = Uploads(database, objects, contents, timedelta(hours=1))
    routes = APIRouter()
    routes.include_router(images_api.router(images, contents))
    routes.include_router(uploads_api.router(uploads))
    caller = Anyone()
    async with http_client({"/v1": routes}, caller, "/v1") as client:
        made.append(Service(database, objects, contents, images, uploads, client, caller, tmp_path, uses))
        yield made[0]
    await database.stop()


async def test_an_image_is_described_and_gets_its_content(service):
    content = os.urandom(6 * MIB)  # more than any other body may have

    image_id = await service.created()
    empty = (await service.client.get(f"/firmware/images/{image_id}")).json()
    put = await service.client.put(f"/firmware/images/{image_id}/content", content=content)
    shown = (await service.client.get(f"/firmware/images/{image_id}")).json()

    assert (empty["state"], empty["size"], empty["file_name"]) == ("empty", None, "Acme 1.2")
    assert put.status_code == 200, put.text
    assert (shown["state"], shown["size"]) == ("ready", len(content))
    assert shown["sha256"] == hashlib.sha256(content).hexdigest()
    assert [path.read_bytes() == content for path in service.files()] == [True]


async def test_stations_fetch_it_by_links_and_send_nothing(service):
    image_id = await service.created()
    link = Link(token_hash("t"), "CS-1", IMAGE, image_id, "fw", NOW, NOW)
    with pytest.raises(RefusedTransferError):
        await service.contents.content(link)
    await service.client.put(f"/firmware/images/{image_id}/content", content=b"0123456789")

    content = await service.contents.content(link)

    assert [chunk async for chunk in content.read(2, 5)] == [b"234"]
    assert (content.size, content.etag) == (10, hashlib.sha256(b"0123456789").hexdigest())
    with pytest.raises(RefusedTransferError):
        await service.contents.receive(link, None)


async def test_a_content_does_not_change(service):
    image_id = await service.created()
    await service.client.put(f"/firmware/images/{image_id}/content", content=b"one")

    again = await service.client.put(f"/firmware/images/{image_id}/content", content=b"two")
    upload = await service.client.post(f"/firmware/images/{image_id}/uploads", headers={**TUS, "Upload-Length": "3"})

    assert (again.status_code, upload.status_code) == (409, 409)
    assert "make another image" in again.json()["detail"]


async def test_a_content_that_is_not_what_was_said_is_refused_and_shown_and_another_taken(service):
    image_id = await service.created(sha256=hashlib.sha256(b"right").hexdigest())

    refused = await service.client.put(f"/firmware/images/{image_id}/content", content=b"wrong")
    shown = (await service.client.get(f"/firmware/images/{image_id}")).json()
    await service.contents.take_leftovers_away()
    left = service.files()
    taken = await service.client.put(f"/firmware/images/{image_id}/content", content=b"right")

    assert refused.status_code == 422
    assert hashlib.sha256(b"wrong").hexdigest() in refused.json()["detail"]
    assert (shown["state"], shown["reason"]) == ("refused", refused.json()["detail"])
    assert left == []
    assert (taken.status_code, taken.json()["state"], taken.json()["reason"]) == (200, "ready", None)


@pytest.mark.parametrize("key", [P256, RSA_2048], ids=["ECDSA", "RSA-PSS"])
async def test_a_signature_is_checked_when_the_content_is_there(service, key):
    signed = {"signing_certificate": certificate(key), "signature": signature(key, b"right")}
    image_id = await service.created(**signed)

    refused = await service.client.put(f"/firmware/images/{image_id}/content", content=b"wrong")
    taken = await service.client.put(f"/firmware/images/{image_id}/content", content=b"right")

    assert refused.status_code == 422
    assert "is not of this content" in refused.json()["detail"]
    assert taken.status_code == 200


async def test_what_cannot_be_is_a_422_that_names_the_field(service):
    wrong = [
        ({"url": "gopher://host/x", "sha256": "0" * 64}, "body.url"),
        ({"url": "https://host/x"}, "body.sha256"),
        ({"signature": "eA=="}, "body.signing_certificate"),
        ({"signing_certificate": certificate(P256)}, "body.signature"),
        ({"signing_certificate": certificate(RSA_1024), "signature": "eA=="}, "body.signing_certificate"),
        ({"signing_certificate": "x" * 5501, "signature": "eA=="}, "body.signing_certificate"),
        ({"signing_certificate": certificate(P256), "signature": "x" * 801}, "body.signature"),
        ({"sha256": "X"}, "body.sha256"),
        ({"version": "x" * 51}, "body.version"),
        ({"colour": "red"}, "body.colour"),
    ]
    for more, field in wrong:
        answer = await service.client.post("/firmware/images", json={**DESCRIBED, **more})
        assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, [field]), more


async def test_what_lies_elsewhere_is_ready_and_its_signature_is_checked_by_its_checksum(service):
    content = b"elsewhere"
    elsewhere = {"url": "ftp://files.example.com/fw.bin", "sha256": hashlib.sha256(content).hexdigest()}
    signed = {"signing_certificate": certificate(P256), "signature": signature(P256, content)}

    image_id = await service.created(**elsewhere, **signed)
    shown = (await service.client.get(f"/firmware/images/{image_id}")).json()
    put = await service.client.put(f"/firmware/images/{image_id}/content", content=content)
    forged = {**DESCRIBED, **elsewhere, **signed, "signature": signature(P256, b"other")}
    refused = await service.client.post("/firmware/images", json=forged)

    assert (shown["state"], shown["sha256"]) == ("ready", elsewhere["sha256"])
    assert put.status_code == 409
    assert [each["field"] for each in refused.json()["errors"]] == ["body.signature"]


async def test_images_are_listed_the_newest_first_page_by_page(service):
    made = []
    for number in range(5):
        service.now = NOW + timedelta(seconds=number)
        made.append(await service.created(version=f"1.{number}", vendor="Acme" if number else "Other"))

    listed, cursor = [], ""
    while cursor is not None:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await service.client.get("/firmware/images", params=query)).json()
        listed += [each["image_id"] for each in page["items"]]
        cursor = page["next"]
    of_acme = (await service.client.get("/firmware/images", params={"vendor": "Acme", "version": "1.3"})).json()

    assert listed == made[::-1]
    assert [each["image_id"] for each in of_acme["items"]] == [made[3]]


async def test_an_image_in_use_is_not_deleted_and_another_is_with_all_that_is_kept(service):
    image_id, other = await service.created(), await service.created()
    await service.client.put(f"/firmware/images/{image_id}/content", content=b"x")
    upload = await service.begun(other, 10)
    await service.sent(upload, 0, b"12345")
    service.uses[image_id] = "the update u-1 of CS-1"

    refused = await service.client.delete(f"/firmware/images/{image_id}")
    del service.uses[image_id]
    deleted = [await service.client.delete(f"/firmware/images/{each}") for each in (image_id, other)]
    await service.contents.take_leftovers_away()

    assert (refused.status_code, refused.json()["detail"]) == (409, "This image is in use: the update u-1 of CS-1.")
    assert [each.status_code for each in deleted] == [204, 204]
    assert (await service.client.get(f"/firmware/images/{image_id}")).status_code == 404
    assert (await service.client.head(upload)).status_code == 404
    assert service.files() == []


async def test_an_image_that_an_update_takes_is_not_deleted_in_between(service):
    image_id = await service.created()
    await service.client.put(f"/firmware/images/{image_id}/content", content=b"x")

    async with service.database.transaction() as tx:
        held = await service.images.usable(tx.connection, [image_id, "nothing"])
        deleting = asyncio.create_task(service.client.delete(f"/firmware/images/{image_id}"))
        await asyncio.wait([deleting], timeout=0.3)
        waits = not deleting.done()
        service.uses[image_id] = "an update"

    assert list(held) == [image_id]
    assert waits
    assert (await deleting).status_code == 409


async def test_only_what_has_its_content_can_be_installed_and_only_where_it_fits(service):
    image_id = await service.created()
    stations = [
        Station("CS-1", make=Make("Acme", "A1", "", "1.1")),
        Station("CS-2", make=Make("Acme", "A9", "", "1.1")),
    ]
    async with service.database.transaction() as tx:
        assert await service.images.usable(tx.connection, [image_id]) == {}
        assert list(await service.images.misfits(tx.connection, image_id, stations)) == ["CS-2"]


async def test_an_upload_goes_on_where_it_was(service):
    content = os.urandom(9 * MIB)
    image_id = await service.created()
    upload = await service.begun(image_id, len(content))

    first = await service.sent(upload, 0, content[: 5 * MIB])
    told = await service.client.head(upload)
    wrong = await service.sent(upload, 1, content[1:])
    last = await service.sent(upload, 5 * MIB, content[5 * MIB :])
    shown = (await service.client.get(f"/firmware/images/{image_id}")).json()
    done = (await service.client.get(upload)).json()

    assert (first.status_code, first.headers["Upload-Offset"]) == (204, str(5 * MIB))
    assert (told.headers["Upload-Offset"], told.headers["Upload-Length"]) == (str(5 * MIB), str(len(content)))
    assert (told.headers["Cache-Control"], told.headers["Tus-Resumable"]) == ("no-store", "1.0.0")
    assert (wrong.status_code, wrong.json()["title"]) == (409, "another offset")
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(content)))
    assert (shown["state"], shown["sha256"]) == ("ready", hashlib.sha256(content).hexdigest())
    assert done["state"] == "done"
    await service.contents.take_leftovers_away()
    assert [path.read_bytes() == content for path in service.files()] == [True]


async def test_what_came_before_it_broke_off_is_kept(service):
    content = os.urandom(5 * MIB)
    upload = await service.begun(await service.created(), len(content))

    async def breaking_off() -> AsyncIterator[bytes]:
        yield content[: 4 * MIB + 100]
        raise BrokenOffError("gone")

    image_id, upload_id = upload.split("/")[-3], upload.split("/")[-1]
    with pytest.raises(BrokenOffError):
        await service.uploads.append((image_id, upload_id), 0, breaking_off())

    assert await service.offset(upload) == 4 * MIB + 100
    assert (await service.sent(upload, 4 * MIB + 100, content[4 * MIB + 100 :])).status_code == 204


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
async def test_a_checksum_that_differs_keeps_nothing_of_the_call(service, algorithm):
    content = os.urandom(5 * MIB)
    upload = await service.begun(await service.created(), len(content))
    right = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    wrong = base64.b64encode(hashlib.new(algorithm, b"").digest()).decode()

    refused = await service.sent(upload, 0, content, Upload_Checksum=f"{algorithm} {wrong}")
    offset = await service.offset(upload)
    taken = await service.sent(upload, 0, content, Upload_Checksum=f"{algorithm} {right}")

    assert (refused.status_code, offset, taken.status_code) == (460, 0, 204)


async def test_two_calls_do_not_write_to_one_upload(service):
    upload = await service.begun(await service.created(), 10)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"12345"
        begun.set()
        await go_on.wait()
        yield b"67890"

    first = asyncio.create_task(service.sent(upload, 0, slowly()))
    await begun.wait()
    second = await service.sent(upload, 0, b"abcde")
    ended = await service.client.delete(upload, headers=TUS)
    go_on.set()

    assert (second.status_code, second.json()["title"]) == (409, "busy")
    assert ended.status_code == 409
    assert (await first).status_code == 204
    [kept] = service.files("images")
    assert kept.read_bytes() == b"1234567890"


async def test_a_call_that_is_silent_for_long_loses_the_upload_and_harms_nothing(service, monkeypatch):
    monkeypatch.setattr(uploads_operations, "_PIECE_BYTES", 5)
    upload = await service.begun(await service.created(), 10)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield b"12345"
        begun.set()
        await go_on.wait()
        yield b"xxxxx"

    first = asyncio.create_task(service.sent(upload, 0, silent()))
    await begun.wait()
    service.now = NOW + HELD_FOR + timedelta(seconds=1)
    second = await service.sent(upload, 5, b"67890")
    go_on.set()

    assert second.status_code == 204
    assert (await first).status_code == 409
    [kept] = service.files("images")
    assert kept.read_bytes() == b"1234567890"


async def test_a_storage_that_is_away_is_told_and_an_upload_goes_on(service):
    upload = await service.begun(await service.created(), 5)

    service.objects.fail(ObjectsAwayError("away"))
    away = await service.sent(upload, 0, b"12345")
    service.objects.fail(None)
    again = await service.sent(upload, 0, b"12345")

    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert "go on with an upload" in away.json()["detail"]
    assert again.status_code == 204


async def test_an_upload_whose_process_died_before_it_was_put_together_is_finished_by_time(service, monkeypatch):
    upload = await service.begun(image_id := await service.created(), 5)

    async def killed(*_arguments):
        raise RuntimeError

    with monkeypatch.context() as dying:
        dying.setattr(service.uploads, "_finish", killed)
        dying.setattr(uploads_operations._Writing, "release", nothing)
        with pytest.raises(RuntimeError):
            await service.sent(upload, 0, b"12345")
    await service.uploads.tidy()
    held = (await service.client.get(upload)).json()["state"]
    service.now = NOW + HELD_FOR
    await service.uploads.tidy()

    assert held == "open"
    assert (await service.client.get(upload)).json()["state"] == "done"
    assert (await service.client.get(f"/firmware/images/{image_id}")).json()["state"] == "ready"


async def nothing(*_arguments) -> None:
    """Do nothing."""


async def test_an_upload_is_done_with_its_image_whenever_its_process_dies(service, monkeypatch):
    upload = await service.begun(image_id := await service.created(), 5)

    async def killed(*_arguments):
        raise RuntimeError

    with monkeypatch.context() as dying:
        dying.setattr(uploads_store, "delete_pieces", killed)
        dying.setattr(uploads_operations._Writing, "release", nothing)
        with pytest.raises(RuntimeError):
            await service.sent(upload, 0, b"12345")
    unfinished = (await service.client.get(f"/firmware/images/{image_id}")).json()["state"]
    service.now = NOW + HELD_FOR
    await service.uploads.tidy()
    done = (await service.client.get(upload)).json()

    assert unfinished == "empty"
    assert (done["state"], done["reason"]) == ("done", None)
    assert (await service.client.get(f"/firmware/images/{image_id}")).json()["state"] == "ready"


async def test_a_full_disk_does_not_end_what_finishes_uploads(service, monkeypatch):
    upload = await service.begun(await service.created(), 5)
    real = service.contents.put

    async def full(*_arguments):
        raise NoRoomError("full")

    monkeypatch.setattr(service.contents, "put", full)
    refused = await service.sent(upload, 0, b"12345")
    await service.uploads.tidy()
    monkeypatch.setattr(service.contents, "put", real)
    await service.uploads.tidy()

    assert refused.status_code == 503
    assert (await service.client.get(upload)).json()["state"] == "done"


async def test_a_whole_upload_that_is_larger_than_an_image_may_be_by_now_is_refused(service, monkeypatch):
    upload = await service.begun(await service.created(), 5)
    with monkeypatch.context() as full:
        full.setattr(service.contents, "put", no_room)
        await service.sent(upload, 0, b"12345")
    service.contents.max_bytes = 4
    await service.uploads.tidy()
    shown = (await service.client.get(upload)).json()

    assert (shown["state"], "4" in shown["reason"]) == ("refused", True)


async def test_an_upload_for_which_there_is_no_room_keeps_no_other_from_being_finished(service, monkeypatch):
    images = [await service.created() for _ in range(3)]
    sent = [await service.begun(image_id, 5) for image_id in images]
    with monkeypatch.context() as full:
        full.setattr(service.contents, "put", no_room)
        for upload in sent:
            await service.sent(upload, 0, b"12345")
    put = service.contents.put
    large = sent.index(min(sent, key=lambda upload: upload.rpartition("/")[2]))

    async def put_small(image_id, chunks, taken):
        if image_id == images[large]:
            raise NoRoomError("full")
        return await put(image_id, chunks, taken)

    monkeypatch.setattr(service.contents, "put", put_small)
    for _ in range(2):
        service.now += timedelta(seconds=1)
        await service.uploads.tidy()
    states = [(await service.client.get(upload)).json()["state"] for upload in sent]

    assert states == ["open" if number == large else "done" for number in range(3)]


async def test_an_upload_for_which_there_is_no_room_is_given_up_in_the_end(service, monkeypatch):
    upload = await service.begun(await service.created(), 5)

    async def no_room_in_the_end(_image_id, chunks, _taken) -> None:
        async for _ in chunks:
            pass
        raise NoRoomError("full")

    monkeypatch.setattr(service.contents, "put", no_room_in_the_end)
    monkeypatch.setattr(uploads_operations, "_SAID_EVERY_S", 0)
    await service.sent(upload, 0, b"12345")
    for _ in range(3):
        service.now += timedelta(minutes=29)
        await service.uploads.tidy()

    assert (await service.client.head(upload)).status_code == 404


async def no_room(*_arguments) -> None:
    raise NoRoomError("full")


async def test_an_upload_that_is_flushed_for_long_stays_with_its_call(service, monkeypatch):
    monkeypatch.setattr(uploads_operations, "_SAID_EVERY_S", 0.05)
    upload = await service.begun(image_id := await service.created(), 5)
    first, flushed = await flushing(service, upload)
    service.now = NOW + HELD_FOR - timedelta(seconds=1)
    await eventually(
        lambda: service.database.pool.fetchval("SELECT max(busy_until) FROM image_upload"),
        lambda until: until > NOW + HELD_FOR,
        what="it says that it goes on",
    )
    service.now = NOW + HELD_FOR + timedelta(seconds=1)
    await service.uploads.tidy()
    image = (await service.client.get(f"/firmware/images/{image_id}")).json()
    flushed.set()

    assert image["state"] == "empty"  # nobody else has put it together
    assert (await first).status_code == 204
    assert (await service.client.get(upload)).json()["state"] == "done"


async def test_an_upload_that_two_put_together_is_done(service):
    upload = await service.begun(image_id := await service.created(), 5)
    first, flushed = await flushing(service, upload)
    service.now = NOW + HELD_FOR + timedelta(seconds=1)
    await service.uploads.tidy()
    flushed.set()

    assert (await first).status_code == 204
    assert (await service.client.get(upload)).json()["state"] == "done"
    assert (await service.client.get(f"/firmware/images/{image_id}")).json()["state"] == "ready"


async def flushing(service: Service, upload: str) -> tuple[asyncio.Task[httpx.Response], asyncio.Event]:
    """Send an upload, and let the storage take its time once all of the image is read; return what ends that."""
    put, read, flushed = service.objects.put, asyncio.Event(), asyncio.Event()

    async def slow(key, chunks, max_bytes):
        stored = await put(key, chunks, max_bytes)
        if key.startswith("images/") and not read.is_set():
            read.set()
            await flushed.wait()
        return stored

    service.objects.put = slow
    first = asyncio.create_task(service.sent(upload, 0, b"12345"))
    await read.wait()
    return first, flushed


async def test_a_storage_that_is_away_when_an_upload_is_put_together_loses_nothing(service, monkeypatch):
    upload = await service.begun(image_id := await service.created(), 5)
    real = service.contents.put

    async def away(*_arguments):
        raise ObjectsAwayError("away")

    monkeypatch.setattr(service.contents, "put", away)
    refused = await service.sent(upload, 0, b"12345")
    offset = await service.offset(upload)
    monkeypatch.setattr(service.contents, "put", real)
    again = await service.sent(upload, 5, b"")

    assert (refused.status_code, offset, again.status_code) == (503, 5, 204)
    assert (await service.client.get(f"/firmware/images/{image_id}")).json()["state"] == "ready"


async def test_a_full_disk_is_told_and_what_was_kept_goes_on(service):
    upload = await service.begun(image_id := await service.created(), 10)
    await service.sent(upload, 0, b"12345")

    service.objects.fail(NoRoomError("full"))
    refused = await service.sent(upload, 5, b"67890")
    put = await service.client.put(f"/firmware/images/{image_id}/content", content=b"x")
    service.objects.fail(None)

    assert (refused.status_code, refused.json()["title"]) == (503, "no room")
    assert put.status_code == 503
    assert await service.offset(upload) == 5
    assert (await service.sent(upload, 5, b"67890")).status_code == 204


async def test_an_upload_that_is_whole_and_not_what_was_said_is_refused_and_says_why(service):
    upload = await service.begun(image_id := await service.created(sha256="0" * 64), 5)

    refused = await service.sent(upload, 0, b"12345")
    shown = (await service.client.get(upload)).json()
    image = (await service.client.get(f"/firmware/images/{image_id}")).json()

    assert refused.status_code == 422
    assert (shown["state"], image["state"]) == ("refused", "refused")
    assert shown["reason"] == image["reason"] == refused.json()["detail"]


async def test_more_than_was_said_is_refused_and_so_is_more_than_an_image_has(service):
    image_id = await service.created()
    upload = await service.begun(image_id, 5)

    more = await service.sent(upload, 0, b"123456")
    large = await service.client.post(
        f"/firmware/images/{image_id}/uploads", headers={**TUS, "Upload-Length": str(20 * MIB + 1)}
    )
    put = await service.client.put(f"/firmware/images/{image_id}/content", content=bytes(20 * MIB + 1))

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(21):
            yield bytes(MIB)

    streamed = await service.client.put(f"/firmware/images/{image_id}/content", content=unannounced())

    assert [each.status_code for each in (more, large, put, streamed)] == [413] * 4
    assert await service.offset(upload) == 0
    assert service.files("images") == []


async def test_an_upload_that_stands_still_expires_and_one_that_is_given_up_is_gone(service):
    still = await service.begun(await service.created(), 10)
    given_up = await service.begun(await service.created(), 10)
    for upload in (still, given_up):
        await service.sent(upload, 0, b"12345")

    ended = await service.client.delete(given_up, headers=TUS)
    service.now = NOW + timedelta(minutes=59)
    await service.uploads.tidy()
    before = (await service.client.head(still)).status_code
    service.now = NOW + timedelta(minutes=61)
    await service.uploads.tidy()
    await service.contents.take_leftovers_away()

    assert (ended.status_code, before) == (204, 200)
    assert (await service.client.head(still)).status_code == 404
    assert (await service.client.head(given_up)).status_code == 404
    assert service.files() == []


async def test_a_content_whose_call_died_is_taken_away(service):
    image_id = await service.created()
    content = service.client.put(f"/firmware/images/{image_id}/content", content=b"12345")
    keep = service.contents._objects.put

    async def dies(key, chunks, max_bytes):
        await keep(key, chunks, max_bytes)
        raise RuntimeError("killed")

    service.contents._objects.put = dies
    with pytest.raises(RuntimeError):
        await content
    service.contents._objects.put = keep
    left = len(service.files())
    service.now = NOW + contents_operations.WRITTEN_WITHIN
    await service.contents.take_leftovers_away()

    assert (left, service.files()) == (1, [])


async def test_uploads_tell_what_they_can_do_and_speak_one_version(service):
    image_id = await service.created()
    uploads = f"/firmware/images/{image_id}/uploads"

    able = await service.client.options(uploads)
    another = await service.client.post(uploads, headers={"Tus-Resumable": "0.2.2", "Upload-Length": "5"})
    upload = await service.begun(image_id, 5)
    json = await service.sent(upload, 0, b"12345", Content_Type="application/json")

    assert able.status_code == 204
    assert able.headers["Tus-Extension"] == "creation,checksum,expiration,termination"
    assert (able.headers["Tus-Version"], able.headers["Tus-Max-Size"]) == ("1.0.0", str(20 * MIB))
    assert (another.status_code, another.headers["Tus-Version"]) == (412, "1.0.0")
    assert json.status_code == 415


async def test_viewers_look_and_operators_change(service):
    image_id = await service.created()
    upload = await service.begun(image_id, 5)
    service.caller.role = Role.VIEWER

    looked = [await service.client.get(path) for path in ("/firmware/images", f"/firmware/images/{image_id}", upload)]
    changed = [
        await service.client.post("/firmware/images", json=DESCRIBED),
        await service.client.put(f"/firmware/images/{image_id}/content", content=b"x"),
        await service.client.delete(f"/firmware/images/{image_id}"),
        await service.sent(upload, 0, b"12345"),
        await service.client.delete(upload, headers=TUS),
    ]

    assert [each.status_code for each in looked] == [200] * 3
    assert [each.status_code for each in changed] == [403] * 5

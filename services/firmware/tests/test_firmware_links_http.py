"""Links over HTTP: a real listener, a real database, files in a folder."""

import asyncio
import hashlib
import ipaddress
import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from chargebus_firmware.links import store
from chargebus_firmware.links.api.app import FilesApp
from chargebus_firmware.links.api.listener import Address, Listener
from chargebus_firmware.links.domain.link import Link
from chargebus_firmware.links.errors import RefusedTransferError
from chargebus_firmware.links.operations.links import REMEMBERED, Links
from chargebus_firmware.links.operations.purposes import Content, Incoming
from chargebus_firmware.links.operations.transfers import Limits, Transfers
from chargebus_firmware.main import _listeners
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.settings import FilesSettings
from chargebus_objects import NoRoomError, NoSuchObjectError, Objects, ObjectsSettings, objects_from
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.http import PortTakenError
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.producer import KeepingProducer
from chargebus_testkit.waiting import eventually, until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NOW = datetime.now(UTC)
CONTENT = bytes(range(256)) * 2048
UNLIMITED = Limits(transfers=100, link_bytes_per_s=1e9, all_bytes_per_s=1e9)


@dataclass
class Kept:
    """A purpose: one file is given, and what is sent is kept once under the target's id."""

    objects: Objects
    received: list[Incoming] = field(default_factory=list)
    failure: Exception | None = None

    async def content(self, link: Link) -> Content:
        if self.failure is not None:
            raise self.failure

        return Content(len(CONTENT), "e1", "application/octet-stream", lambda *part: self.objects.read("image", *part))

    async def receive(self, link: Link, incoming: Incoming) -> None:
        if self.received:
            raise RefusedTransferError("It was sent before.")
        await self.objects.put(f"logs/{link.target_id}", incoming.chunks, max_bytes=1024 * 1024)
        self.received.append(incoming)


@dataclass
class Files:
    """The service's links, and what makes new ones."""

    links: Links
    purpose: Kept
    database: Database
    listener: Listener
    transfers: Transfers
    folder: Path
    now: datetime = NOW

    async def link(
        self, *, for_s: float = 60, name: str = "fw.bin", station_id: str = "CS-1", target_id: str = "t-1"
    ) -> str:
        async with self.database.transaction() as tx:
            ends_at = self.now + timedelta(seconds=for_s)
            return await self.links.make(tx, station_id, "image", target_id, ends_at, name=name)


@asynccontextmanager
async def serving(options, folder: Path, limits: Limits = UNLIMITED, **address) -> AsyncIterator[Files]:
    database = Database(options, KeepingProducer(), lambda: files.now, Tracing(enabled=False))
    await database.start()
    listener = Listener(Address("127.0.0.1", 0, **address))
    links = Links(database, lambda: files.now, lambda: listener.url)
    objects = objects_from(ObjectsSettings(url=str(folder)))
    purpose = Kept(objects)
    files = Files(links, purpose, database, listener, Transfers(limits), folder)

    async def content() -> AsyncIterator[bytes]:
        yield CONTENT

    await objects.put("image", content(), len(CONTENT))
    await listener.start(FilesApp(links, {"image": purpose}, files.transfers, Metrics()))
    yield files
    await listener.stop()
    await database.stop()


@pytest.fixture
async def options(make_migrated, postgres) -> DatabaseOptions:
    return DatabaseOptions(await make_migrated("links", MIGRATIONS), postgres.url, MIGRATIONS, pool_size=4)


@pytest.fixture
async def files(options, tmp_path) -> AsyncIterator[Files]:
    async with serving(options, tmp_path) as files:
        yield files


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60) as client:
        yield client


async def test_a_file_is_fetched_as_a_whole_and_in_ranges_as_often_as_wanted(files, client):
    url = await files.link()

    whole = await client.get(url)
    first = await client.get(url, headers={"Range": "bytes=0-99999"})
    rest = await client.get(url, headers={"Range": "bytes=100000-", "If-Range": whole.headers["ETag"]})
    changed = await client.get(url, headers={"Range": "bytes=100000-", "If-Range": '"another"'})
    past = await client.get(url, headers={"Range": f"bytes={len(CONTENT)}-"})
    known = await client.get(url, headers={"If-None-Match": whole.headers["ETag"]})

    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="fw.bin"'
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == CONTENT
    assert rest.headers["Content-Range"] == f"bytes 100000-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert (changed.status_code, changed.content) == (200, CONTENT)
    assert (past.status_code, past.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
    assert (known.status_code, known.content) == (304, b"")


async def test_head_tells_what_get_would_and_sends_nothing(files, client):
    url = await files.link()

    whole = await client.head(url)
    part = await client.head(url, headers={"Range": "bytes=-10"})

    assert (whole.status_code, whole.headers["Content-Length"], whole.content) == (200, str(len(CONTENT)), b"")
    assert (part.status_code, part.headers["Content-Length"]) == (206, "10")


async def test_of_a_token_only_its_hash_is_kept_and_it_has_256_bits(files):
    url = await files.link()
    token = url.split("/")[-2]

    async with files.database.pool.acquire() as connection:
        [link] = await connection.fetch("SELECT * FROM link")

    assert len(token) == 43
    assert link["token_hash"] == hashlib.sha256(token.encode()).digest()
    assert token not in repr(link)


async def test_a_wrong_and_an_ended_link_tell_nothing_else(files, client):
    url = await files.link(for_s=60)
    wrong = await client.get(url.replace("/files/", "/files/x"))
    files.now = NOW + timedelta(seconds=61)
    over = await client.get(url)
    put = await client.put(url, content=b"x")
    elsewhere = await client.get(files.listener.url + "/")
    api = await client.get(files.listener.url + "/v1/stations")

    assert (wrong.status_code, wrong.text) == (404, "not found\n")
    assert (over.status_code, over.text) == (410, "gone\n")
    assert put.status_code == 410
    assert (elsewhere.status_code, api.status_code) == (404, 404)


async def test_links_of_a_station_end_together_and_no_others(files, client):
    urls = [await files.link(), await files.link(), await files.link(station_id="CS-2")]
    async with files.database.transaction() as tx:
        await store.end(tx.connection, ["CS-1"], "log", tx.now)
        before = [(await client.get(url)).status_code for url in urls]
        await store.end(tx.connection, ["CS-1"], "image", tx.now)

    assert before == [200, 200, 200]
    assert [(await client.get(url)).status_code for url in urls] == [410, 410, 200]


async def test_a_link_of_a_transaction_that_fails_is_none(files, client):
    with pytest.raises(RuntimeError):
        async with files.database.transaction() as tx:
            url = await files.links.make(tx, "CS-1", "image", "t-1", NOW + timedelta(hours=1))
            raise RuntimeError

    assert (await client.get(url)).status_code == 404


async def test_what_is_put_is_kept_and_what_is_not_wanted_again_is_refused(files, client):
    url = await files.link(name="log.txt")
    content = os.urandom(200_000)

    kept = await client.put(url + "/today.zip", content=content, headers={"Content-Type": "application/zip"})
    again = await client.put(url, content=b"again")

    assert (kept.status_code, again.status_code) == (201, 409)
    assert (files.folder / "logs" / "t-1").read_bytes() == content
    [incoming] = files.purpose.received
    assert (incoming.name, incoming.media_type, incoming.size) == ("today.zip", "application/zip", len(content))


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_body_without_a_length_is_kept(files, client, method):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"12345"

    kept = await client.request(method, await files.link(), content=chunks())

    assert kept.status_code == 201
    assert files.purpose.received[0].size is None
    assert (files.folder / "logs" / "t-1").read_bytes() == b"12345" * 5


async def test_of_a_form_the_first_file_is_kept(files, client):
    content = os.urandom(300_000) + b"\r\n--"

    kept = await client.post(
        await files.link(),
        data={"note": "x"},
        files=[("file", (r"C:\logs\today.zip", content, "application/zip")), ("more", ("b", b"y" * 100_000))],
    )

    assert kept.status_code == 201
    [incoming] = files.purpose.received
    assert (incoming.name, incoming.media_type) == ("today.zip", "application/zip")
    assert (files.folder / "logs" / "t-1").read_bytes() == content


async def test_a_form_without_a_whole_file_is_refused(files, client):
    url = await files.link()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    begun = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc'

    answers = [
        await client.post(url, content=content, headers=headers)
        for content in (begun, b"", b"--x--\r\n", b"garbage", b"--x\r\n" + b"a" * 100_000)
    ]

    assert [answer.status_code for answer in answers] == [400] * 5
    assert files.purpose.received == []
    assert not (files.folder / "logs").exists()


async def test_an_upload_that_breaks_off_leaves_nothing_and_may_be_tried_again(files, client):
    url = await files.link()
    _, writer = await asyncio.open_connection("127.0.0.1", int(files.listener.url.rpartition(":")[2]))
    path = "/files/" + url.partition("/files/")[2]
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + bytes(50_000))
    await writer.drain()
    await until(lambda: files.transfers.running == 1)
    writer.close()
    await until(lambda: not files.transfers.running)

    assert files.purpose.received == []
    assert (await client.put(url, content=b"again")).status_code == 201
    assert (files.folder / "logs" / "t-1").read_bytes() == b"again"


async def test_what_is_too_large_is_refused(files, client):
    refused = await client.put(await files.link(), content=bytes(1024 * 1024 + 1))

    assert refused.status_code == 413
    assert not (files.folder / "logs").exists()


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (NoRoomError("full"), 507),
        (NoSuchObjectError("gone"), 410),
        (ConnectionError("away"), 503),
        (RefusedTransferError("This image is not there any more."), 409),
    ],
)
async def test_what_keeps_a_file_from_being_given_is_told_by_the_status(files, client, failure, status):
    files.purpose.failure = failure

    assert (await client.get(await files.link())).status_code == status


async def test_other_methods_are_told_which_there_are(files, client):
    url = await files.link()

    refused, options = await client.delete(url), await client.options(url)

    assert (refused.status_code, options.status_code) == (405, 204)
    assert refused.headers["Allow"] == options.headers["Allow"] == "GET, HEAD, OPTIONS, POST, PUT"


async def test_the_links_of_one_station_to_one_thing_end_and_no_others(files, client):
    ended = await files.link(target_id="t-1")
    others = [await files.link(target_id="t-2"), await files.link(station_id="CS-2", target_id="t-1")]
    async with files.database.transaction() as tx:
        await store.end_of(tx.connection, {("CS-1", "t-1"), ("CS-2", "t-3")}, "image", tx.now)
        await store.end_of(tx.connection, {("CS-1", "t-2")}, "publication", tx.now)

    assert [(await client.get(url)).status_code for url in (ended, *others)] == [410, 200, 200]


async def test_links_that_ended_long_ago_are_forgotten(files, client):
    url = await files.link(for_s=60)
    files.now = NOW + REMEMBERED + timedelta(seconds=61)

    await files.links.forget()

    assert (await client.get(url)).status_code == 404


async def test_all_ranges_of_a_link_share_its_rate(options, tmp_path, client):
    limits = Limits(transfers=10, link_bytes_per_s=len(CONTENT) / 2, all_bytes_per_s=1e9)
    async with serving(options, tmp_path, limits) as files:
        url = await files.link()
        began = time.monotonic()
        half = len(CONTENT) // 2
        await asyncio.gather(
            *(client.get(url, headers={"Range": part}) for part in (f"bytes=0-{half - 1}", f"bytes={half}-"))
        )

    assert (
        time.monotonic() - began > 0.8
    )  # two seconds' worth, less a burst of one, and half of what is left at the end


async def test_more_transfers_than_may_run_are_told_to_come_again(options, tmp_path, client):
    limits = Limits(transfers=1, link_bytes_per_s=1000, all_bytes_per_s=1e9)
    async with serving(options, tmp_path, limits) as files:
        first, second = await files.link(), await files.link()
        async with client.stream("GET", first) as slow:
            refused = await client.get(second)
        assert slow.status_code == 200
        served = await eventually(
            lambda: client.head(second), lambda answer: answer.status_code == 200, what="the first has gone"
        )

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    assert served.status_code == 200


@pytest.mark.case("TC_N_102_2", lacks="a station that sends its log over HTTPS: the links alone are tested")
async def test_TC_N_102_2_with_a_certificate_links_are_https_and_who_has_one_may_send(options, tmp_path):
    certificate, key = self_signed(tmp_path)
    async with serving(options, tmp_path, tls_certificate=certificate, tls_key=key) as files:
        url = await files.link()
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(verify=trusting, timeout=60) as client:
            fetched = await client.get(url)
            link = await files.link()
            nobody = await client.put(link.replace("/files/", "/files/x"), content=b"log", auth=("CS-1", "secret"))
            kept = await client.put(link, content=b"log", auth=("CS-1", "secret"))

    assert url.startswith("https://127.0.0.1:")
    assert fetched.content == CONTENT
    assert (nobody.status_code, kept.status_code) == (404, 201)


async def test_http_and_https_are_served_side_by_side(options, tmp_path, client):
    certificate, key = self_signed(tmp_path)
    settings = FilesSettings(host="127.0.0.1", port=0, tls_port=0, tls_certificate=certificate, tls_key=key)
    plain, secure = _listeners(settings)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with serving(options, tmp_path) as files, httpx.AsyncClient(verify=trusting) as trusted:
        app = FilesApp(files.links, {"image": files.purpose}, files.transfers, Metrics())
        links = Links(files.database, lambda: files.now, lambda: plain.url, {}, lambda: secure.url)
        for listener in (plain, secure):
            await listener.start(app)
        async with files.database.transaction() as tx:
            urls = [
                await links.make(tx, "CS-1", "image", "t-1", files.now + timedelta(seconds=60), over=over)
                for over in ("http", "https")
            ]
        answers = [await client.get(urls[0]), await trusted.get(urls[1])]
        for listener in (plain, secure):
            await listener.stop()

    assert [url.partition(":")[0] for url in urls] == ["http", "https"]
    assert [answer.content == CONTENT for answer in answers] == [True, True]
    assert (links.has_choice, links.chosen(["HTTP", "HTTPS"]), links.chosen(["HTTP"])) == (True, "https", "http")
    assert (files.links.offers("https"), links.offers("https")) == (False, True)
    assert "FIRMWARE_FILES_TLS_PORT" in files.links.why_not("https", Sealing())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_port": 8312}, "needs FIRMWARE_FILES_TLS_CERTIFICATE"),
        ({"tls_public_url": "https://files.example.com"}, "needs FIRMWARE_FILES_TLS_PORT"),
        ({"tls_port": 1, "tls_public_url": "http://files.example.com"}, "begins with https://"),
        ({"tls_port": 1, "public_url": "https://files.example.com"}, "that of plain HTTP"),
    ],
)
def test_settings_of_both_that_make_no_sense_are_refused(given, said):
    with_certificate = {"tls_certificate": "c.pem", "tls_key": "k.pem"} if given != {"tls_port": 8312} else {}

    with pytest.raises(ValidationError, match=said):
        FilesSettings(**with_certificate, **given)


async def test_links_begin_with_what_stations_know(options, tmp_path):
    async with serving(options, tmp_path, public_url="https://files.example.com") as files:
        assert (await files.link()).startswith("https://files.example.com/files/")


async def test_a_port_that_is_taken_is_named(files):
    taken = int(files.listener.url.rpartition(":")[2])

    with pytest.raises(PortTakenError, match="FIRMWARE_FILES_PORT"):
        await Listener(Address("127.0.0.1", taken)).start(FilesApp(files.links, {}, Transfers(UNLIMITED), Metrics()))


async def test_a_storage_that_goes_in_the_middle_breaks_the_transfer_off(files, client):
    async def broken(*_part) -> AsyncIterator[bytes]:
        yield bytes(1000)
        raise ConnectionError("away")

    async def content(_link: Link) -> Content:
        return Content(5000, "e1", "text/plain", broken)

    files.purpose.content = content

    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(await files.link())


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "files")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths

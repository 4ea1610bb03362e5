"""Files behind links over FTP and SFTP, with real clients: what a link leads to, and nothing else."""

import asyncio
import contextlib
import ftplib
import io
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import aioftp
import asyncssh
import pytest
from chargebus_embedded import free_port
from chargebus_firmware.links.api import linked_files
from chargebus_firmware.links.api.ftp import FtpOptions, FtpServer
from chargebus_firmware.links.api.linked_files import Attempts, RefusedError, led_by
from chargebus_firmware.links.api.sftp import SftpOptions, SftpServer, _OneFile
from chargebus_firmware.links.domain.link import Link
from chargebus_firmware.links.operations.purposes import Content, Incoming
from chargebus_firmware.links.operations.transfers import Limits, Transfers
from chargebus_station.transfers import Download, TransferError, Way, upload
from chargebus_testkit.waiting import eventually

HOST = "127.0.0.1"
IMAGE = os.urandom(3 * 1024 * 1024 + 77)
LOG = os.urandom(2 * 1024 * 1024 + 5)


class Image:
    """A file that is there to be read."""

    size = len(IMAGE)

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        for place in range(start, end, 100_000):
            yield IMAGE[place : min(place + 100_000, end)]

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        raise AssertionError


class Wanted:
    """A file that is there to be written."""

    size = None

    def __init__(self) -> None:
        self.name = ""
        self.content = b""
        self.whole = False
        self.failure: RefusedError | None = None
        self.broke: BaseException | None = None

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        raise AssertionError

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        self.name, self.content = name, b""
        try:
            async for chunk in chunks:
                self.content += chunk
                if self.failure is not None and len(self.content) > 300_000:
                    raise self.failure
        except RefusedError:
            raise
        except BaseException as error:
            self.broke = error
            raise
        self.whole = True


@pytest.fixture
def wanted() -> Wanted:
    return Wanted()


@pytest.fixture
def links(wanted):
    files = {"image-token": Image(), "log-token": wanted}

    async def open_link(token: str):
        return files.get(token)

    return open_link


@pytest.fixture
async def ftp(links) -> AsyncIterator[int]:
    port = free_port()
    server = FtpServer(links, FtpOptions(HOST, port, range(free_port(), 65_000), "localhost", connections=5))
    await server.start()
    yield port
    await server.stop()


@pytest.fixture
async def sftp(links, tmp_path) -> AsyncIterator[int]:
    port, key = free_port(), tmp_path / "host_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    server = SftpServer(links, SftpOptions(HOST, port, str(key), connections=5))
    await server.start()
    yield port
    await server.stop()


def ftp_client(port: int, user: str) -> ftplib.FTP:
    client = ftplib.FTP(timeout=20)
    try:
        client.connect(HOST, port)
        client.login(user, "whatever")
    except BaseException:
        client.close()
        raise
    return client


def sftp_connection(port: int, user: str, password: str | None = "whatever"):
    return asyncssh.connect(
        HOST, port, username=user, password=password, known_hosts=None, client_keys=None, config=None
    )


@pytest.mark.parametrize(("user", "path"), [("image-token", "fw.bin"), ("anonymous", "files/image-token/fw.bin")])
async def test_ftp_an_image_is_read_from_any_byte_on(ftp, user, path):
    def read() -> tuple[int | None, bytes, bytes]:
        whole, rest = io.BytesIO(), io.BytesIO()
        with ftp_client(ftp, user) as client:
            size = client.size(path)
            client.retrbinary(f"RETR {path}", whole.write)
            client.retrbinary(f"RETR {path}", rest.write, rest=3_000_000)
        return size, whole.getvalue(), rest.getvalue()

    assert await asyncio.to_thread(read) == (len(IMAGE), IMAGE, IMAGE[3_000_000:])


@pytest.mark.parametrize(("user", "path"), [("log-token", "diag.zip"), ("anonymous", "log-token/some/folder/diag.zip")])
async def test_ftp_a_log_is_written(ftp, wanted, user, path):
    def write() -> str:
        with ftp_client(ftp, user) as client:
            return client.storbinary(f"STOR {path}", io.BytesIO(LOG))

    assert (await asyncio.to_thread(write)).startswith("226")
    assert (wanted.whole, wanted.name, wanted.content == LOG) == (True, "diag.zip", True)


async def test_ftp_a_station_that_goes_into_the_folder_first_and_uses_epsv(ftp, wanted):
    async with aioftp.Client.context(HOST, ftp, "log-token", "x", passive_commands=("epsv",)) as client:
        await client.change_directory("/log-token")
        async with client.upload_stream("d.log") as stream:
            await stream.write(b"lines")

    assert (wanted.whole, wanted.name, wanted.content) == (True, "d.log", b"lines")


FORBIDDEN = (
    "RETR x",
    "RETR /etc/passwd",
    "SIZE ../../etc/passwd",
    "DELE x",
    "MKD a",
    "RMD a",
    "RNFR a",
    "APPE x",
    "SITE X",
)


async def test_ftp_nothing_else_is_listed_reached_or_changed(ftp, wanted):
    def try_all() -> list[str]:
        lines: list[str] = []
        with ftp_client(ftp, "log-token") as client:
            client.retrlines("LIST /", lines.append)
            client.retrlines("MLSD /etc", lines.append)
            for command in FORBIDDEN:
                client.sendcmd("PASV")
                with pytest.raises(ftplib.error_perm, match=r"550|502"):
                    client.sendcmd(command)
        with ftp_client(ftp, "image-token") as client, pytest.raises(ftplib.error_perm, match="550"):
            client.storbinary("STOR fw.bin", io.BytesIO(b"worse"))
        return lines

    assert await asyncio.to_thread(try_all) == []
    assert wanted.content == b""


async def test_ftp_who_has_no_link_is_not_let_in_and_has_to_wait_in_the_end(ftp):
    def knock() -> list[str]:
        answers = []
        for _ in range(linked_files.MOST_FAILURES + 1):
            client = ftplib.FTP(timeout=20)
            try:
                client.connect(HOST, ftp)
                client.login("guess", "x")
            except (ftplib.error_perm, ftplib.error_temp) as error:
                answers.append(str(error)[:3])
            finally:
                client.close()
        return answers

    assert await asyncio.to_thread(knock) == ["530"] * linked_files.MOST_FAILURES + ["421"]


async def test_ftp_connections_are_bounded(ftp):
    def open_many() -> str:
        held = [ftp_client(ftp, "log-token") for _ in range(5)]
        try:
            ftp_client(ftp, "log-token")
        except ftplib.error_temp as error:
            return str(error)[:3]
        finally:
            for each in held:
                each.close()
        return ""

    assert await asyncio.to_thread(open_many) == "421"


@pytest.mark.parametrize(("full", "code"), [(True, "552"), (False, "451")])
async def test_ftp_why_a_file_is_not_taken_is_said(ftp, wanted, full, code):
    wanted.failure = RefusedError("There is no room.", is_full=full)

    def write() -> str:
        with ftp_client(ftp, "log-token") as client:
            client.voidcmd("TYPE I")
            with client.transfercmd("STOR a") as data, contextlib.suppress(ConnectionError):
                data.sendall(LOG)
            with pytest.raises(ftplib.Error) as refused:
                client.voidresp()
        return str(refused.value)

    assert await asyncio.to_thread(write) == f"{code} There is no room."


KILLED = """
import ftplib, os, sys
client = ftplib.FTP(timeout=20)
client.connect("127.0.0.1", int(sys.argv[1]))
client.login("log-token", "x")
client.voidcmd("TYPE I")
data = client.transfercmd("STOR a.log")
data.sendall(b"x" * 200000)
os.kill(os.getpid(), 9)
"""


async def test_ftp_of_a_station_that_dies_the_file_is_not_whole(ftp, wanted):
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", KILLED, str(ftp)], check=False)

    await eventually(lambda: asyncio.sleep(0.02, wanted.broke), bool, what="it broke off")
    assert not wanted.whole


async def test_sftp_an_image_is_read_at_any_place(sftp, tmp_path):
    async with sftp_connection(sftp, "image-token", None) as connection, connection.start_sftp_client() as client:
        await client.get("fw.bin", tmp_path / "whole")
        async with client.open("fw.bin", "rb") as file:
            await file.seek(3_000_000)
            rest = await file.read()
        size = await client.getsize("/files/fw.bin")

    assert ((tmp_path / "whole").read_bytes() == IMAGE, rest == IMAGE[3_000_000:], size) == (True, True, len(IMAGE))


@pytest.mark.parametrize(("user", "path"), [("log-token", "d.zip"), ("anonymous", "/files/log-token/d.zip")])
async def test_sftp_a_log_is_written(sftp, wanted, tmp_path, user, path):
    (tmp_path / "d.zip").write_bytes(LOG)
    async with sftp_connection(sftp, user) as connection, connection.start_sftp_client() as client:
        await client.put(tmp_path / "d.zip", path, preserve=True)

    assert (wanted.whole, wanted.name, wanted.content == LOG) == (True, "d.zip", True)


async def test_sftp_virtual_stations_load_and_send_files(sftp, wanted):
    loaded = await Download(f"sftp://image-token:any@{HOST}:{sftp}/fw.bin").load()
    to = f"sftp://log-token:any@{HOST}:{sftp}/"
    with pytest.raises(TransferError):
        await upload(to, "d.zip", LOG, Way.PUT, break_off=True)
    await eventually(lambda: asyncio.sleep(0.02, wanted.broke), bool, what="it broke off")
    half = wanted.whole, len(wanted.content)
    await upload(to, "d.zip", LOG, Way.PUT)
    with pytest.raises(TransferError):
        await Download(f"sftp://nobody:any@{HOST}:{sftp}/fw.bin").load()

    assert (loaded == IMAGE, half) == (True, (False, len(LOG) // 2))
    assert (wanted.whole, wanted.name, wanted.content == LOG) == (True, "d.zip", True)


async def test_sftp_pieces_ahead_of_each_other_are_put_in_order_and_a_hole_is_no_file(sftp, wanted):
    async with sftp_connection(sftp, "log-token") as connection, connection.start_sftp_client() as client:
        async with client.open("a", "wb") as file:
            await file.write(b"second", 5)
            await file.write(b"first", 0)
        assert (wanted.whole, wanted.content) == (True, b"firstsecond")
        wanted.whole = False
        with pytest.raises(asyncssh.SFTPFailure):
            async with client.open("a", "wb") as file:
                await file.write(b"behind a hole", 100)

    assert (wanted.whole, wanted.broke is not None) == (False, True)


async def test_sftp_of_a_station_that_goes_away_the_file_is_not_whole(sftp, wanted):
    connection = await sftp_connection(sftp, "log-token")
    client = await connection.start_sftp_client()
    file = await client.open("a", "wb")
    await file.write(b"x" * 100_000)
    connection.abort()

    await eventually(lambda: asyncio.sleep(0.02, wanted.broke), bool, what="it broke off")
    assert (wanted.whole, len(wanted.content)) == (False, 100_000)


async def test_sftp_a_full_disk_is_said(sftp, wanted):
    wanted.failure = RefusedError("There is no room.", is_full=True)
    async with sftp_connection(sftp, "log-token") as connection, connection.start_sftp_client() as client:
        with pytest.raises(asyncssh.SFTPError, match="no room"):
            async with client.open("a", "wb") as file:
                for place in range(0, len(LOG), 30_000):
                    await file.write(LOG[place : place + 30_000])


async def test_sftp_nothing_else_is_listed_reached_or_changed(sftp, wanted, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")
    async with sftp_connection(sftp, "image-token") as connection, connection.start_sftp_client() as client:
        assert await client.listdir("/") == []
        assert await client.listdir(str(tmp_path)) == []
        for doing in (
            client.open("fw.bin", "wb"),
            client.remove(str(secret)),
            client.mkdir("a"),
            client.rmdir("a"),
            client.rename(str(secret), "b"),
            client.posix_rename(str(secret), "b"),
            client.readlink(str(secret)),
            client.symlink(str(secret), "b"),
            client.link(str(secret), "b"),
            client.statvfs("/"),
        ):
            with pytest.raises(asyncssh.SFTPError):
                await doing
        with pytest.raises((asyncssh.ChannelOpenError, asyncssh.ProcessError)):
            await connection.run("id", check=True)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection(HOST, sftp)
    async with sftp_connection(sftp, "log-token") as connection, connection.start_sftp_client() as client:
        with pytest.raises(asyncssh.SFTPError):
            await client.open(str(secret), "rb")
    assert secret.read_text() == "s"


async def test_who_logs_in_is_not_logged(ftp, sftp, caplog):
    caplog.set_level(logging.DEBUG)
    await asyncio.to_thread(lambda: ftp_client(ftp, "image-token").quit())
    async with sftp_connection(sftp, "image-token"):
        pass

    assert "image-token" not in caplog.text


async def test_what_goes_over_a_link_is_counted():
    counted: list[tuple[int, dict[str, str]]] = []
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    link = Link(b"hash", "CS-1", "log", "1", "a.log", ends_at, ends_at)

    async def find(_token: str) -> Link:
        return link

    async def content(_link: Link) -> Content:
        return Content(len(IMAGE), "e", "text/plain", Image().read)

    async def receive(_link: Link, incoming: Incoming) -> None:
        async for _ in incoming.chunks:
            pass

    async def sent() -> AsyncIterator[bytes]:
        yield b"12345"

    opened = linked_files.opening(
        SimpleNamespace(find=find),
        {"log": SimpleNamespace(content=content, receive=receive)},
        Transfers(Limits(transfers=5, link_bytes_per_s=1e9, all_bytes_per_s=1e9)),
        SimpleNamespace(transferred=SimpleNamespace(add=lambda *what: counted.append(what))),
        "ftp",
    )
    file = await opened("token")
    assert [len(chunk) async for chunk in file.read(0, 1000)] == [1000]
    await file.receive("a.log", sent())

    assert counted == [(1000, {"purpose": "log"}), (5, {"purpose": "log"})]


def test_sftp_no_operation_of_the_library_is_left_that_reaches_files():
    """A new one in a new release fails here before it can."""
    harmless = {"convert_attrs", "format_longname", "format_user", "format_group", "exit", "reverse_map_path"}
    theirs = {name for name, each in vars(asyncssh.SFTPServer).items() if callable(each) and not name.startswith("_")}

    assert theirs - harmless - set(vars(_OneFile)) == set()


async def test_sftp_who_has_no_link_is_not_let_in_and_has_to_wait_in_the_end(sftp):
    for _ in range(linked_files.MOST_FAILURES + 1):
        with contextlib.suppress(asyncssh.Error, ConnectionError, OSError):
            async with sftp_connection(sftp, "guess"):
                raise AssertionError
    with pytest.raises((asyncssh.ConnectionLost, ConnectionError, asyncssh.DisconnectError)):
        async with sftp_connection(sftp, "image-token"):
            pass


def test_attempts_are_forgiven_after_a_while():
    now = 0.0
    attempts = Attempts(lambda: now)
    for _ in range(linked_files.MOST_FAILURES):
        assert attempts.may_try("h")
        attempts.failed("h")
    assert not attempts.may_try("h")
    assert attempts.may_try("other")
    now = 601.0
    assert attempts.may_try("h")


@pytest.mark.parametrize(
    ("user", "path", "led"),
    [
        ("T", "/a.log", ("T", "a.log")),
        ("T", "/x/../a.log", ("T", "")),
        ("T", "/", ("T", "")),
        ("anonymous", "/T/a.log", ("T", "a.log")),
        ("ftp", "/files/T/", ("T", "")),
        ("anonymous", "/", ("", "")),
    ],
)
def test_where_a_path_leads(user, path, led):
    assert led_by(user, path) == led

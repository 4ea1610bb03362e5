"""How a station loads a file, and sends one: HTTP, HTTPS, FTP and SFTP."""

import asyncio
import ftplib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final, cast
from urllib.parse import unquote, urlsplit

import asyncssh
import httpx

LARGEST_BYTES: Final = 64 * 1024 * 1024
_PIECE_BYTES: Final = 64 * 1024
_TIMEOUT_S: Final = 30.0


class TransferError(Exception):
    """A file that could not be loaded or sent."""


class Way(StrEnum):
    """How a station sends a file over HTTP; the field has both."""

    PUT = "the body of a PUT"
    POST = "the body of a POST"


class Download:
    """One file that is loaded; a try after one that broke off goes on where that ended."""

    def __init__(self, location: str) -> None:
        self._location = location
        self.content = bytearray()

    async def load(self, *, break_off: bool = False) -> bytes:
        """Return the file; with `break_off` the connection is lost after its first piece.

        Raises:
            TransferError: it cannot be had.
        """
        scheme = urlsplit(self._location).scheme
        if scheme == "ftp":
            return await asyncio.to_thread(_load_by_ftp, self._location)
        if scheme == "sftp":
            return await _load_by_sftp(self._location)
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
                await self._load(client, break_off=break_off)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransferError(repr(error)) from error
        return bytes(self.content)

    async def _load(self, client: httpx.AsyncClient, *, break_off: bool) -> None:
        known = len(self.content)
        headers = {"Range": f"bytes={known}-"} if known else {}
        async with client.stream("GET", self._location, headers=headers) as answer:
            if answer.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
                raise TransferError(f"HTTP {answer.status_code}")
            if answer.status_code == httpx.codes.OK:
                self.content.clear()
            async for piece in answer.aiter_bytes(_PIECE_BYTES):
                self.content += piece
                if len(self.content) > LARGEST_BYTES:
                    raise TransferError("larger than the station's memory")
                if break_off:
                    raise TransferError("broken off")


async def upload(location: str, name: str, content: bytes, way: Way, *, break_off: bool = False) -> None:
    """Send a file to a location; with `break_off` the connection is lost in the middle.

    Raises:
        TransferError: it was not taken.
    """
    scheme = urlsplit(location).scheme
    if scheme == "ftp":
        await asyncio.to_thread(_send_by_ftp, location, name, content)
        return
    if scheme == "sftp":
        await _send_by_sftp(location, name, content, break_off=break_off)
        return
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            body = _pieces(content, break_off=break_off)
            headers = {"Content-Length": str(len(content)), "Content-Type": "application/octet-stream"}
            answer = await client.request(way.name, location, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransferError(repr(error)) from error
    if not answer.is_success:
        raise TransferError(f"HTTP {answer.status_code}: {answer.text[:200]}")


async def _pieces(content: bytes, *, break_off: bool) -> AsyncIterator[bytes]:
    if break_off:
        yield content[: len(content) // 2]
        raise TransferError("broken off")
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


async def _load_by_sftp(location: str) -> bytes:
    async with _sftp(location) as (_, sftp), sftp.open(_path(location, ""), "rb") as file:
        content = bytearray()
        while piece := await file.read(_PIECE_BYTES):
            content += cast("bytes", piece)
            if len(content) > LARGEST_BYTES:
                raise TransferError("larger than the station's memory")
        return bytes(content)


async def _send_by_sftp(location: str, name: str, content: bytes, *, break_off: bool) -> None:
    async with _sftp(location) as (connection, sftp), sftp.open(_path(location, name), "wb") as file:
        if break_off:
            await file.write(content[: len(content) // 2])
            connection.abort()
            raise TransferError("broken off")
        for start in range(0, len(content), _PIECE_BYTES):
            await file.write(content[start : start + _PIECE_BYTES])


@asynccontextmanager
async def _sftp(location: str) -> AsyncIterator[tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]]:
    """Log in as the URL says; which host that is a station of the field does not check either."""
    parts = urlsplit(location)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    try:
        async with (
            asyncssh.connect(
                parts.hostname or "",
                parts.port or 22,
                username=user,
                password=password,
                known_hosts=None,
                client_keys=None,
                agent_path=None,
                config=None,
                connect_timeout=_TIMEOUT_S,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            yield connection, sftp
    except (OSError, asyncssh.Error) as error:
        raise TransferError(repr(error)) from error


def _path(location: str, name: str) -> str:
    path = unquote(urlsplit(location).path)
    return f"{path}{name}" if path.endswith("/") else path


def _load_by_ftp(location: str) -> bytes:
    taken = io.BytesIO()
    with _ftp(location) as ftp:
        try:
            ftp.retrbinary(f"RETR {urlsplit(location).path}", taken.write)
        except ftplib.all_errors as error:
            raise TransferError(repr(error)) from error
    return taken.getvalue()


def _send_by_ftp(location: str, name: str, content: bytes) -> None:
    path = urlsplit(location).path
    with _ftp(location) as ftp:
        try:
            ftp.storbinary(f"STOR {path}{name if path.endswith('/') else ''}", io.BytesIO(content))
        except ftplib.all_errors as error:
            raise TransferError(repr(error)) from error


def _ftp(location: str) -> ftplib.FTP:
    parts = urlsplit(location)
    ftp = ftplib.FTP(timeout=_TIMEOUT_S)  # noqa: S321 - stations of 1.6 know little else
    try:
        ftp.connect(parts.hostname or "", parts.port or 21)
        ftp.login(unquote(parts.username or "anonymous"), unquote(parts.password or ""))
    except ftplib.all_errors as error:
        ftp.close()
        raise TransferError(repr(error)) from error
    return ftp

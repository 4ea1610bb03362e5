"""FTP in: images are read and logs are written over the links of stations, for those that know little else.

Passive transfers alone, so that stations may stand behind a router. A file is whole when the data connection ends and
the control connection is still there: FTP has no other sign of it.

Spec: RFC 959, RFC 2428 (EPSV), RFC 3659 (REST, SIZE)
"""

import asyncio
import contextlib
import io
import ipaddress
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

import aioftp

from chargebus_firmware.links.api.linked_files import (
    Attempts,
    LinkedFile,
    OpenLink,
    RefusedError,
    is_anonymous,
    keep_secret,
    led_by,
)

_LOST_AT_THE_SAME_TIME_S: Final = 0.3
_BLOCK: Final = 64 * 1024
_NOTHING: Final = "There is nothing here for you."
_AS_THEY_ARE: Final = ("epsv", "list", "mlsd", "mlst", "pasv", "pwd", "rest", "syst", "user")


@dataclass(frozen=True)
class FtpOptions:
    """Where FTP is served.

    Attributes:
        host, port: where it listens.
        passive_ports: those of data connections.
        public_host: what stations are told to open them to; empty: where they came to.
        connections: how many there may be at once.
        idle_s: how long one may say nothing.
    """

    host: str
    port: int
    passive_ports: range
    public_host: str = ""
    connections: int = 64
    idle_s: float = 60.0


class FtpServer:
    """The FTP server of a process."""

    def __init__(self, open_link: OpenLink, options: FtpOptions) -> None:
        self._open_link = open_link
        self._options = options
        self._server: _Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is in use.
        """
        keep_secret("aioftp")
        options = self._options
        self._server = _Server(self._open_link, options, await _address(options.public_host))
        await self._server.start(options.host, options.port)

    async def stop(self) -> None:
        """Close all connections."""
        if self._server is not None:
            await self._server.close()


class _User(aioftp.User):
    """A link, or nobody."""


class _Users(aioftp.AbstractUserManager):
    """Lets in whoever has a link; nobody in particular as well, whose link stands in the path."""

    def __init__(self, open_link: OpenLink, logged_out: Callable[[aioftp.User], None]) -> None:
        super().__init__()
        self._open_link = open_link
        self._logged_out = logged_out

    async def get_user(self, login: str) -> tuple[aioftp.AbstractUserManager.GetUserResponse, _User, str]:
        user = _User(login, "", base_path="/", home_path="/")
        return aioftp.AbstractUserManager.GetUserResponse.PASSWORD_REQUIRED, user, "any password will do"

    async def authenticate(self, user: aioftp.User, password: str) -> bool:
        login = user.login or ""
        return is_anonymous(login) or await self._open_link(login) is not None

    async def notify_logout(self, user: aioftp.User) -> None:
        self._logged_out(user)


class _NoFiles(aioftp.AbstractPathIO[PurePosixPath]):
    """The file system: there is none."""

    async def exists(self, path: PurePosixPath) -> bool:
        return True

    async def is_dir(self, path: PurePosixPath) -> bool:
        return True

    async def is_file(self, path: PurePosixPath) -> bool:
        return False

    async def mkdir(self, path: PurePosixPath, *, parents: bool = False, exist_ok: bool = False) -> None:
        raise aioftp.PathIOError(reason=None)

    async def rmdir(self, path: PurePosixPath) -> None:
        raise aioftp.PathIOError(reason=None)

    async def unlink(self, path: PurePosixPath) -> None:
        raise aioftp.PathIOError(reason=None)

    async def list(self, path: PurePosixPath) -> AsyncIterator[PurePosixPath]:
        return
        yield

    async def stat(self, path: PurePosixPath) -> os.stat_result:
        return os.stat_result((stat.S_IFDIR | 0o311, 0, 0, 1, 0, 0, 0, 0, 0, 0))

    async def _open(self, path: PurePosixPath, mode: str) -> io.BytesIO:
        raise aioftp.PathIOError(reason=None)

    async def seek(self, file: io.BytesIO, offset: int, whence: int = io.SEEK_SET) -> int:
        raise aioftp.PathIOError(reason=None)

    async def write(self, file: io.BytesIO, data: bytes) -> int:
        raise aioftp.PathIOError(reason=None)

    async def read(self, file: io.BytesIO, block_size: int) -> bytes:
        raise aioftp.PathIOError(reason=None)

    async def close(self, file: io.BytesIO) -> None:
        raise aioftp.PathIOError(reason=None)

    async def rename(self, source: PurePosixPath, destination: PurePosixPath) -> PurePosixPath:
        raise aioftp.PathIOError(reason=None)


class _Server(aioftp.Server):
    """aioftp, with commands of its own for files, and without those that change or list anything."""

    def __init__(self, open_link: OpenLink, options: FtpOptions, address: str | None) -> None:
        super().__init__(
            _Users(open_link, self._forget),
            idle_timeout=options.idle_s,
            socket_timeout=options.idle_s,
            wait_future_timeout=10,
            path_io_factory=_NoFiles,  # type: ignore[arg-type]
            maximum_connections=options.connections,
            ipv4_pasv_forced_response_address=address,
            data_ports=options.passive_ports,
            block_size=_BLOCK,
            welcome_message="Chargebus",
        )
        self._open_link = open_link
        self._attempts = Attempts()
        commands = self.commands_mapping
        self.commands_mapping = {
            **{name: commands[name] for name in _AS_THEY_ARE},
            "abor": self.abor,
            "allo": self._nothing_to_do,
            "cdup": self.cdup,
            "cwd": self.cwd,
            "dele": self._refuse,
            "feat": self._features,
            "mkd": self._refuse,
            "mode": self._nothing_to_do,
            "noop": self._nothing_to_do,
            "opts": self._nothing_to_do,
            "pass": self.pass_,
            "quit": self.quit,
            "retr": self.retr,
            "rmd": self._refuse,
            "rnfr": self._refuse,
            "size": self.size,
            "stor": self.stor,
            "stru": self._nothing_to_do,
            "type": self._nothing_to_do,
        }

    async def dispatcher(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection, unless it comes from a host that failed too often."""
        host, *_ = writer.get_extra_info("peername") or ("",)
        if self._attempts.may_try(host):
            with contextlib.suppress(asyncio.CancelledError):  # by `close`, or as the station went away
                await super().dispatcher(reader, writer)
            return
        writer.write(b"421 Too many logins failed; try again later.\r\n")
        writer.close()

    async def parse_command(self, stream: Any, censor_commands: Any = ("pass",)) -> tuple[str, str]:
        """Return the next command; nobody has to say anything while a file is transferred.

        Raises:
            asyncio.CancelledError: the station went away, or has said nothing for too long: the connection ends.
        """
        while True:
            try:
                return await super().parse_command(stream, censor_commands)
            except TimeoutError:
                if not self.connections[stream].extra_workers:
                    raise asyncio.CancelledError from None
            except (ConnectionError, ValueError):  # a line that is too long, or no text
                raise asyncio.CancelledError from None

    async def pass_(self, connection: Any, rest: str) -> bool:
        """Log in; who fails too often is sent away."""
        host = connection.client_host
        if connection.future.logged.done() or not connection.future.user.done():
            connection.response("503", "Say USER first, and once.")
        elif not self._attempts.may_try(host):
            connection.response("421", "Too many logins failed; try again later.")
            return False
        elif await self.user_manager.authenticate(connection.user, rest):
            connection.logged = True
            connection.response("230", "Welcome.")
        else:
            self._attempts.failed(host)
            connection.response("530", "There is no such link, or it has ended.")
        return True

    async def cwd(self, connection: Any, rest: str | PurePosixPath) -> bool:
        """Go to a folder: whatever it is called, it is empty."""
        if _may(connection):
            _, connection.current_directory = self.get_paths(connection, rest)
            connection.response("250", "There is nothing here.")
        return True

    async def quit(self, connection: Any, rest: str | PurePosixPath) -> bool:
        """End, once what is being transferred is there."""
        if connection.extra_workers:
            await asyncio.wait(set(connection.extra_workers))
        return await super().quit(connection, rest)

    async def size(self, connection: Any, rest: str) -> bool:
        """Tell how large a file is. Spec: RFC 3659 4."""
        file, _ = await self._led_by(connection, rest) if _may(connection) else _NO_FILE
        if file is not None and file.size is not None:
            connection.response("213", str(file.size))
        elif connection.future.logged.done():
            connection.response("550", _NOTHING)
        return True

    async def retr(self, connection: Any, rest: str | PurePosixPath) -> bool:
        """Send a file, from where it was told to restart."""
        start, connection.restart_offset = connection.restart_offset, 0
        if not _may_transfer(connection):
            return True
        file, _ = await self._led_by(connection, str(rest))
        if file is None or file.size is None:
            connection.response("550", _NOTHING)
        elif start > file.size:
            connection.response("554", f"The file has {file.size} bytes.")
        else:
            _transfer(connection, partial(_send, file, start))
        return True

    async def stor(self, connection: Any, rest: str | PurePosixPath, mode: str = "wb") -> bool:
        """Take a file, from its beginning."""
        restart, connection.restart_offset = connection.restart_offset, 0
        if not _may_transfer(connection):
            return True
        file, name = await self._led_by(connection, str(rest))
        if file is None or file.size is not None:
            connection.response("550", _NOTHING)
        elif restart:
            connection.response("554", "Send the file from its beginning.")
        else:
            _transfer(connection, partial(_take, file, name))
        return True

    async def _led_by(self, connection: Any, path: str) -> tuple[LinkedFile | None, str]:
        _, whole = self.get_paths(connection, path)
        token, name = led_by(connection.user.login or "", str(whole))
        found = await self._open_link(token) if token else None
        if found is None and token:
            self._attempts.failed(connection.client_host)
        return found, name

    def _forget(self, user: aioftp.User) -> None:
        self.throttle_per_user.pop(user, None)

    async def _refuse(self, connection: Any, _rest: str) -> bool:
        connection.response("550", _NOTHING)
        return True

    async def _nothing_to_do(self, connection: Any, _rest: str) -> bool:
        connection.response("200", "All right.")
        return True

    async def _features(self, connection: Any, _rest: str) -> bool:
        connection.response("211", ["Features:", "EPSV", "REST STREAM", "SIZE", "UTF8", "End"], True)
        return True


_Work = Callable[[Any, Any], Awaitable[tuple[str, str]]]
_NO_FILE: Final = (None, "")


def _may(connection: Any) -> bool:
    """Tell whether a station is logged in, and tell it if not."""
    if not connection.future.logged.done():
        connection.response("530", "Log in first.")
        return False
    return True


def _may_transfer(connection: Any) -> bool:
    if not _may(connection):
        return False
    if not connection.future.passive_server.done():
        connection.response("503", "Say PASV or EPSV first.")
        return False
    return True


def _transfer(connection: Any, work: _Work) -> None:
    connection.extra_workers.add(asyncio.ensure_future(_over_data_connection(connection, work)))
    connection.response("150", "Opening the data connection.")


async def _over_data_connection(connection: Any, work: _Work) -> None:
    """Do what is to be done over a data connection, and tell how it went; it may be aborted."""
    try:
        stream = await asyncio.wait_for(
            asyncio.shield(connection.future.data_connection), connection.wait_future_timeout
        )
        del connection.data_connection
        async with stream:
            told = await work(connection, stream)
        connection.response(*told)
    except TimeoutError:
        connection.response("425", "There is no data connection.")
    except asyncio.CancelledError:
        connection.response("426", "Aborted.")
        connection.response("226", "It is aborted.")


async def _send(file: LinkedFile, start: int, _connection: Any, stream: Any) -> tuple[str, str]:
    try:
        async for chunk in file.read(start, file.size or 0):
            await stream.write(chunk)
    except RefusedError as error:
        return "451", str(error)
    except (ConnectionError, TimeoutError):
        return "426", "The data connection broke."
    return "226", "That was all."


async def _take(file: LinkedFile, name: str, connection: Any, stream: Any) -> tuple[str, str]:
    try:
        await file.receive(name, _received(connection, stream))
    except RefusedError as error:
        return "552" if error.is_full else "451", str(error)
    except (ConnectionError, TimeoutError):
        return "426", "It stopped half-way."
    return "226", "It is here."


async def _received(connection: Any, stream: Any) -> AsyncIterator[bytes]:
    """Yield what comes over a data connection.

    Raises:
        ConnectionResetError: it broke, or the control connection ended with it, as where a station loses its power.
    """
    if stream.writer.get_extra_info("peername")[0] != connection.client_host:
        raise ConnectionResetError("somebody else opened the data connection")
    while chunk := await stream.read(_BLOCK):
        yield chunk
    await asyncio.sleep(_LOST_AT_THE_SAME_TIME_S)
    if connection.command_connection.reader.at_eof():
        raise ConnectionResetError("the control connection ended as well")


async def _address(host: str) -> str | None:
    """Return the address of a host, as PASV tells it: of IPv4."""
    if not host:
        return None
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
        return str(found[0][4][0])

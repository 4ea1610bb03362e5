"""SFTP in: images are read and logs are written over the links of stations.

Nothing of the machine's own files can be reached: every operation that asyncssh would do on them is refused, but those
on the one file that a link leads to. There is no shell, no forwarding, no other subsystem.

Spec: draft-ietf-secsh-filexfer-02
"""

import asyncio
import errno
import os
import stat
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import asyncssh

from chargebus_firmware.links.api.linked_files import (
    Attempts,
    LinkedFile,
    OpenLink,
    Pushed,
    RefusedError,
    is_anonymous,
    keep_secret,
    led_by,
)

_BLOCK: Final = 256 * 1024
_BLOCKS_KEPT: Final = 8
_LOADED_AT_ONCE: Final = 4
_MOST_AHEAD: Final = 8 * 1024 * 1024
_LOGIN_WITHIN_S: Final = 20
_LOGIN: Final = "chargebus_login"


@dataclass(frozen=True)
class SftpOptions:
    """Where SFTP is served.

    Attributes:
        host, port: where it listens.
        host_key: the file of the key by which stations know this host, in OpenSSH's or PEM form.
        connections: how many there may be at once.
        idle_s: how long one may say nothing.
    """

    host: str
    port: int
    host_key: str
    connections: int = 64
    idle_s: float = 60.0


class SftpServer:
    """The SFTP server of a process."""

    def __init__(self, open_link: OpenLink, options: SftpOptions) -> None:
        self._open_link = open_link
        self._options = options
        self._attempts = Attempts()
        self._open: set[_Login] = set()
        self._listening: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError, asyncssh.KeyImportError: the port is in use, the key cannot be read.
        """
        keep_secret("asyncssh")
        options = self._options
        self._listening = await asyncssh.listen(
            options.host,
            options.port,
            server_factory=lambda: _Login(self._open_link, self._attempts, self._open, options.connections),
            server_host_keys=[options.host_key],
            sftp_factory=_OneFile,
            allow_scp=False,
            x11_forwarding=False,
            agent_forwarding=False,
            line_editor=False,
            encoding=None,
            login_timeout=_LOGIN_WITHIN_S,
            keepalive_interval=options.idle_s / 3,
            keepalive_count_max=3,
        )

    async def stop(self) -> None:
        """Close all connections."""
        if self._listening is not None:
            self._listening.close()
            for login in list(self._open):
                login.close()
            await self._listening.wait_closed()


class _Login(asyncssh.SSHServer):
    """A connection: whoever has a link is let in, with any password or none."""

    def __init__(self, open_link: OpenLink, attempts: Attempts, others: set["_Login"], most: int) -> None:
        self.open_link = open_link
        self.user = ""
        self.host = ""
        self.is_lost = False
        self._attempts = attempts
        self._others = others
        self._most = most
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        conn.set_extra_info(**{_LOGIN: self})
        self.host, *_ = conn.get_extra_info("peername") or ("",)
        self._others.add(self)
        if len(self._others) > self._most or not self._attempts.may_try(self.host):
            conn.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_lost = True
        self._others.discard(self)

    def close(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.abort()

    async def begin_auth(self, username: str) -> bool:
        self.user = username
        if is_anonymous(username) or await self.open_link(username) is not None:
            return False
        self._attempts.failed(self.host)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, _username: str, _password: str) -> bool:
        self._attempts.failed(self.host)
        return False

    async def led_by(self, path: str) -> tuple[LinkedFile | None, str]:
        """Return the file to which a path leads, and how it is called there."""
        token, name = led_by(self.user, path)
        found = await self.open_link(token) if token else None
        if found is None and token and not self._attempts.may_try(self.host):
            self.close()
        elif found is None and token:
            self._attempts.failed(self.host)
        return found, name


class _OneFile(asyncssh.SFTPServer):
    """What SFTP reaches: the file of a link."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(chan)
        self._login: _Login = chan.get_extra_info(_LOGIN)

    def map_path(self, path: bytes) -> bytes:
        """Refuse all that would reach the machine's own files."""
        raise asyncssh.SFTPPermissionDenied("there is nothing here for you")

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        file, name = await self._login.led_by(path.decode("utf-8", "replace"))
        if file is None:
            raise asyncssh.SFTPNoSuchFile("there is nothing here for you")
        if pflags & asyncssh.FXF_WRITE:
            if file.size is not None or pflags & asyncssh.FXF_APPEND:
                raise asyncssh.SFTPPermissionDenied("it cannot be written")
            return _Written(file, name)
        if file.size is None:
            raise asyncssh.SFTPPermissionDenied("it cannot be read")
        return _Read(file, file.size)

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs) -> object:
        raise asyncssh.SFTPOpUnsupported("version 3 of the protocol is served")

    async def close(self, file_obj: object) -> None:
        if isinstance(file_obj, _Written):
            lost = self._login.is_lost or self.channel.is_closing()
            await _told(file_obj.break_off() if lost else file_obj.complete())

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        if not isinstance(file_obj, _Read):
            raise asyncssh.SFTPPermissionDenied("it cannot be read")
        content: bytes = await _told(file_obj.read(offset, size))
        return content

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if not isinstance(file_obj, _Written):
            raise asyncssh.SFTPPermissionDenied("it cannot be written")
        await _told(file_obj.write(offset, data))
        return len(data)

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        file, name = await self._login.led_by(path.decode("utf-8", "replace"))
        if file is not None and file.size is not None and name:
            return _attrs(stat.S_IFREG | 0o400, file.size)
        if file is not None and name and "." in name:
            raise asyncssh.SFTPNoSuchFile("it is not there yet")
        return _attrs(stat.S_IFDIR | 0o311, 0)

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return await self.stat(path)

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        size = file_obj.size if isinstance(file_obj, _Read | _Written) else 0
        return _attrs(stat.S_IFREG | 0o400, size)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Let a client that keeps times and rights believe that it does."""

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Let a client that keeps times and rights believe that it does."""

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        """Let a client that keeps times and rights believe that it does."""

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        return
        yield

    def realpath(self, path: bytes) -> bytes:
        return b"/" + path.lstrip(b"/") if path not in (b"", b".") else b"/"

    def remove(self, path: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("nothing can be removed")

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        raise asyncssh.SFTPPermissionDenied("no folder can be made")

    def rmdir(self, path: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("nothing can be removed")

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("nothing can be renamed")

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("nothing can be renamed")

    def readlink(self, path: bytes) -> bytes:
        raise asyncssh.SFTPPermissionDenied("there are no links")

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("there are no links")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("there are no links")

    def lock(self, file_obj: object, offset: int, length: int, flags: int) -> None:
        raise asyncssh.SFTPOpUnsupported("nothing can be locked")

    def unlock(self, file_obj: object, offset: int, length: int) -> None:
        raise asyncssh.SFTPOpUnsupported("nothing can be locked")

    def statvfs(self, path: bytes) -> Any:
        raise asyncssh.SFTPOpUnsupported("that is nobody's business")

    def fstatvfs(self, file_obj: object) -> Any:
        raise asyncssh.SFTPOpUnsupported("that is nobody's business")

    def fsync(self, file_obj: object) -> None:
        """Nothing is to be done before the file is closed."""


class _Read:
    """A file that is read, at several places at once: what was read last is kept, by blocks."""

    def __init__(self, file: LinkedFile, size: int) -> None:
        self.size = size
        self._file = file
        self._blocks: OrderedDict[int, asyncio.Task[bytes]] = OrderedDict()
        self._loading = asyncio.Semaphore(_LOADED_AT_ONCE)  # clients ask far ahead, and each is a transfer

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        found, end = bytearray(), min(offset + size, self.size)
        while offset < end:
            block, within = divmod(offset, _BLOCK)
            piece = (await asyncio.shield(self._block(block)))[within : within + end - offset]
            found += piece
            offset += len(piece)
        return bytes(found)

    def seek(self, offset: int, whence: int) -> int:
        """Return where the next bytes or the next hole are, which asyncssh's clients ask for: there are no holes."""
        if offset >= self.size:
            raise OSError(errno.ENXIO, "behind the end")
        return offset if whence == os.SEEK_DATA else self.size

    def _block(self, block: int) -> "asyncio.Task[bytes]":
        reading = self._blocks.get(block)
        if reading is None or (reading.done() and reading.exception() is not None):
            reading = self._blocks[block] = asyncio.create_task(self._load(block))
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(block)
        return reading

    async def _load(self, block: int) -> bytes:
        start = block * _BLOCK
        async with self._loading:
            return b"".join([chunk async for chunk in self._file.read(start, min(start + _BLOCK, self.size))])


class _Written:
    """A file that is written: clients send pieces ahead of each other, which are put in order, within a bound."""

    def __init__(self, file: LinkedFile, name: str) -> None:
        self.size = 0
        self._pushed = Pushed(file, name)
        self._ahead: dict[int, bytes] = {}
        self._ahead_bytes = 0
        self._pushing = asyncio.Lock()

    async def write(self, offset: int, piece: bytes) -> None:
        """Take a piece.

        Raises:
            RefusedError: the file is not taken any more, or not in this order.
        """
        if offset < self.size or offset in self._ahead:
            raise RefusedError("Send the file from its beginning to its end.")
        self._ahead[offset] = piece
        self._ahead_bytes += len(piece)
        if self._ahead_bytes > _MOST_AHEAD:
            raise RefusedError("Send the file from its beginning to its end.")
        async with self._pushing:
            while (following := self._ahead.pop(self.size, None)) is not None:
                self.size += len(following)
                self._ahead_bytes -= len(following)
                await self._pushed.write(following)

    async def complete(self) -> None:
        """Say that this was all; a file with a hole in it is not whole."""
        if self._ahead:
            await self._pushed.break_off()
            raise RefusedError("A part of the file is missing.")
        await self._pushed.complete()

    async def break_off(self) -> None:
        """Say that no more comes."""
        await self._pushed.break_off()


async def _told(doing: Any) -> Any:
    """Tell as SFTP does why something cannot be."""
    try:
        return await doing
    except RefusedError as error:
        kind = asyncssh.SFTPNoSpaceOnFilesystem if error.is_full else asyncssh.SFTPFailure
        raise kind(str(error)) from error


def _attrs(mode: int, size: int) -> asyncssh.SFTPAttrs:
    return asyncssh.SFTPAttrs(permissions=mode, size=size, uid=0, gid=0, atime=0, mtime=0)

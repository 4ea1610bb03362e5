"""What FTP and SFTP have in common: the files behind links, who may log in, and where a path leads.

A link is the user (`ftp://TOKEN@host/name`, with any password), or the first part of the path after the user
`anonymous`. Nothing else is there: no path leads anywhere but to the file of the link, and nothing is listed.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from chargebus_objects import NoRoomError, ObjectsError, TooLargeError
from chargebus_runtime.away import MAYBE_AWAY, is_away

from chargebus_firmware.links.domain.link import Link, Transport, plain_name
from chargebus_firmware.links.errors import LinkError, RefusedTransferError
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.links.operations.purposes import Incoming, Purpose, Purposes
from chargebus_firmware.links.operations.transfers import Transfer, Transfers
from chargebus_firmware.metrics import Metrics

ANONYMOUS: Final = frozenset({"anonymous", "ftp"})
MOST_FAILURES: Final = 20
_FORGIVEN_AFTER_S: Final = 600.0
_HOSTS_KEPT: Final = 10_000
_WAITING: Final = 8
_FOLDER: Final = "files"
_OCTETS: Final = "application/octet-stream"


class LinkedFile(Protocol):
    """What a link leads to: a file to be read, or one to be written."""

    @property
    def size(self) -> int | None:
        """How many bytes may be read; None: it is there to be written."""
        ...

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes from `start` up to, and without, `end`."""
        ...

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Take a file of that name; what `chunks` raises means that it broke off.

        Raises:
            RefusedError: it is not taken.
        """
        ...


class RefusedError(Exception):
    """A file is not taken, or cannot be read; the text says why. `is_full`: there is no room, or not for so much."""

    def __init__(self, text: str, *, is_full: bool = False) -> None:
        super().__init__(text)
        self.is_full = is_full


class _OfLink:
    """The file of a link, as its purpose has it, at the pace of its link."""

    def __init__(self, found: "Found", transport: Transport, size: int | None) -> None:
        self.size = size
        self._found = found
        self._transport = transport

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes."""
        with _refused(), self._found.transfers.one(self._found.link) as transfer:
            content = await self._found.purpose.content(self._found.link)
            with self._found.counted(transfer):
                async for chunk in transfer.paced(content.read(start, end)):
                    yield chunk

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Take a file."""
        with _refused(), self._found.transfers.one(self._found.link) as transfer:
            link = self._found.link
            named = plain_name(name) if name else link.name
            incoming = Incoming(named, _OCTETS, None, transfer.paced(chunks), self._transport)
            with self._found.counted(transfer):
                await self._found.purpose.receive(link, incoming)


def keep_secret(library: str) -> None:
    """Keep a library from logging who logs in: that is the token of a link, which nobody else is to see."""
    logging.getLogger(library).setLevel(logging.WARNING)


class OpenLink(Protocol):
    """Finds what a token leads to."""

    async def __call__(self, token: str) -> LinkedFile | None:
        """Return it; None: to nothing, any more."""
        ...


@dataclass(frozen=True)
class Found:
    """A link, what it is for, and what bounds and counts its transfers."""

    link: Link
    purpose: Purpose
    transfers: Transfers
    metrics: Metrics

    @contextlib.contextmanager
    def counted(self, transfer: Transfer) -> Iterator[None]:
        """Count what goes over, however it ends."""
        try:
            yield
        finally:
            self.metrics.transferred.add(transfer.count, {"purpose": self.link.purpose})


def opening(links: Links, purposes: Purposes, transfers: Transfers, metrics: Metrics, transport: Transport) -> OpenLink:
    """Return what finds the files of links, for a transport."""

    async def open_link(token: str) -> LinkedFile | None:
        try:
            link = await links.find(token)
        except LinkError:
            return None
        found = Found(link, purposes[link.purpose], transfers, metrics)
        try:
            content = await found.purpose.content(link)
        except RefusedTransferError:
            return _OfLink(found, transport, None)
        return _OfLink(found, transport, content.size)

    return open_link


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """Tell why a file is not taken or given, in words for its station."""
    try:
        yield
    except (NoRoomError, TooLargeError) as error:
        raise RefusedError(str(error), is_full=True) from error
    except (LinkError, ObjectsError) as error:
        raise RefusedError(str(error)) from error
    except MAYBE_AWAY as error:
        if not is_away(error):
            raise
        raise RefusedError("A server that is needed does not answer. Try again later.") from error


class Attempts:
    """Counts logins that failed, by the host that they came from; who fails too often has to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def may_try(self, host: str) -> bool:
        """Tell whether a host may try to log in."""
        count, last = self._failures.get(host, (0, 0.0))
        return count < MOST_FAILURES or self._clock() - last > _FORGIVEN_AFTER_S

    def failed(self, host: str) -> None:
        """Take note of a token that leads to nothing."""
        count, last = self._failures.pop(host, (0, 0.0))
        now = self._clock()
        self._failures[host] = (1 if now - last > _FORGIVEN_AFTER_S else count + 1, now)
        if len(self._failures) > _HOSTS_KEPT:
            self._failures.popitem(last=False)


def is_anonymous(user: str) -> bool:
    """Tell whether a user is nobody, whose link stands in the path."""
    return user.lower() in ANONYMOUS


def led_by(user: str, path: str) -> tuple[str, str]:
    """Return the token and the name of the file to which a path of a user leads; empty: to none."""
    parts = [each for each in path.split("/") if each not in ("", ".")]
    if parts and parts[0] == _FOLDER and is_anonymous(user):
        parts = parts[1:]
    if is_anonymous(user):
        token, parts = (parts[0], parts[1:]) if parts else ("", [])
    else:
        token = user
    if ".." in parts:
        return token, ""
    return token, parts[-1] if parts else ""


class Pushed:
    """A file that is pushed piece by piece into what takes a stream."""

    def __init__(self, file: LinkedFile, name: str) -> None:
        self._pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(_WAITING)
        self._taking = asyncio.create_task(file.receive(name, self._chunks()))

    async def write(self, piece: bytes) -> None:
        """Push a piece.

        Raises:
            RefusedError: the file is not taken, or not any more.
        """
        await self._put(piece)

    async def complete(self) -> None:
        """Say that this was all, and wait until it is taken.

        Raises:
            RefusedError: it is not.
        """
        await self._put(None)
        await self._taking

    async def break_off(self) -> None:
        """Say that no more comes, though there was more."""
        if not self._taking.done():
            with contextlib.suppress(Exception):
                await self._put(ConnectionResetError("the connection ended"))
        with contextlib.suppress(Exception):
            await self._taking

    async def _put(self, piece: bytes | BaseException | None) -> None:
        putting = asyncio.ensure_future(self._pieces.put(piece))
        await asyncio.wait({putting, self._taking}, return_when=asyncio.FIRST_COMPLETED)
        if not putting.done():
            putting.cancel()
        if self._taking.done() and piece is not None:
            self._taking.result()
            raise RefusedError("It was taken already.")

    async def _chunks(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

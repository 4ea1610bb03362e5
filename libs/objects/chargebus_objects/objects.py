"""Objects by key: written and read in streams, whatever keeps them."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from chargebus_objects.errors import NoSuchObjectError, TooLargeError

if TYPE_CHECKING:
    from obstore import GetOptions

Chunks = AsyncIterator[bytes]

_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_PART_BYTES: Final = 5 * 1024 * 1024  # the least that S3 takes as a part
_PARTS_AT_ONCE: Final = 2
_READ_BYTES: Final = 256 * 1024
_RAISED: Final = (BaseError, OSError)  # all that the library raises


@dataclass(frozen=True)
class Stored:
    """An object that is written: its size in bytes, and the SHA-256 of its content."""

    size: int
    sha256: bytes


@dataclass(frozen=True)
class Listed:
    """An object that is there."""

    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class Place:
    """What keeps objects.

    Attributes:
        open: returns the library's store, at the first use.
        failure: makes what the library raises an error of ours, or returns it as it is.
        settle: makes sure that the object of a key outlives a loss of power.
        tidy: deletes what was begun so many seconds ago or more, and not written to its end.
    """

    open: Callable[[], LocalStore | S3Store]
    failure: Callable[[Exception], Exception]
    settle: Callable[[str], None] | None = None
    tidy: Callable[[float], None] | None = None


class Objects:
    """The objects of one place.

    A key is made of letters, digits, `.`, `_` and `-`, in parts joined by `/`, none of which begins with a dot. An
    object is there as a whole or not at all, however writing it ends. Every method may raise:

    Raises:
        ObjectsAwayError: the place does not answer.
        ValueError: the key is none.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    @cached_property
    def _store(self) -> LocalStore | S3Store:
        return self._place.open()

    async def put(self, key: str, chunks: Chunks, max_bytes: int) -> Stored:
        """Write an object in the place of any that is there, holding a few parts of it in memory at most.

        Raises:
            TooLargeError: there is more than `max_bytes`.
            NoRoomError: the disk is full.
            Exception: whatever `chunks` raises.
        """
        counted = _Counted(chunks, max_bytes)
        writing = asyncio.ensure_future(self._write(_checked(key), counted))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Cut off from inside: who writes takes away what is written then, and would not if it was cancelled.
            counted.stop()
            with contextlib.suppress(Exception):
                await asyncio.shield(writing)
            raise
        return Stored(counted.size, counted.sha256())

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield an object's bytes from `start`, which lies within it, up to, and without, `end`.

        Raises:
            NoSuchObjectError: there is none, when the first of it is asked for.
        """
        if end is not None and end <= start:
            return
        with self._failures(key):
            found = await obstore.get_async(self._store, _checked(key), options=_range(start, end))
            async for chunk in found.stream(min_chunk_size=_READ_BYTES):
                yield bytes(chunk)

    async def delete(self, key: str) -> None:
        """Take an object away; it need not be there."""
        with contextlib.suppress(NoSuchObjectError), self._failures(key):
            await obstore.delete_async(self._store, _checked(key))

    async def exists(self, key: str) -> bool:
        """Tell whether there is an object."""
        with contextlib.suppress(NoSuchObjectError), self._failures(key):
            await obstore.head_async(self._store, _checked(key))
            return True
        return False

    async def list(self, prefix: str) -> AsyncIterator[Listed]:
        """Yield the objects whose keys begin with the parts of `prefix`, in no order."""
        with self._failures(prefix):
            async for some in obstore.list(self._store, _checked(prefix)):
                for each in some:
                    yield Listed(each["path"], each["size"], each["last_modified"])

    async def tidy(self, older: timedelta) -> None:
        """Delete what processes that were killed had begun to write, and nobody has gone on with for so long.

        A folder has such files beside the objects; of storage that is compatible to S3, a rule of the bucket does it.
        """
        if self._place.tidy is not None:
            with self._failures("tidy"):
                await asyncio.to_thread(self._place.tidy, older.total_seconds())

    async def _write(self, key: str, counted: "_Counted") -> None:
        with self._failures(key, counted):
            beginning = await counted.at_most(_PART_BYTES)
            content = beginning if counted.ended else counted.from_beginning(beginning)
            await obstore.put_async(self._store, key, content, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
            if self._place.settle is not None:
                await asyncio.to_thread(self._place.settle, key)

    @contextlib.contextmanager
    def _failures(self, key: str, counted: "_Counted | None" = None) -> Iterator[None]:
        try:
            yield
        except _RAISED as error:
            if counted is not None and counted.failure is not None:
                raise counted.failure from None
            if isinstance(error, FileNotFoundError):
                raise NoSuchObjectError(f"There is no object {key}.") from error
            raise self._place.failure(error) from error


class _StoppedError(Exception):
    """Whoever wanted it written does not any more."""


class _Counted:
    """A stream whose bytes are counted and hashed as they go by; it ends with an error where there are too many."""

    def __init__(self, chunks: Chunks, max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._stopped = False
        self._coming: asyncio.Future[bytes | None] | None = None
        self.size = 0
        self.ended = False
        self.failure: Exception | None = None

    def sha256(self) -> bytes:
        """Return the hash of what went by."""
        return self._hash.digest()

    def stop(self) -> None:
        """Have it fail."""
        self._stopped = True
        if self._coming is not None:
            self._coming.cancel()

    async def at_most(self, wanted: int) -> bytes:
        """Return what comes until there are `wanted` bytes (or some more), or it ends."""
        found = bytearray()
        while len(found) < wanted and (chunk := await self._next()) is not None:
            found += chunk
        return bytes(found)

    async def from_beginning(self, beginning: bytes) -> AsyncIterator[bytes]:
        """Yield a beginning, and what comes after it."""
        yield beginning
        while (chunk := await self._next()) is not None:
            yield chunk

    async def _next(self) -> bytes | None:
        try:
            chunk = await self._received()
        except Exception as error:
            self.failure = error
            raise
        if chunk is None:
            self.ended = True
        return chunk

    async def _received(self) -> bytes | None:
        if self._stopped:
            raise _StoppedError
        self._coming = asyncio.ensure_future(anext(self._chunks, None))
        try:
            chunk = await self._coming
        except asyncio.CancelledError:
            if self._stopped:
                raise _StoppedError from None
            raise
        if chunk is None:
            return None
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise TooLargeError(f"It has more than the {self._max_bytes} bytes that it may have.")
        self._hash.update(chunk)
        return chunk


def _range(start: int, end: int | None) -> "GetOptions":
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of an object")
    return key

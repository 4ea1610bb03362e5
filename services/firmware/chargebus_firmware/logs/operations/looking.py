"""Files of logs are shown: streamed as they are, or looked into, which is done in threads, few at a time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from chargebus_objects import NoSuchObjectError, Objects, ObjectsError

from chargebus_firmware.logs.domain import archives
from chargebus_firmware.logs.domain.archives import Budget, Inside, Source, Text
from chargebus_firmware.logs.domain.log import Log, Upload
from chargebus_firmware.logs.errors import NoFileError
from chargebus_firmware.logs.store import files

T = TypeVar("T")

_AT_ONCE: Final = 2
_WITHIN_S: Final = 10.0
_PARTS_KEPT: Final = 4


class Files:
    """The files of logs."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._looking = asyncio.Semaphore(_AT_ONCE)

    async def content(self, log: Log, upload: Upload, start: int, end: int) -> AsyncIterator[bytes]:
        """Return bytes of an upload's file, the first of which are there.

        Raises:
            NoFileError: it is kept no longer. ObjectsAwayError: it cannot be read now.
        """
        chunks = files.read(self._objects, files.prefix_of(log.key, upload.number), start, end)
        try:
            first = await anext(chunks, b"")
        except NoSuchObjectError as error:
            raise NoFileError("Its file is kept no longer.") from error
        return _after(first, chunks)

    async def inside(self, log: Log, upload: Upload) -> Inside:
        """Return what is inside of a file.

        Raises:
            NoFileError: it is kept no longer. ObjectsAwayError: it cannot be read now.
        """
        return await self._look(
            log, upload, lambda source, budget: archives.inside(source, name_of(log, upload), budget)
        )

    async def text(self, log: Log, upload: Upload, entry: int, start: int, limit: int) -> Text:
        """Return a page of the text of an entry.

        Raises:
            LookError: there is no such entry, or it cannot be looked into.
            NoFileError: the file is kept no longer. ObjectsAwayError: it cannot be read now.
        """
        return await self._look(log, upload, lambda source, budget: archives.text(source, entry, start, limit, budget))

    async def _look(self, log: Log, upload: Upload, look: Callable[[Source, Budget], T]) -> T:
        async with self._looking:
            source = _Stored(self._objects, files.prefix_of(log.key, upload.number), upload.size)
            ends_at = time.monotonic() + _WITHIN_S
            budget = Budget(lambda: time.monotonic() > ends_at)
            try:
                return source.sound(await asyncio.to_thread(look, source, budget))
            except NoSuchObjectError as error:
                raise NoFileError("Its file is kept no longer.") from error


def shown_upload(log: Log, number: int | None) -> Upload:
    """Return the upload whose file is meant; None: the log's own.

    Raises:
        NoFileError: it has no file.
    """
    upload = log.shown if number is None else log.upload(number)
    if upload is None or log.state == "expired" or not upload.has_file:
        raise NoFileError(f"There is no file: the log is {log.state}.")
    return upload


def name_of(log: Log, upload: Upload) -> str:
    """Return how a file is called: as its station does, if it says."""
    return upload.name or log.answered_name or f"log-{log.log_id}"


class _Stored:
    """A file in the store, read by a thread; the parts that it read last are kept."""

    def __init__(self, objects: Objects, prefix: str, size: int) -> None:
        self._objects = objects
        self._prefix = prefix
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._parts: OrderedDict[int, bytes] = OrderedDict()
        self._failure: Exception | None = None

    def sound(self, found: T) -> T:
        """Return what was found, if all could be read that was wanted: who looks takes a file for broken otherwise."""
        if self._failure is not None:
            raise self._failure
        return found

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self._size

    def read_at(self, start: int, end: int) -> bytes:
        """Return bytes of it; waits for the event loop, which must go on meanwhile."""
        found = bytearray()
        while start < end:
            part, within = divmod(start, files.PART_BYTES)
            piece = self._part(part)[within : within + end - start]
            if not piece:
                raise EOFError("the file is shorter than it was")
            found += piece
            start += len(piece)
        return bytes(found)

    def _part(self, part: int) -> bytes:
        if part not in self._parts:
            try:
                self._parts[part] = asyncio.run_coroutine_threadsafe(self._read(part), self._loop).result()
            except ObjectsError as error:
                self._failure = error
                raise
            if len(self._parts) > _PARTS_KEPT:
                self._parts.popitem(last=False)
        self._parts.move_to_end(part)
        return self._parts[part]

    async def _read(self, part: int) -> bytes:
        start = part * files.PART_BYTES
        end = min(start + files.PART_BYTES, self._size)
        return b"".join([chunk async for chunk in files.read(self._objects, self._prefix, start, end)])


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk

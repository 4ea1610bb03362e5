"""Uploads that may be interrupted: kept piece by piece, put together once all is there.

A call that writes holds the upload for a moment, and says so again as long as it goes on: one that has died, or whose
client has gone without a word, holds it no longer than that.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from chargebus_objects import NoRoomError, NoSuchObjectError, Objects, TooLargeError
from chargebus_runtime.away import MAYBE_AWAY
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_firmware.images.domain.upload import Checksum, Piece, Upload
from chargebus_firmware.images.errors import (
    BrokenOffError,
    BusyUploadError,
    ChecksumError,
    HasContentError,
    UnfitContentError,
    UnknownImageError,
    UnknownUploadError,
    WrongOffsetError,
)
from chargebus_firmware.images.operations.contents import WRITTEN_WITHIN, Contents, check_size
from chargebus_firmware.images.store import images, leftovers, uploads

log = logging.getLogger(__name__)

HELD_FOR: Final = timedelta(seconds=15)
"""How long a call that says nothing more holds an upload."""

_SAID_EVERY_S: Final = 5.0
_PIECE_BYTES: Final = 4 * 1024 * 1024
_EXPIRED_AT_ONCE: Final = 50
_REFUSALS: Final = (UnfitContentError, HasContentError, UnknownImageError, TooLargeError)


class Uploads:
    """The uploads of images; one that does not go on for `keep` is given up."""

    def __init__(self, database: Database, objects: Objects, contents: Contents, keep: timedelta) -> None:
        self._database = database
        self._objects = objects
        self._contents = contents
        self._keep = keep
        self._expired = DueWork(database, _EXPIRED_AT_ONCE, self._take_expired, self._give_up)

    @property
    def max_bytes(self) -> int:
        """How large an image may be."""
        return self._contents.max_bytes

    async def create(self, image_id: str, size: int) -> Upload:
        """Begin an upload.

        Raises:
            UnknownImageError, HasContentError: the image waits for none.
            TooLargeError: it is larger than an image may be.
        """
        check_size(size, self.max_bytes)
        async with self._database.transaction() as tx:
            image = await images.lock(tx.connection, image_id)
            if image is None:
                raise UnknownImageError(f"There is no image {image_id}.")
            if image.url is not None or image.state == "ready":
                raise HasContentError("This image has its content, which does not change: make another image.")
            upload = Upload(uuid4().hex, image_id, size, tx.now, tx.now + self._keep)
            await uploads.add(tx.connection, upload)
        return upload

    async def find(self, image_id: str, upload_id: str) -> Upload:
        """Return an upload.

        Raises:
            UnknownUploadError: there is none, or none any more.
        """
        async with self._database.pool.acquire() as connection:
            return _known(await uploads.find(connection, image_id, upload_id))

    async def append(
        self, at: tuple[str, str], offset: int, chunks: AsyncIterator[bytes], checksum: Checksum | None = None
    ) -> Upload:
        """Take what follows at an offset; once all is there, the image gets its content.

        What comes is kept even where it breaks off; with a checksum only as a whole.

        Args:
            at: the image's id, and the upload's.
            offset: how much is received.
            chunks: what follows.
            checksum: what its hash has to be.

        Raises:
            UnknownUploadError: there is no such upload.
            BusyUploadError, WrongOffsetError: another call writes to it, or it does not go on from there.
            ChecksumError, TooLargeError, BrokenOffError: what comes is not as it should be.
            UnfitContentError, HasContentError: all is there, and is not what the image waits for.
            ObjectsError: the disk is full, or the storage is away.
        """
        upload = await self._take(at, offset)
        writing = _Writing(self._database, upload, self._keep)
        try:
            if checksum is None:
                await self._receive(writing, chunks)
            else:
                await self._receive_checked(writing, chunks, checksum)
            if writing.upload.received == upload.size:
                return await self._finish(writing)
        finally:
            await asyncio.shield(writing.release())
        return writing.upload

    async def end(self, image_id: str, upload_id: str) -> None:
        """Give an upload up.

        Raises:
            UnknownUploadError: there is none.
            BusyUploadError: a call writes to it.
        """
        async with self._database.transaction() as tx:
            upload = _known(await uploads.lock(tx.connection, upload_id), image_id)
            if upload.is_busy(tx.now):
                raise BusyUploadError("Another call writes to this upload.")
            await self._give_up(tx, [upload])

    async def tidy(self) -> None:
        """Finish what is whole and was left so by a process that died; give up what does not go on."""
        while await self._finish_one():
            pass
        await self._expired.sweep()

    async def _take(self, at: tuple[str, str], offset: int) -> Upload:
        image_id, upload_id = at
        async with self._database.transaction() as tx:
            upload = _known(await uploads.lock(tx.connection, upload_id), image_id)
            if upload.is_busy(tx.now):
                raise BusyUploadError("Another call writes to this upload.")
            if upload.state != "open":
                raise HasContentError(upload.reason or "This upload is done.")
            if offset != upload.received:
                raise WrongOffsetError(f"This upload goes on at the offset {upload.received}, and not at {offset}.")
            return await self._hold(tx, upload)

    async def _hold(self, tx: Transaction, upload: Upload) -> Upload:
        held = replace(upload, busy_by=uuid4().hex, busy_until=tx.now + HELD_FOR)
        await uploads.keep(tx.connection, held)
        return held

    async def _receive(self, writing: "_Writing", chunks: AsyncIterator[bytes]) -> None:
        """Keep what comes, piece by piece."""
        async for content in _cut(writing.followed(chunks)):
            await writing.advance([await self._keep_piece(writing.upload, writing.upload.received, content)])

    async def _receive_checked(self, writing: "_Writing", chunks: AsyncIterator[bytes], checksum: Checksum) -> None:
        """Keep what comes, all of it or nothing."""
        hashed, kept = checksum.begin(), []
        position = writing.upload.received
        async for content in _cut(writing.followed(chunks)):
            hashed.update(content)
            kept.append(await self._keep_piece(writing.upload, position, content))
            position += len(content)
        if hashed.digest() != checksum.digest:
            for each in kept:
                await self._objects.delete(each.object_key)
            raise ChecksumError("What came is not what was sent: its checksum differs. Nothing of it is kept.")
        await writing.advance(kept)

    async def _keep_piece(self, upload: Upload, start: int, content: bytes) -> Piece:
        key = f"{_folder(upload.upload_id)}{start:015d}-{(upload.busy_by or '')[:8]}"
        await self._objects.put(key, _once(content), len(content))
        return Piece(upload.upload_id, start, len(content), key)

    async def _finish(self, writing: "_Writing") -> Upload:
        """Put an upload together.

        Raises:
            UnfitContentError, HasContentError, UnknownImageError, TooLargeError: it is refused, and shows why.
        """
        upload = writing.upload
        async with self._database.pool.acquire() as connection:
            pieces = await uploads.pieces(connection, upload.upload_id)
        try:
            async with writing.going_on():
                content = self._read(writing, pieces)
                await self._contents.put(upload.image_id, content, lambda tx: self._end(tx, upload))
        except _REFUSALS as error:
            return await self._refuse(upload, error)
        except NoSuchObjectError:
            lost = UnfitContentError("A part of what was received is not there any more: upload it again.")
            return await self._refuse(upload, lost)
        return replace(upload, state="done", busy_by=None, busy_until=None)

    async def _refuse(self, upload: Upload, refusal: Exception) -> Upload:
        async with self._database.transaction() as tx:
            held = await uploads.lock(tx.connection, upload.upload_id)
            if held is not None and held.state == "done":
                return held  # by another call, which had taken it over
            await self._end(tx, upload, str(refusal))
        raise refusal

    async def _end(self, tx: Transaction, upload: Upload, refusal: str | None = None) -> None:
        """Say that an upload is done, with the image that has its content by it, or refused; its pieces are left over.

        One that is not there any more needs no end.
        """
        if await uploads.lock(tx.connection, upload.upload_id) is None:
            return
        ended = replace(upload, state="done", busy_by=None, busy_until=None, expires_at=tx.now + WRITTEN_WITHIN)
        if refusal is not None:
            ended = replace(ended, state="refused", reason=refusal)
        await uploads.keep(tx.connection, ended)
        await uploads.delete_pieces(tx.connection, [upload.upload_id])
        await leftovers.note(tx.connection, [_folder(upload.upload_id)], tx.now)

    async def _read(self, writing: "_Writing", pieces: list[Piece]) -> AsyncIterator[bytes]:
        for piece in pieces:
            async for chunk in self._objects.read(piece.object_key):
                yield chunk
            await writing.say()

    async def _finish_one(self) -> bool:
        async with self._database.transaction() as tx:
            taken_at = tx.now
            whole = await uploads.take_whole(tx.connection, tx.now)
            held = None if whole is None else await self._hold(tx, whole)
        if held is None:
            return False
        writing = _Writing(self._database, held, self._keep)
        tried_at: datetime | None = None
        try:
            await self._finish(writing)
        except _REFUSALS:
            pass  # the upload and the image tell it
        except (NoRoomError, BusyUploadError) as error:
            log.warning("the upload %s is whole, and cannot be finished now: %s", held.upload_id, error)
            tried_at = taken_at  # the others come first now
            return False
        finally:
            await asyncio.shield(writing.release(tried_at))
        return True

    async def _take_expired(self, tx: Transaction, limit: int) -> list[Upload]:
        return await uploads.take_expired(tx.connection, tx.now, limit)

    async def _give_up(self, tx: Transaction, given_up: Sequence[Upload]) -> int:
        names = [each.upload_id for each in given_up]
        await uploads.delete(tx.connection, names)
        await leftovers.note(tx.connection, [_folder(name) for name in names], tx.now)
        return len(names)


class _Writing:
    """One call that writes to an upload."""

    def __init__(self, database: Database, upload: Upload, keep: timedelta) -> None:
        self._database = database
        self._keep = keep
        self._said_at = time.monotonic()
        self.upload = upload

    async def followed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what comes, and say that it goes on.

        Raises:
            TooLargeError: there is more than was said.
        """
        left = self.upload.size - self.upload.received
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise TooLargeError(f"This upload has {self.upload.size} bytes as was said, and no more.")
            await self.say()
            yield chunk

    async def say(self) -> None:
        """Say that it goes on, where that was not said for a while."""
        if time.monotonic() - self._said_at > _SAID_EVERY_S:
            await self.advance([])

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Say that it goes on for as long as the context lasts, also while nothing is read."""
        saying = asyncio.create_task(self._keep_saying())
        try:
            yield
        finally:
            saying.cancel()
            await asyncio.wait({saying})

    async def _keep_saying(self) -> None:
        with suppress(BusyUploadError):  # who reads on finds it out, and who has read all may end it
            while True:
                await asyncio.sleep(_SAID_EVERY_S)
                with suppress(*MAYBE_AWAY):
                    await self.say()

    async def advance(self, pieces: list[Piece]) -> None:
        """Keep pieces that follow.

        Raises:
            BusyUploadError: another call has taken the upload over.
        """
        async with self._database.transaction() as tx:
            received = await uploads.advance(
                tx.connection,
                self.upload,
                pieces,
                busy_until=tx.now + HELD_FOR,
                expires_at=tx.now + self._keep,
            )
        if received is None:
            raise BusyUploadError("Another call has taken this upload over.")
        self.upload = replace(self.upload, received=received)
        self._said_at = time.monotonic()

    async def release(self, tried_at: datetime | None = None) -> None:
        """Let other calls write; where that cannot be said, they wait for a moment."""
        with suppress(*MAYBE_AWAY):
            async with self._database.pool.acquire() as connection:
                await uploads.release(connection, self.upload, tried_at)


async def _cut(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what comes in pieces; the last one also where it breaks off."""
    piece = bytearray()
    try:
        async for chunk in chunks:
            piece += chunk
            if len(piece) >= _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
    except BrokenOffError:
        if piece:
            yield bytes(piece)
        raise
    if piece:
        yield bytes(piece)


def _known(upload: Upload | None, image_id: str | None = None) -> Upload:
    if upload is None or image_id not in (None, upload.image_id):
        raise UnknownUploadError("There is no such upload, or it did not go on for too long.")
    return upload


def _folder(upload_id: str) -> str:
    return f"uploads/{upload_id}/"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content

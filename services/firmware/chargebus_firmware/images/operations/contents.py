"""The content of an image: written, checked, and only then the image's."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import uuid4

from chargebus_objects import Objects, TooLargeError
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database, Transaction

from chargebus_firmware.images.domain.image import Image, content_objection
from chargebus_firmware.images.errors import HasContentError, UnfitContentError, UnknownImageError
from chargebus_firmware.images.store import images, leftovers
from chargebus_firmware.links.domain.link import Link
from chargebus_firmware.links.errors import RefusedTransferError
from chargebus_firmware.links.operations.purposes import Content, Incoming
from chargebus_firmware.metrics import Metrics

WRITTEN_WITHIN: Final = timedelta(days=1)
"""How long a content is written at most; what is not an image's by then is taken away."""

_LEFTOVERS_AT_ONCE: Final = 20
_OCTETS: Final = "application/octet-stream"


Taken: TypeAlias = Callable[[Transaction], Awaitable[None]]
"""Told within the transaction that a content is taken."""


class Contents:
    """The contents of images; `max_bytes` is how large one may be."""

    def __init__(self, database: Database, objects: Objects, metrics: Metrics, clock: Clock, max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._objects = objects
        self._metrics = metrics
        self.max_bytes = max_bytes

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], taken: Taken | None = None) -> Image:
        """Take the content of an image, checked against what is said of it.

        Args:
            image_id: which.
            chunks: its content.
            taken: what else is so, in the same transaction, once the content is the image's.

        Raises:
            UnknownImageError, HasContentError: the image waits for none.
            UnfitContentError: it is not what it should be. The image shows why, and may be given another.
            ObjectsError: it is too large, the disk is full, or the storage is away.
        """
        key = f"images/{image_id}/{uuid4().hex}"
        async with self._database.transaction() as tx:
            _waiting(await images.find(tx.connection, image_id), image_id)
            await leftovers.note(tx.connection, [key], tx.now + WRITTEN_WITHIN)
        md5 = hashlib.md5(usedforsecurity=False)
        stored = await self._objects.put(key, _hashed(chunks, md5.update), self.max_bytes)
        self._metrics.received.add(stored.size)
        async with self._database.transaction() as tx:
            image = _waiting(await images.lock(tx.connection, image_id), image_id)
            sha256 = stored.sha256.hex()
            objection = content_objection(image, sha256)
            if objection is None:
                image = replace(
                    image,
                    state="ready",
                    reason=None,
                    object_key=key,
                    size=stored.size,
                    sha256=sha256,
                    md5=md5.hexdigest(),
                    ready_at=tx.now,
                )
                await leftovers.drop(tx.connection, [key])
                if taken is not None:
                    await taken(tx)
            else:
                image = replace(image, state="refused", reason=objection)
                await leftovers.note(tx.connection, [key], tx.now)
            await images.keep(tx.connection, image)
        self._metrics.contents.add(1, {"outcome": image.state})
        if objection is not None:
            raise UnfitContentError(objection)
        return image

    async def content(self, link: Link) -> Content:
        """Return what a station fetches by a link whose target is an image.

        Raises:
            RefusedTransferError: there is no such image any more.
        """
        async with self._database.pool.acquire() as connection:
            image = await images.find(connection, link.target_id)
        if image is None or image.object_key is None or image.size is None or image.sha256 is None:
            raise RefusedTransferError("There is no such image any more.")
        key = image.object_key
        return Content(image.size, image.sha256, _OCTETS, lambda start, end: self._objects.read(key, start, end))

    async def receive(self, _link: Link, _incoming: Incoming) -> None:
        """Refuse what a station sends.

        Raises:
            RefusedTransferError: always.
        """
        raise RefusedTransferError("This link is for fetching an image.")

    async def take_leftovers_away(self) -> None:
        """Delete the objects that nothing names; two copies that do so at once do no harm."""
        now = self._clock()
        while due := await self._due(now):
            for name in due:
                await self._take_away(name)
            async with self._database.pool.acquire() as connection:
                await leftovers.drop(connection, due)

    async def tidy(self) -> None:
        """Delete what processes that died had begun to write."""
        await self._objects.tidy(WRITTEN_WITHIN)

    async def _take_away(self, name: str) -> None:
        if not name.endswith("/"):
            await self._objects.delete(name)
            return
        async for each in self._objects.list(name.rstrip("/")):
            await self._objects.delete(each.key)

    async def _due(self, now: datetime) -> list[str]:
        async with self._database.pool.acquire() as connection:
            return await leftovers.due(connection, now, _LEFTOVERS_AT_ONCE)


def _waiting(image: Image | None, image_id: str) -> Image:
    if image is None:
        raise UnknownImageError(f"There is no image {image_id}.")
    if image.url is not None:
        raise HasContentError(f"The content of this image lies at {image.url}.")
    if image.state == "ready":
        raise HasContentError("This image has its content, which does not change: make another image.")
    return image


async def _hashed(chunks: AsyncIterator[bytes], update: Callable[[bytes], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        update(chunk)
        yield chunk


def check_size(size: int, most: int) -> None:
    """Refuse an announced size before anything comes.

    Raises:
        TooLargeError: it is larger than an image may be.
    """
    if size > most:
        raise TooLargeError(f"An image has {most} bytes at most (FIRMWARE_IMAGES_MAX_BYTES), and this one has {size}.")

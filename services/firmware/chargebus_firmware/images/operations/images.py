"""What is done with images over HTTP, and for updates, each in one transaction."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from chargebus_runtime.database import Database

from chargebus_firmware.images.domain.image import Described, Image, content_objection, misfit, objections
from chargebus_firmware.images.errors import Objection, UnfitImageError, UnknownImageError, UsedImageError
from chargebus_firmware.images.store import images, leftovers, uploads
from chargebus_firmware.links.domain.link import plain_name
from chargebus_firmware.stations.domain import Station

InUse = Callable[[asyncpg.Connection, str], Awaitable[str | None]]
"""Says what uses an image, within the transaction in which it is locked; None: nothing."""


@dataclass(frozen=True)
class Filter:
    """Which images are meant; None: all."""

    vendor: str | None = None
    version: str | None = None


class Images:
    """Images: described, shown, deleted; and found for those who install them."""

    def __init__(self, database: Database, in_use: Sequence[InUse] = ()) -> None:
        self._database = database
        self._in_use = in_use

    async def create(self, described: Described, by: str) -> Image:
        """Describe a new image; one that lies elsewhere is ready, any other waits for its content.

        Raises:
            UnfitImageError: what is said cannot be.
        """
        async with self._database.transaction() as tx:
            image = _new(described, by, tx.now)
            found = list(objections(image, tx.now))
            if image.url is not None and not found:
                found += _of_content(image)
            if found:
                raise UnfitImageError(found)
            await images.add(tx.connection, image)
        return image

    async def page(self, before: str, wanted: Filter, limit: int) -> list[Image]:
        """Return up to `limit` images, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await images.page(connection, before, wanted.vendor, wanted.version, limit)

    async def find(self, image_id: str) -> Image:
        """Return an image.

        Raises:
            UnknownImageError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            return _known(await images.find(connection, image_id), image_id)

    async def delete(self, image_id: str) -> None:
        """Delete an image, its uploads, and what is kept of them.

        Raises:
            UnknownImageError: there is none.
            UsedImageError: it is in use.
        """
        async with self._database.transaction() as tx:
            image = _known(await images.lock(tx.connection, image_id), image_id)
            for in_use in self._in_use:
                if (by := await in_use(tx.connection, image_id)) is not None:
                    raise UsedImageError(f"This image is in use: {by}.")
            of_image = [each.upload_id for each in await uploads.lock_of_image(tx.connection, image_id)]
            await uploads.delete(tx.connection, of_image)
            await images.delete(tx.connection, image_id)
            keys = [image.object_key] if image.object_key is not None else []
            await leftovers.note(tx.connection, [*keys, *(f"uploads/{each}/" for each in of_image)], tx.now)

    async def usable(self, connection: asyncpg.Connection, image_ids: Collection[str]) -> Mapping[str, Image]:
        """Return those images that can be installed; none of them is deleted until the transaction ends."""
        held = await images.hold(connection, image_ids)
        return {image_id: image for image_id, image in held.items() if image.state == "ready"}

    async def misfits(
        self, connection: asyncpg.Connection, image_id: str, wanted: Sequence[Station]
    ) -> Mapping[str, str]:
        """Return why an image is not for some of these stations, by station."""
        image = await images.find(connection, image_id)
        if image is None:
            return {}
        makes = {each.station_id: each.make for each in wanted}
        found = {
            station_id: misfit(image, make.vendor, make.model, make.firmware_version)
            for station_id, make in makes.items()
        }
        return {station_id: why for station_id, why in found.items() if why is not None}


def _new_id(now: datetime) -> str:
    """Return an id whose order is that of time.

    Spec: RFC 9562 5.7 (UUID, version 7)
    """
    milliseconds = int(now.timestamp() * 1000)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


def _new(described: Described, by: str, now: datetime) -> Image:
    return Image(
        image_id=_new_id(now),
        name=described.name,
        version=described.version,
        vendor=described.vendor,
        models=described.models,
        from_versions=described.from_versions,
        same_version=described.same_version,
        file_name=plain_name(described.file_name or described.name),
        url=described.url,
        expected_sha256=described.sha256,
        signing_certificate=described.signing_certificate,
        signature=described.signature,
        created_at=now,
        created_by=by,
        state="empty" if described.url is None else "ready",
        sha256=None if described.url is None else described.sha256,
        ready_at=None if described.url is None else now,
    )


def _of_content(image: Image) -> list[Objection]:
    """Return what is wrong with a signature of what lies elsewhere, of which only the hash is known."""
    what = content_objection(image, image.sha256 or "")
    return [] if what is None else [Objection("signature", what)]


def _known(image: Image | None, image_id: str) -> Image:
    if image is None:
        raise UnknownImageError(f"There is no image {image_id}.")
    return image

"""What is done about publications over HTTP and by time, each in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from chargebus_commanding import Ask, Commanding, Form
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.sealing import Sealing, SealingError
from chargebus_runtime.tasks import DueWork

from chargebus_firmware.images.operations.images import Images
from chargebus_firmware.keys import Key
from chargebus_firmware.links import store as link_store
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.publications import store
from chargebus_firmware.publications.domain import (
    PUBLICATION,
    Publication,
    PublicationWanted,
    after,
    asked,
    is_to_ask,
    probed,
    to_unpublish,
)
from chargebus_firmware.publications.errors import (
    BusyControllerError,
    SecretError,
    UnfitPublicationError,
    UnknownControllerError,
    UnknownImageError,
    UnknownPublicationError,
    UnpublishedError,
)
from chargebus_firmware.publications.routes import (
    PROBE,
    PUBLISH,
    UNPUBLISH,
    probe_forms,
    publish_forms,
    unpublish_forms,
)
from chargebus_firmware.stations import store as stations

_AT_ONCE: Final = 100
_TTL_S: Final = 60.0
_LINK_FOR: Final = timedelta(days=7)
_PRUNED_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Times:
    """How long a controller may take to answer, and say nothing; how long what is over is kept."""

    answer_s: float
    silent_s: float
    keep: timedelta


@dataclass(frozen=True)
class File:
    """A file that is to be published; an empty URL: it is kept here."""

    checksum: str
    version: str
    url: str = ""
    name: str = ""


class ImageFiles:
    """The files that are published: images that are kept here or known of, and what lies elsewhere."""

    def __init__(self, images: Images, links: Links, sealing: Sealing) -> None:
        self._images = images
        self._links = links
        self._sealing = sealing

    async def find(self, tx: Transaction, wanted: PublicationWanted) -> File:
        """Return the file that is meant.

        Raises:
            UnknownImageError, UnfitPublicationError: there is no such image; its MD5 is not known, or another.
        """
        if not wanted.image_id:
            return File(wanted.checksum, wanted.version, wanted.url)
        image = (await self._images.usable(tx.connection, [wanted.image_id])).get(wanted.image_id)
        if image is None:
            raise UnknownImageError(f"There is no image {wanted.image_id!r}, or it has no content yet.")
        if image.url is None and (why := self._links.why_not(wanted.over, self._sealing)):
            raise UnfitPublicationError(why)
        if image.md5 is not None and wanted.checksum not in ("", image.md5):
            raise UnfitPublicationError(f"checksum: the MD5 of this image is {image.md5}.")
        checksum = image.md5 or wanted.checksum
        if not checksum:
            raise UnfitPublicationError("checksum: the image lies elsewhere, and its MD5 is not known here.")
        return File(checksum, image.version, image.url or "", image.file_name)

    async def locate(self, tx: Transaction, wanted: PublicationWanted, file: File) -> str:
        """Return from where the controller fetches the file: its URL, or a new link; older ones end."""
        if file.url:
            return file.url
        await link_store.end(tx.connection, [wanted.station_id], PUBLICATION, tx.now)
        ends_at = tx.now + _LINK_FOR
        return await self._links.make(
            tx, wanted.station_id, PUBLICATION, wanted.image_id, ends_at, name=file.name, over=wanted.over
        )


async def in_publication(connection: asyncpg.Connection, image_id: str) -> str | None:
    """Return what uses an image: a publication that is under way."""
    found = next((each for each in await store.under_way(connection) if each.image_id == image_id), None)
    return None if found is None else f"{found.station_id} is about to publish it ({found.publication_id})"


class Publications:
    """Has local controllers publish firmware, and take it away again."""

    def __init__(self, database: Database, commanding: Commanding, files: ImageFiles, times: Times) -> None:
        self._database = database
        self._commanding = commanding
        self._files = files
        self._times = times
        self._due = DueWork(database, _AT_ONCE, self._take_due, self._carry_out)

    async def publish(self, wanted: PublicationWanted, key: Key) -> tuple[Publication, bool]:
        """Have a controller publish a file; return that, and whether it is new: under one key it is the same.

        Raises:
            UnknownControllerError, BusyControllerError: there is none; it is at another, or has this one already.
            UnknownImageError, UnfitPublicationError: there is no such image; it cannot be published like that.
            SecretError: the address holds a secret, and there is no key to seal it with.
            KeyUsedError: something else was asked under the key.
        """
        async with self._database.transaction() as tx:
            before = await store.by_key(tx.connection, key)
            if before is not None:
                return before, False
            known = (await stations.lock(tx.connection, [wanted.station_id])).get(wanted.station_id)
            if known is None or not known.is_known:
                raise UnknownControllerError(
                    f"No station {wanted.station_id!r} is known here. Register it with POST /v1/stations first."
                )
            file = await self._files.find(tx, wanted)
            for other in await store.lock_open(tx.connection, wanted.station_id, file.checksum):
                raise BusyControllerError(_busy_with(other))
            new = Publication(
                uuid4(),
                wanted.station_id,
                await store.next_id(tx.connection),
                file.url,
                file.checksum,
                tx.now,
                file.version,
                wanted.image_id,
                wanted.retries,
                wanted.retry_interval_s,
            )
            publication = asked(new, tx.now)
            location = await self._files.locate(tx, wanted, file)
            try:
                await self._commanding.ask(tx, self._ask(publication, PUBLISH, publish_forms(publication, location)))
            except SealingError as error:
                raise SecretError(f"url: {error}") from error
            await store.add(tx, publication, self._times.silent_s, key)
        return publication, True

    async def unpublish(self, publication_id: UUID) -> Publication:
        """Have a controller take a file away.

        Raises:
            UnknownPublicationError, UnpublishedError: there is none; it is not published.
        """
        async with self._database.transaction() as tx:
            known = await store.lock(tx.connection, [publication_id])
            publication = known.get(publication_id)
            if publication is None:
                raise _unknown(publication_id)
            if publication.state != "published":
                raise UnpublishedError(f"It is {publication.state}: only what is published can be taken back.")
            publication = to_unpublish(publication, tx.now)
            await self._commanding.ask(tx, self._ask(publication, UNPUBLISH, unpublish_forms(publication)))
            await store.change(tx, known, [publication], self._times.silent_s)
        return publication

    async def find(self, publication_id: UUID) -> Publication:
        """Return a publication.

        Raises:
            UnknownPublicationError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = await store.find(connection, publication_id)
        if found is None:
            raise _unknown(publication_id)
        return found

    async def page(self, station_id: str, before: int | None, limit: int) -> Sequence[Publication]:
        """Return up to `limit` publications, the newest first; an empty station is any."""
        async with self._database.pool.acquire() as connection:
            return await store.page(connection, station_id, before, limit)

    async def sweep(self) -> None:
        """Ask how those are that are silent, and give them up."""
        await self._due.sweep()

    async def prune(self) -> None:
        """Drop what is over for long enough."""
        async with self._database.transaction() as tx:
            await store.prune(tx.connection, tx.now - self._times.keep, _PRUNED_AT_ONCE)

    async def _take_due(self, tx: Transaction, limit: int) -> Sequence[Publication]:
        return await store.take_due(tx.connection, tx.now, limit)

    async def _carry_out(self, tx: Transaction, due: Sequence[Publication]) -> int:
        done = []
        for publication in due:
            each = after(publication, tx.now, self._times.silent_s)
            if is_to_ask(each, tx.now, self._times.silent_s):
                await self._commanding.ask(tx, self._ask(each, PROBE, probe_forms()))
                each = probed(each, tx.now)
            done.append(each)
        await store.change(tx, {each.publication_id: each for each in due}, done, self._times.silent_s)
        return len(due)

    def _ask(self, publication: Publication, intent: str, forms: tuple[Form, ...]) -> Ask:
        return Ask(
            publication.station_id,
            intent,
            forms,
            timeout_s=self._times.answer_s,
            ttl_s=_TTL_S,
            subject=str(publication.publication_id),
        )


def _busy_with(other: Publication) -> str:
    if other.is_under_way:
        return f"It is at another publication: {other.publication_id} ({other.state}). Wait for its end."
    return f"It has this file already: {other.publication_id} ({other.state}). Unpublish that first."


def _unknown(publication_id: UUID) -> UnknownPublicationError:
    return UnknownPublicationError(f"There is no publication {publication_id}.")

"""Images, read and written."""

from collections.abc import Collection
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_firmware.images.domain.image import Image
from chargebus_firmware.images.store.tables import ImageRow

_ROWS: Final = Rows(ImageRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM image "  # noqa: S608 - names of columns, not what anybody says
_INSERT: Final = _ROWS.insert()
_KEEP: Final = _ROWS.upsert()
_FIND: Final = _SELECT + "WHERE image_id = ANY($1)"
_HOLD: Final = _FIND + " ORDER BY image_id FOR SHARE"
_LOCK: Final = _FIND + " FOR UPDATE"
# The newest first: an id begins with the time at which it was made.
_PAGE: Final = (
    _SELECT
    + """
WHERE ($1 = '' OR image_id < $1) AND ($2::text IS NULL OR vendor = $2) AND ($3::text IS NULL OR version = $3)
ORDER BY image_id DESC LIMIT $4
"""
)
_DELETE: Final = "DELETE FROM image WHERE image_id = $1"


async def add(connection: asyncpg.Connection, image: Image) -> None:
    """Add an image."""
    await connection.execute(_INSERT, *_ROWS.arguments([image]))


async def keep(connection: asyncpg.Connection, image: Image) -> None:
    """Keep what has become of an image."""
    await connection.execute(_KEEP, *_ROWS.arguments([image]))


async def find(connection: asyncpg.Connection, image_id: str) -> Image | None:
    """Return an image."""
    rows = await connection.fetch(_FIND, [image_id])
    return _image(rows[0]) if rows else None


async def hold(connection: asyncpg.Connection, image_ids: Collection[str]) -> dict[str, Image]:
    """Return images that nobody deletes until the transaction ends."""
    return {row["image_id"]: _image(row) for row in await connection.fetch(_HOLD, list(image_ids))}


async def lock(connection: asyncpg.Connection, image_id: str) -> Image | None:
    """Return an image, locked until the transaction ends."""
    rows = await connection.fetch(_LOCK, [image_id])
    return _image(rows[0]) if rows else None


async def page(
    connection: asyncpg.Connection, before: str, vendor: str | None, version: str | None, limit: int
) -> list[Image]:
    """Return up to `limit` images, the newest first."""
    return [_image(row) for row in await connection.fetch(_PAGE, before, vendor, version, limit)]


async def delete(connection: asyncpg.Connection, image_id: str) -> None:
    """Delete an image."""
    await connection.execute(_DELETE, image_id)


def _image(row: asyncpg.Record) -> Image:
    values = dict(row)
    values["models"], values["from_versions"] = tuple(row["models"]), tuple(row["from_versions"])
    return Image(**values)

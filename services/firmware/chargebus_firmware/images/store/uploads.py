"""Uploads and their pieces, read and written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_firmware.images.domain.upload import Piece, Upload
from chargebus_firmware.images.store.tables import PieceRow, UploadRow

_ROWS: Final = Rows(UploadRow)
_PIECES: Final = Rows(PieceRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM image_upload "  # noqa: S608 - names of columns, not what anybody says
_INSERT: Final = _ROWS.insert()
_KEEP: Final = _ROWS.upsert()
_FIND: Final = _SELECT + "WHERE upload_id = $1 AND image_id = $2"
_LOCK: Final = _SELECT + "WHERE upload_id = $1 FOR UPDATE"
_OF_IMAGE: Final = _SELECT + "WHERE image_id = $1 FOR UPDATE"
_WHOLE: Final = (
    _SELECT
    + """
WHERE state = 'open' AND received = size AND COALESCE(busy_until, made_at) <= $1
ORDER BY COALESCE(busy_until, made_at), upload_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
)
_EXPIRED: Final = (
    _SELECT
    + """
WHERE expires_at < $1 AND COALESCE(busy_until, made_at) <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
)
_ADVANCE: Final = """
UPDATE image_upload SET received = received + $3::bigint, busy_until = $4,
    expires_at = CASE WHEN $3::bigint > 0 THEN $5 ELSE expires_at END
WHERE upload_id = $1 AND busy_by = $2 RETURNING received
"""
_RELEASE: Final = "UPDATE image_upload SET busy_by = NULL, busy_until = $3 WHERE upload_id = $1 AND busy_by = $2"
_ADD_PIECES: Final = _PIECES.insert()
_OF_UPLOAD: Final = f"SELECT {_PIECES.select()} FROM image_piece WHERE upload_id = $1 ORDER BY start"  # noqa: S608
_DELETE: Final = "DELETE FROM image_upload WHERE upload_id = ANY($1)"
_DELETE_PIECES: Final = "DELETE FROM image_piece WHERE upload_id = ANY($1)"


async def add(connection: asyncpg.Connection, upload: Upload) -> None:
    """Add an upload."""
    await connection.execute(_INSERT, *_ROWS.arguments([upload]))


async def keep(connection: asyncpg.Connection, upload: Upload) -> None:
    """Keep what has become of an upload."""
    await connection.execute(_KEEP, *_ROWS.arguments([upload]))


async def find(connection: asyncpg.Connection, image_id: str, upload_id: str) -> Upload | None:
    """Return an upload of an image."""
    row = await connection.fetchrow(_FIND, upload_id, image_id)
    return None if row is None else Upload(**row)


async def lock(connection: asyncpg.Connection, upload_id: str) -> Upload | None:
    """Return an upload, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, upload_id)
    return None if row is None else Upload(**row)


async def lock_of_image(connection: asyncpg.Connection, image_id: str) -> list[Upload]:
    """Return the uploads of an image, locked."""
    return [Upload(**row) for row in await connection.fetch(_OF_IMAGE, image_id)]


async def take_whole(connection: asyncpg.Connection, now: datetime) -> Upload | None:
    """Return an upload that is whole and that no call finishes, the one that was tried longest ago first, locked.

    What others hold is passed over.
    """
    row = await connection.fetchrow(_WHOLE, now)
    return None if row is None else Upload(**row)


async def take_expired(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Upload]:
    """Return up to `limit` uploads that did not go on for too long, locked; what others hold is passed over."""
    return [Upload(**row) for row in await connection.fetch(_EXPIRED, now, limit)]


async def advance(
    connection: asyncpg.Connection,
    upload: Upload,
    pieces: Sequence[Piece],
    *,
    busy_until: datetime,
    expires_at: datetime,
) -> int | None:
    """Keep pieces that follow; return how much is received then, or None if another call has taken the upload over.

    Only what comes anew moves when it expires.
    """
    more = sum(piece.size for piece in pieces)
    received = await connection.fetchval(_ADVANCE, upload.upload_id, upload.busy_by, more, busy_until, expires_at)
    if received is not None and pieces:
        await connection.execute(_ADD_PIECES, *_PIECES.arguments(pieces))
    return None if received is None else int(received)


async def release(connection: asyncpg.Connection, upload: Upload, tried_at: datetime | None = None) -> None:
    """Let other calls write to an upload; one that was tried then is taken again only after the others."""
    await connection.execute(_RELEASE, upload.upload_id, upload.busy_by, tried_at)


async def pieces(connection: asyncpg.Connection, upload_id: str) -> list[Piece]:
    """Return the pieces of an upload in their order."""
    return [Piece(**row) for row in await connection.fetch(_OF_UPLOAD, upload_id)]


async def delete_pieces(connection: asyncpg.Connection, upload_ids: Sequence[str]) -> None:
    """Forget the pieces of uploads; their objects are leftovers then."""
    await connection.execute(_DELETE_PIECES, list(upload_ids))


async def delete(connection: asyncpg.Connection, upload_ids: Sequence[str]) -> None:
    """Forget uploads and their pieces; their objects are leftovers then."""
    await delete_pieces(connection, upload_ids)
    await connection.execute(_DELETE, list(upload_ids))

"""The files of logs, in the store of objects: in parts of one size, so that a piece of one that breaks off is kept."""

from collections.abc import AsyncIterator
from typing import Final

from chargebus_objects import Objects

PART_BYTES: Final = 1024 * 1024


async def put_part(objects: Objects, prefix: str, part: int, content: bytes) -> None:
    """Keep a part of a file.

    Raises:
        NoRoomError, ObjectsAwayError: it is not kept.
    """
    await objects.put(_key(prefix, part), _once(content), PART_BYTES)


async def read(objects: Objects, prefix: str, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from `start` up to, and without, `end`.

    Raises:
        NoSuchObjectError: they are not there. ObjectsAwayError: they cannot be read now.
    """
    while start < end:
        part, within = divmod(start, PART_BYTES)
        until = min(within + end - start, PART_BYTES)
        async for chunk in objects.read(_key(prefix, part), within, until):
            yield chunk
        start += until - within


async def drop(objects: Objects, prefix: str) -> None:
    """Delete all below a prefix."""
    for key in [each.key async for each in objects.list(prefix)]:
        await objects.delete(key)


def prefix_of(key: str, number: int) -> str:
    """Return where the file of an upload of a log lies."""
    return f"{key}/{number}"


def _key(prefix: str, part: int) -> str:
    return f"{prefix}/{part:06}"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content

"""What links may be for: a table of purposes, each with what gives or takes the bytes."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chargebus_firmware.links.domain.link import Link, Transport


@dataclass(frozen=True)
class Content:
    """What a link gives.

    Attributes:
        size: in bytes.
        etag: the same for the same bytes, and no others, without quotes.
        media_type: of the bytes.
        read: yields the bytes from a start up to, and without, an end.
    """

    size: int
    etag: str
    media_type: str
    read: Callable[[int, int], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Incoming:
    """What a station sends; `size` as announced, None where it is not. `chunks` raises `BrokenOffError`."""

    name: str
    media_type: str
    size: int | None
    chunks: AsyncIterator[bytes]
    transport: Transport = "http"


class Purpose(Protocol):
    """One thing that links are for."""

    async def content(self, link: Link) -> Content:
        """Return what the link gives.

        Raises:
            RefusedTransferError: it gives nothing.
            ObjectsError: it cannot be read now.
        """
        ...

    async def receive(self, link: Link, incoming: Incoming) -> None:
        """Take what a station sends; once this returns, the station is told that it is kept.

        What is wanted once only is refused here when it comes again.

        Raises:
            RefusedTransferError: nothing, or nothing more, is wanted.
            ObjectsError: too large, no room, or the storage is away.
        """
        ...


Purposes = Mapping[str, Purpose]

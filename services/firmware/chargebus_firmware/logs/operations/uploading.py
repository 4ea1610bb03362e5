"""What links are for that stations send files of logs by."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NoReturn

from chargebus_commanding import Transaction
from chargebus_objects import NoRoomError, ObjectsAwayError
from chargebus_objects import TooLargeError as LargeObjectError

from chargebus_firmware.links.domain.link import Link, Transport
from chargebus_firmware.links.errors import BrokenOffError as BrokenTransferError
from chargebus_firmware.links.errors import RefusedTransferError
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.links.operations.purposes import Content, Incoming
from chargebus_firmware.logs.domain.log import Arrival
from chargebus_firmware.logs.errors import (
    BrokenOffError,
    DiskFullError,
    LogError,
    StoreAwayError,
    TooLargeError,
    TooSlowError,
)
from chargebus_firmware.logs.operations.receiving import Receiver
from chargebus_firmware.logs.payload import file_name

PURPOSE: Final = "log"


class Uploads:
    """Takes files of logs by links, each of which is one log's."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def content(self, _link: Link) -> Content:
        """Give nothing.

        Raises:
            RefusedTransferError: always.
        """
        raise RefusedTransferError("By this link a file is sent, and none is fetched.")

    async def receive(self, link: Link, incoming: Incoming) -> None:
        """Take the file of a log: one that is whole, however often it is tried before that.

        Raises:
            RefusedTransferError: it is not wanted any more.
            BrokenTransferError, ObjectsError: it is not whole, too large, or cannot be kept.
        """
        name = "" if incoming.name == link.name else file_name(incoming.name)
        try:
            await self._receiver.receive(int(link.target_id), Arrival(incoming.transport, name), incoming.chunks)
        except LogError as error:
            _tell(error)


class UploadLinks:
    """Makes the links by which logs are uploaded."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def make(self, tx: Transaction, station_id: str, log_id: int, ends_at: datetime, over: Transport) -> str:
        """Return the URL of a new one; a file that comes twice is refused by the log, which shows it."""
        return await self._links.make(tx, station_id, PURPOSE, str(log_id), ends_at, name=f"log-{log_id}", over=over)

    def offers(self, over: Transport) -> bool:
        """Tell whether links are served over a transport."""
        return self._links.offers(over)

    @property
    def has_choice(self) -> bool:
        """Whether anything else is served beside HTTP."""
        return self._links.has_choice

    def chosen(self, protocols: Collection[str]) -> Transport:
        """Return over what a station sends a file that says that it knows these protocols."""
        return self._links.chosen(protocols)


def _tell(error: LogError) -> NoReturn:
    """Raise what tells a station why its file is not taken."""
    match error:
        case DiskFullError():
            raise NoRoomError(str(error)) from error
        case StoreAwayError():
            raise ObjectsAwayError(str(error)) from error
        case TooLargeError():
            raise LargeObjectError(str(error)) from error
        case BrokenOffError() | TooSlowError():
            raise BrokenTransferError(str(error)) from error
        case _:
            raise RefusedTransferError(str(error)) from error

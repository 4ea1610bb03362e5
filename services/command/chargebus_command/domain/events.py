"""What happens to a station's queue: requests, connections, reports of its edge."""

from datetime import datetime
from typing import Literal

import msgspec

from chargebus_command.domain.state import NO_REPLY, Command, Reply, StationConnection

DeliveryResult = Literal["answered", "refused", "timed_out", "undeliverable", "pending", "connection_lost"]


class Asked(msgspec.Struct, frozen=True):
    """Somebody wants the command carried out; it was never seen before.

    `refused`: it could not be handled when it came first, and who asked was told so.
    """

    command: Command
    refused: bool = False


class Connected(msgspec.Struct, frozen=True):
    """The log of presence tells of a connection: a new one, or one that asserts itself again."""

    connection: StationConnection


class Disconnected(msgspec.Struct, frozen=True):
    """The log of presence tells that the connection `epoch` ended."""

    epoch: int


class Registered(msgspec.Struct, frozen=True):
    """The registry tells whether the station is one of ours."""

    registered: bool


class Delivered(msgspec.Struct, frozen=True):
    """The edge says what became of a command on connection `epoch`.

    `undeliverable`: it was never written to the socket. `pending`: nor is it to be, until the station is accepted.
    `connection_lost`: it was, and the socket ended first. `sent_at` tells the attempts at one command apart, where the
    edge says it.
    """

    command_id: str
    epoch: int
    result: DeliveryResult
    reply: Reply = NO_REPLY
    sent_at: datetime | None = None


Event = Asked | Connected | Disconnected | Registered | Delivered

"""What a link takes and what it wants done: its only way to act on the world."""

from datetime import datetime
from typing import Literal

import msgspec
from chargebus_events.commands import DeliveryResult
from chargebus_events.frames import RpcError

from chargebus_edge.routes import Route

Event = Literal[
    "unreadable",
    "refused",
    "overflow",
    "forgotten",
    "unknown_answer",
    "result_refused",
    "send_dropped",
    "repeated_command",
    "repeated_answer",
]
"""What a link has seen that an operator may want to know of; each is counted."""


class StationCommand(msgspec.Struct, frozen=True):
    """A command as it came down; `sent_at` tells a record that came twice from a command that was sent again.

    `write_until` and `answer_due` are seconds of the link's clock: it is not written at or after the one, and its
    answer was to be there at the other.
    """

    command_id: str
    action: str
    payload: bytes
    timeout_s: float
    sent_at: datetime
    write_until: float
    answer_due: float


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Put a CALL or SEND on Kafka; `number` counts the connection's frames from 1 and addresses the answer."""

    number: int
    route: Route
    message_id: str
    payload: bytes


class SendText(msgspec.Struct, frozen=True, gc=False):
    """Write a frame to the socket; if a command's cannot be written, the link is told (`unwritten`)."""

    text: str
    is_command: bool = False


class Report(msgspec.Struct, frozen=True):
    """Tell the `command` service what became of a command; the fields are those of a `Delivery`."""

    command: StationCommand
    result: DeliveryResult
    payload: bytes | None = None
    error: RpcError | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """Count an event, and log it now and then; `about` says in words what happened, `action` to which frame."""

    event: Event
    about: str = ""
    action: str = ""


Output = Publish | SendText | Report | Note

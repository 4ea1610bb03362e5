"""What the protocol of a connection wants done: its only way to act on the world."""

from typing import Literal

import msgspec
from chargebus_ocppj.deviations import Deviation

from chargebus_edge.log.commands import Report
from chargebus_edge.log.frames import Publish

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
    "deviating",
    "oversized",
]
"""What a connection has seen that an operator may want to know of; each is counted."""


class SendText(msgspec.Struct, frozen=True, gc=False):
    """Write a frame to the socket; if a command's cannot be written, the protocol is told (`unwritten`)."""

    text: str
    is_command: bool = False


class Note(msgspec.Struct, frozen=True, gc=False):
    """Count an event, and log it now and then; `about` says in words what happened, `action` to which frame.

    `code` is that of the CALLERROR of a frame that was refused for what the station sent, where no `Deviating` tells.
    """

    event: Event
    about: str = ""
    action: str = ""
    code: str = ""


class Deviating(msgspec.Struct, frozen=True, gc=False):
    """Count in what ways a frame of an action broke its schema, and whether it was refused for it."""

    action: str
    deviations: tuple[Deviation, ...]
    refused: bool = False


Effect = Publish | SendText | Report | Note | Deviating

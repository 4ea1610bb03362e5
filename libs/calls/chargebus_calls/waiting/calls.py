"""What waits, what is done for it, and how it ends."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from chargebus_events.frames import Frame
from chargebus_events.record import Record
from chargebus_runtime.database import Transaction


class WaitingCall(msgspec.Struct, frozen=True):
    """A call that waits; `content` is the same for calls that ask the same, where anybody wants to know that."""

    frame: Frame
    content: str = ""


class Came(msgspec.Struct, frozen=True):
    """How many calls came of a station lately, and how many of them wait."""

    calls: int = 0
    waiting: int = 0


class Ended(msgspec.Struct, frozen=True):
    """How a call ended, in a word of the service, and the record that tells of it."""

    outcome: str
    record: Record


Finish = Callable[[Transaction], Awaitable[Ended]]
"""Returns how a call ends, in the transaction that ends it."""

Work = Callable[[WaitingCall], Awaitable[Finish]]
"""Finds out, outside of any transaction, what a call needs."""


class Kind(msgspec.Struct, frozen=True):
    """What is done for the calls of an action.

    Attributes:
        work: finds out what a call needs.
        lease: how long a copy may be about a call before another one takes it.
        of_station: how many calls of a station all copies are about at the same time; None: as many as there are.
    """

    work: Work
    lease: timedelta
    of_station: int | None = None

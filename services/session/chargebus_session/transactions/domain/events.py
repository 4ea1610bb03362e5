"""Owns what a station can report of a transaction, in the words of OCPP 2.x."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_session.tokens.domain import NOBODY_SHOWN, IdToken

Kind = Literal["Started", "Updated", "Ended"]

STEPS: Final[dict[Kind, int]] = {"Started": 0, "Updated": 1, "Ended": 2}

CLOCK_IMPLAUSIBLE: Final = "clock_implausible"
TIMESTAMP_UNREADABLE: Final = "timestamp_unreadable"
SEQUENCE_MISSING: Final = "sequence_number_missing"
"""The mark of an event that came without its seqNo: `number` only says where it stands among others."""
PAYER_UNREADABLE: Final = "token_unreadable"
"""The mark of an event that told who charges, in a way that nobody can read."""
CLOCKLESS: Final = frozenset({CLOCK_IMPLAUSIBLE, TIMESTAMP_UNREADABLE})
"""Marks of a time that tells nothing, so that two of them may be the same by chance."""

BEGIN: Final = "Transaction.Begin"
END: Final = "Transaction.End"

_AHEAD = timedelta(hours=1)
_OFFLINE = timedelta(days=400)


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of the import register, in Wh; `index` is its place in the message.

    With a `phase` it is of that alone. An `interval` is no register but what was taken since the one before it.
    """

    at: datetime
    wh: float
    context: str
    location: str
    index: int
    phase: str = ""
    interval: bool = False


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to a transaction.

    `number` is OCPP 2.x's seqNo. `content` stands for all that the station said: an event is the same as another if
    that is the same, not if only the number is. `at` is the station's time, `received_at` ours. `starts` says that
    `token` is there to charge, not to stop, and `by_remote_start` that it is the one of the remote start, as the
    station named that and no token. `reservation_id` is the reservation that it used.
    """

    number: int
    kind: Kind
    at: datetime
    received_at: datetime
    trigger: str = ""
    offline: bool = False
    token: IdToken | None = None
    starts: bool = False
    evse_id: int | None = None
    connector_id: int | None = None
    charging_state: str = ""
    reason: str = ""
    remote_start_id: int | None = None
    by_remote_start: bool = False
    reservation_id: int | None = None
    samples: tuple[Sample, ...] = ()
    flags: tuple[str, ...] = ()
    content: str = ""

    @property
    def step(self) -> int:
        """The kind's place in a transaction."""
        return STEPS[self.kind]

    @property
    def clockless(self) -> bool:
        """Whether its time tells nothing."""
        return not CLOCKLESS.isdisjoint(self.flags)

    @property
    def tells_nobody(self) -> bool:
        """Whether it names nobody who could pay."""
        return self.token is None or self.token.shown == NOBODY_SHOWN

    @property
    def happened_at(self) -> datetime:
        """When it happened, as far as that can be known."""
        return corrected(self.at, self.received_at, self.flags)


def clock_flags(at: datetime, received_at: datetime) -> tuple[str, ...]:
    """Mark a time that the station's clock cannot have right: ahead of ours, or far older than any queue."""
    plausible = received_at - _OFFLINE < at < received_at + _AHEAD
    return () if plausible else (CLOCK_IMPLAUSIBLE,)


def corrected(at: datetime, received_at: datetime, flags: Collection[str]) -> datetime:
    """Return when something happened: by the station's clock, unless that cannot be right; not after we heard of it."""
    return received_at if CLOCK_IMPLAUSIBLE in flags else min(at, received_at)

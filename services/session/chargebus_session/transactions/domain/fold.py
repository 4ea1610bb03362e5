"""Owns what a transaction's events add up to, whatever order they come in.

Each field is the first or last of something in an order that the events carry themselves (number and kind), never
in the order of arrival; so merging is commutative, and an event that comes late finds its place.
"""

from datetime import datetime
from itertools import pairwise
from typing import Final, TypeVar

import msgspec

from chargebus_session.tokens.domain import PRESENTED, Judgement
from chargebus_session.transactions.domain import intervals, registers
from chargebus_session.transactions.domain.energy import MAX_POWER_W, Energy
from chargebus_session.transactions.domain.events import SEQUENCE_MISSING, Event
from chargebus_session.transactions.domain.intervals import Intervals
from chargebus_session.transactions.domain.registers import Registers

SEQUENCE_REUSED: Final = "sequence_number_reused"
SETTLED_BEFORE: Final = "settled_before"

_REFUSED: Final = 3
_STOPPING: Final = 4


class TimeMark(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A time and the event that brought it."""

    number: int
    step: int
    at: datetime


class TextMark(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A text and the event that brought it."""

    number: int
    step: int
    text: str


class NumberMark(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A number and the event that brought it."""

    number: int
    step: int
    value: int


class TokenMark(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A token and what was thought of it.

    `tier` puts accepted ones first, those that a driver showed before others, and those that only stopped last.
    `group_id` is the group that it was of when it was judged.
    """

    tier: int
    number: int
    step: int
    text: str
    type: str
    key: str
    status: str
    billable: bool
    by_remote_start: bool = False
    group_id: str = ""

    @property
    def shown(self) -> bool:
        """Whether a driver showed it and it was accepted."""
        return self.tier == PRESENTED


class Closing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A transaction is over though its station did not say so; all up to `at` was known then. `settled`: for good."""

    at: datetime
    settled: bool


class Correction(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator said of a transaction; what is None stands as the station has it."""

    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy: Energy | None = None
    payer: TokenMark | None = None
    billable: bool | None = None


class Fold(msgspec.Struct, frozen=True, omit_defaults=True):
    """The sum of a transaction's events; `seen` are the inclusive ranges of their numbers, in order.

    `token` pays, and `second` is what would if that were not there. `max_power_w` is the largest power of the place, as
    it was known when the transaction's place was told.
    """

    first_at: datetime
    seen: tuple[tuple[int, int], ...] = ()
    started: TimeMark | None = None
    ended: TimeMark | None = None
    reason: TextMark | None = None
    token: TokenMark | None = None
    evse: NumberMark | None = None
    connector: NumberMark | None = None
    charging: TextMark | None = None
    remote_start: NumberMark | None = None
    registers: Registers = {}
    flags: tuple[str, ...] = ()
    closing: Closing | None = None
    correction: Correction | None = None
    max_power_w: float = MAX_POWER_W
    second: TokenMark | None = None
    intervals: Intervals = {}

    @property
    def over(self) -> bool:
        """Whether the transaction ended, or is taken for ended."""
        return self.ended is not None or self.closing is not None

    @property
    def place(self) -> tuple[int, int]:
        """EVSE and connector, 0 for what is not told yet."""
        return self.evse.value if self.evse else 0, self.connector.value if self.connector else 0

    def is_charged_to(self, key: str) -> bool:
        """Whether a token was accepted here, of those that pay or would pay."""
        marks = (mark for mark in (self.token, self.second) if mark is not None)
        return any(mark.key == key and mark.tier < _REFUSED for mark in marks)


def merge(fold: Fold | None, event: Event, judgement: Judgement | None) -> Fold:
    """Return the fold with one more event; the caller sees to it that no event is merged twice.

    Args:
        fold: None for the first event that came of a transaction.
        event: any event of it.
        judgement: about the event's token, if it has one.
    """
    known = fold or Fold(event.at)
    number, step = event.number, event.step
    token, second = (known.token, known.second) if judgement is None else _tokens(known, event, judgement)
    read = registers.read(known.registers, event) if event.samples else known.registers
    return Fold(
        first_at=min(known.first_at, event.at),
        seen=known.seen if SEQUENCE_MISSING in event.flags else with_number(known.seen, number),
        started=_first(known.started, TimeMark(number, step, event.at) if event.kind == "Started" else None),
        ended=_last(known.ended, TimeMark(number, step, event.at) if event.kind == "Ended" else None),
        reason=_last(known.reason, TextMark(number, step, event.reason) if event.reason else None),
        token=token,
        evse=_first(known.evse, _number_mark(event, event.evse_id)),
        connector=_first(known.connector, _number_mark(event, event.connector_id)),
        charging=_last(known.charging, TextMark(number, step, event.charging_state) if event.charging_state else None),
        remote_start=_first(known.remote_start, _number_mark(event, event.remote_start_id)),
        registers=read,
        flags=_flags(known, event),
        closing=_closing(known.closing, event),
        correction=known.correction,
        max_power_w=known.max_power_w,
        second=second,
        intervals=intervals.read(known.intervals, read, event) if event.samples else known.intervals,
    )


def flagged(fold: Fold, flag: str) -> Fold:
    """Return the fold with a mark that none of its events bears."""
    return msgspec.structs.replace(fold, flags=tuple(sorted({*fold.flags, flag})))


def with_number(seen: tuple[tuple[int, int], ...], number: int) -> tuple[tuple[int, int], ...]:
    """Return the ranges with one more number, neighbours joined."""
    if not seen:
        return ((number, number),)
    first, last = seen[-1]
    if number == last + 1:  # the usual case
        return (*seen[:-1], (first, number))
    if has_number(seen, number):
        return seen
    joined: list[tuple[int, int]] = []
    for start, stop in sorted((*seen, (number, number))):
        if joined and start == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def has_number(seen: tuple[tuple[int, int], ...], number: int) -> bool:
    """Tell whether a number lies in the ranges."""
    if not seen or number > seen[-1][1]:  # the usual case
        return False
    return any(start <= number <= stop for start, stop in seen)


def gaps(seen: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return the inclusive ranges between those that were seen: what the station counted but never delivered.

    Before the first and after the last nothing is known to be missing: numbering need not start at 0.

    Spec: OCPP 2.0.1 E01.FR.07, E02.FR.07 (seqNo lets the CSMS track completeness)
    """
    if len(seen) < 2:  # noqa: PLR2004 - the usual case
        return ()
    return tuple((left[1] + 1, right[0] - 1) for left, right in pairwise(seen))


M = TypeVar("M", TimeMark, TextMark, NumberMark)


def _first(known: M | None, new: M | None) -> M | None:
    if known is None or new is None:
        return known or new
    return min(known, new)


def _last(known: M | None, new: M | None) -> M | None:
    if known is None or new is None:
        return known or new
    return max(known, new)


def _number_mark(event: Event, value: int | None) -> NumberMark | None:
    return None if value is None else NumberMark(event.number, event.step, value)


def _tokens(known: Fold, event: Event, judgement: Judgement) -> tuple[TokenMark | None, TokenMark | None]:
    """Return the two best tokens of a transaction that are not the same; the order of events does not matter."""
    token = event.token
    if token is None:
        return known.token, known.second
    tier = _STOPPING if not event.starts else token.shown if judgement.status == "Accepted" else _REFUSED
    new = TokenMark(
        tier=tier,
        number=event.number,
        step=event.step,
        text=token.text,
        type=token.type,
        key=token.key,
        status=judgement.status,
        billable=event.starts and judgement.billable,
        by_remote_start=event.by_remote_start,
        group_id=judgement.group_id,
    )
    best = min(known.token or new, new)
    others = (mark for mark in (known.token, known.second, new) if mark is not None and mark.key != best.key)
    return best, min(others, default=None)


def _closing(known: Closing | None, event: Event) -> Closing | None:
    """Return what still closes a transaction after an event: a rule is wrong where the station has more to say."""
    return known if known is None or known.settled or (event.at <= known.at and event.kind != "Ended") else None


def _flags(known: Fold, event: Event) -> tuple[str, ...]:
    reused = SEQUENCE_MISSING not in event.flags and has_number(known.seen, event.number)
    settled = known.closing is not None and known.closing.settled and event.kind == "Ended"
    if not event.flags and not reused and not settled:
        return known.flags
    more = (*((SEQUENCE_REUSED,) if reused else ()), *((SETTLED_BEFORE,) if settled else ()))
    return tuple(sorted({*known.flags, *event.flags, *more}))

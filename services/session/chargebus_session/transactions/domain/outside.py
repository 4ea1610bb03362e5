"""Owns readings that come apart from a transaction's events: whose they are, and what they add to it.

They help where the events do not tell the energy, and are never its begin or end. A transaction whose events bring
readings on their way needs none.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chargebus_session.transactions.domain import intervals, registers
from chargebus_session.transactions.domain.events import BEGIN, CLOCKLESS, END, STEPS, Event, Sample
from chargebus_session.transactions.domain.fold import Fold
from chargebus_session.transactions.domain.registers import OUTSIDE
from chargebus_session.transactions.domain.sessions import Session
from chargebus_session.transactions.domain.state import Change

LATELY: Final = timedelta(seconds=5)
"""How long after an end readings from before it may reach us: their topic rests, and its readers may lag a little."""

_CLOCKS_APART: Final = timedelta(minutes=1)
_NO_BOUND: Final = "Other"
_UPDATED: Final = STEPS["Updated"]


class Readings(msgspec.Struct, frozen=True):
    """Values that a station reports of the transaction of one of these names or, without a name, at an EVSE."""

    station_id: str
    names: tuple[str, ...]
    evse_id: int
    received_at: datetime
    samples: tuple[Sample, ...] = ()


class LatelyEnded:
    """The sessions whose end came moments ago, in this process: readings that name none may still be theirs."""

    def __init__(self) -> None:
        self._ended: deque[tuple[datetime, str, str]] = deque()

    def note(self, changes: Iterable[Change], now: datetime) -> None:
        """Note the sessions that changes ended."""
        while self._ended and self._ended[0][0] < now - LATELY:
            self._ended.popleft()
        for change in changes:
            session = change.session
            if session.over and not (change.before and change.before.over):
                self._ended.append((now, session.station_id, session.session_id))

    def of(self, station_ids: Collection[str], now: datetime) -> list[str]:
        """Return the ids of those of some stations."""
        return [session for at, station, session in self._ended if station in station_ids and at >= now - LATELY]


def whose(readings: Readings, known: Iterable[Session]) -> Session | None:
    """Return the session of a station that has readings at their EVSE: one that goes on, the newest of several."""
    at_evse = [each for each in known if each.fold.evse is not None and each.fold.evse.value == readings.evse_id]
    return max(at_evse, key=lambda session: (not session.over, session.session_id), default=None)


def with_readings(fold: Fold, readings: Readings) -> Fold:
    """Return a transaction with readings from outside; the same ones again change nothing, nor does their order.

    Those that name it and are from after a rule took it for ended say that it goes on.
    """
    samples = _within(fold, readings.samples)
    if not samples or _tells_on_its_way(fold):
        return fold
    if readings.names and fold.closing is not None and not fold.closing.settled:
        ended_at = fold.closing.at
        fold = msgspec.structs.replace(fold, closing=None) if any(each.at > ended_at for each in samples) else fold
    event = Event(OUTSIDE, "Updated", samples[0].at, readings.received_at, samples=samples)
    known = registers.read(fold.registers, event)
    added = intervals.read(fold.intervals, known, event)
    if known == fold.registers and added == fold.intervals:
        return fold
    return msgspec.structs.replace(fold, registers=known, intervals=added)


def _within(fold: Fold, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the samples from the time of a transaction: all of them where a clock tells nothing."""
    if CLOCKLESS.isdisjoint(fold.flags):
        begun_at = (fold.started.at if fold.started else fold.first_at) - _CLOCKS_APART
        samples = [sample for sample in samples if begun_at <= sample.at]
        if fold.ended:
            ended_at = fold.ended.at + _CLOCKS_APART
            samples = [sample for sample in samples if sample.at <= ended_at]
    return tuple(map(_as_outside, samples))


def _as_outside(sample: Sample) -> Sample:
    """Return a sample that is neither begin nor end, and the same in whatever message it comes."""
    context = _NO_BOUND if sample.context in {BEGIN, END} else sample.context
    return msgspec.structs.replace(sample, context=context, index=0)


def _tells_on_its_way(fold: Fold) -> bool:
    return any(
        reading.step == _UPDATED and reading.number != OUTSIDE
        for register in fold.registers.values()
        for reading in register.some
    )

"""Owns the energy of a transaction: the register readings that bound it, per place where they were taken."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from chargebus_session.transactions.domain.events import BEGIN, END, Event

_PREFERRED: Final = ("Outlet", "Cable", "EV", "Inlet", "Body")
_TAKEN_WITH_THE_EVENT: Final = frozenset({"Sample.Periodic", "Trigger"})
"""Contexts of a reading as of its message; others, such as Sample.Clock, may have been kept for long."""


class Reading(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A sample and the event that brought it; readings are ordered by time, then as they were sent."""

    at: datetime
    number: int
    step: int
    index: int
    wh: float


class Register(msgspec.Struct, frozen=True, omit_defaults=True):
    """The readings that matter of one register.

    `begin` and `end` are marked as such by their context; `opening` and `closing` have none that tells, and came with
    the events that started and ended the transaction; `first` and `last` are those of all.
    """

    first: Reading
    last: Reading
    begin: Reading | None = None
    end: Reading | None = None
    opening: Reading | None = None
    closing: Reading | None = None

    def bounds(self) -> tuple[Reading | None, Reading | None]:
        """Return the reading at the start and the one at the end, None for the one that is not known yet.

        Times come last in this, as a station may set its clock in the middle of a transaction.
        """
        at_start, at_end = self.begin or self.opening, self.end or self.closing
        start, stop = at_start or self.first, at_end or self.last
        if start != stop:
            return start, stop
        return (None, stop) if at_end is not None and at_start is None else (start, None)

    def readings(self) -> Iterator[Reading]:
        """Return those that are known, some of them twice."""
        known = (self.first, self.last, self.begin, self.end, self.opening, self.closing)
        return (reading for reading in known if reading is not None)


Registers = dict[str, Register]


def read(registers: Registers, event: Event) -> Registers:
    """Return the registers with the samples of one event; the order of events does not matter.

    Spec: OCPP 2.0.1 J02 (contexts Transaction.Begin and Transaction.End)
    """
    read_so_far = dict(registers)
    for sample in event.samples:
        reading = Reading(sample.at, event.number, event.step, sample.index, sample.wh)
        register = read_so_far.get(sample.location) or Register(reading, reading)
        kind = event.kind if sample.context in _TAKEN_WITH_THE_EVENT else None
        read_so_far[sample.location] = Register(
            first=min(register.first, reading),
            last=max(register.last, reading),
            begin=_earlier(register.begin, reading) if sample.context == BEGIN else register.begin,
            end=_later(register.end, reading) if sample.context == END else register.end,
            opening=_earlier(register.opening, reading) if kind == "Started" else register.opening,
            closing=_later(register.closing, reading) if kind == "Ended" else register.closing,
        )
    return read_so_far


def contradict(registers: Registers, event: Event) -> bool:
    """Tell whether an event that came again measures something else than at first, as far as that was kept."""
    readings = (reading for register in registers.values() for reading in register.readings())
    kept = {(reading.number, reading.step, reading.index): reading.wh for reading in readings}
    return any(kept.get((event.number, event.step, sample.index), sample.wh) != sample.wh for sample in event.samples)


def chosen(registers: Registers) -> Register | None:
    """Return the register that a transaction is measured by: the one nearest to the car's side of the outlet."""
    for location in _PREFERRED:
        if location in registers:
            return registers[location]
    return registers[min(registers)] if registers else None


def _earlier(known: Reading | None, reading: Reading) -> Reading:
    return reading if known is None else min(known, reading)


def _later(known: Reading | None, reading: Reading) -> Reading:
    return reading if known is None else max(known, reading)

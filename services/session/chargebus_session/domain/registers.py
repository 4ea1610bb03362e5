"""Owns the energy of a transaction: the register readings that bound it, per place where they were taken."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

BEGIN: Final = "Transaction.Begin"
END: Final = "Transaction.End"

_PREFERRED: Final = ("Outlet", "Cable", "EV", "Inlet", "Body")


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of the import register, in Wh; `index` is its place in the message."""

    at: datetime
    wh: float
    context: str
    location: str
    index: int


class Reading(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A sample and the event that brought it; readings are ordered by time, then as they were sent."""

    at: datetime
    number: int
    step: int
    index: int
    wh: float


class Register(msgspec.Struct, frozen=True, omit_defaults=True):
    """The readings that matter of one register: marked as begin and end, and the first and last of all."""

    first: Reading
    last: Reading
    begin: Reading | None = None
    end: Reading | None = None

    def bounds(self) -> tuple[Reading | None, Reading | None]:
        """Return the reading at the start and the one at the end, None for the one that is not known yet."""
        start, stop = self.begin or self.first, self.end or self.last
        if start != stop:
            return start, stop
        return (None, stop) if self.end is not None and self.begin is None else (start, None)


Registers = dict[str, Register]


def read(registers: Registers, samples: Iterable[Sample], number: int, step: int) -> Registers:
    """Return the registers with the samples of one event; the order of events does not matter.

    Spec: OCPP 2.0.1 J02 (contexts Transaction.Begin and Transaction.End)
    """
    read_so_far = dict(registers)
    for sample in samples:
        reading = Reading(sample.at, number, step, sample.index, sample.wh)
        register = read_so_far.get(sample.location) or Register(reading, reading)
        read_so_far[sample.location] = Register(
            first=min(register.first, reading),
            last=max(register.last, reading),
            begin=_earlier(register.begin, reading) if sample.context == BEGIN else register.begin,
            end=_later(register.end, reading) if sample.context == END else register.end,
        )
    return read_so_far


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

"""Owns what is kept of a transaction's register readings, per place where they were taken.

It is bounded, and the same whatever order the readings come in and however often: each field is the first, the last,
the lowest or the highest of something, and `some` are those whose rank is the smallest.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from chargebus_session.transactions.domain.events import BEGIN, END, Event, Sample

OUTSIDE: Final = -1
"""The number of readings that came in no event."""

KEPT: Final = 12
"""How many readings are kept beside those at the ends: all of a short transaction, a fair choice of a long one's."""

_PREFERRED: Final = ("Outlet", "Cable", "EV", "Inlet", "Body", "Upstream")
"""From the car's side of the outlet to what may measure other EVSEs as well."""
_USUAL: Final = "Outlet"
_OF: Final = "/"
_TAKEN_WITH_THE_EVENT: Final = frozenset({"Sample.Periodic", "Trigger"})
"""Contexts of a reading as of its message; others, such as Sample.Clock, may have been kept for long."""
_MIX: Final = 2_654_435_761  # spreads neighbours over 32 bits (Knuth, The Art of Computer Programming 6.4)


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
    the events that started and ended the transaction; `first` and `last` are those of all. `lowest` is the lowest above
    zero, `highest` the highest, None where that is the first and the last one; `some` are in the order of time.
    """

    first: Reading
    last: Reading
    begin: Reading | None = None
    end: Reading | None = None
    opening: Reading | None = None
    closing: Reading | None = None
    lowest: Reading | None = None
    highest: Reading | None = None
    some: tuple[Reading, ...] = ()

    def bounds(self) -> tuple[Reading | None, Reading | None]:
        """Return the reading at the start and the one at the end, None for the one that is not known yet.

        Times come last in this, as a station may set its clock in the middle of a transaction.
        """
        at_start, at_end = self.begin or self.opening, self.end or self.closing
        start, stop = at_start or self.first, at_end or self.last
        if start != stop:
            return start, stop
        return (None, stop) if at_end is not None and at_start is None else (start, None)

    def is_bounded(self) -> bool:
        """Tell whether the readings at the start and at the end are known as such."""
        return (self.begin or self.opening) is not None and (self.end or self.closing) is not None

    @property
    def has_run(self) -> bool:
        """Whether it ever said more than zero."""
        return (self.highest or self.last).wh > 0

    def readings(self) -> list[Reading]:
        """Return those that are known, in the order of time."""
        found = [*self.some]
        marked = (self.first, self.last, self.begin, self.end, self.opening, self.closing, self.lowest, self.highest)
        for reading in marked:
            if reading is not None:
                place = bisect_left(found, reading)
                if place == len(found) or found[place] != reading:
                    found.insert(place, reading)
        return found


Registers = dict[str, Register]
"""By location; those of a phase by both, where the location has none of all phases."""

PHASES: Final = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))
"""The phases whose energy adds up to the whole; what lies between two of them does not."""

_OF_A_PHASE: Final = frozenset(phase for phases in PHASES for phase in phases)


def read(registers: Registers, event: Event) -> Registers:
    """Return the registers with the samples of one event; the order of events does not matter.

    A register that only rises from 0 is never below: stations say -1 of one that they could not read.

    Spec: OCPP 2.0.1 J02 (contexts Transaction.Begin and Transaction.End)
    """
    read_so_far = dict(registers)
    for sample in event.samples:
        name = _name(sample, read_so_far) if sample.wh >= 0 else None
        if name is not None:
            reading = Reading(sample.at, event.number, event.step, sample.index, sample.wh)
            register = read_so_far.get(name) or Register(reading, reading)
            read_so_far[name] = _with(register, reading, sample, event)
    return read_so_far


def contradict(registers: Registers, event: Event) -> bool:
    """Tell whether an event that came again measures something else than at first, as far as that was kept."""
    readings = (reading for register in registers.values() for reading in register.readings())
    kept = {(reading.number, reading.step, reading.index): reading.wh for reading in readings}
    return any(kept.get((event.number, event.step, sample.index), sample.wh) != sample.wh for sample in event.samples)


class Meter(msgspec.Struct, frozen=True):
    """What tells a transaction's energy at one location: a register, or those of its phases, which add up."""

    registers: tuple[Register, ...]
    per_phase: bool = False


def in_order(registers: Registers) -> Iterator[Meter]:
    """Return what tells a transaction's energy: first what measures it, then what is asked if that tells nothing."""
    if len(registers) == 1 and _USUAL in registers:
        yield Meter((registers[_USUAL],))
        return
    for location in sorted({name.partition(_OF)[0] for name in registers}, key=rank):
        if location in registers:
            yield Meter((registers[location],))
        for phases in PHASES:
            names = (f"{location}{_OF}{phase}" for phase in phases)
            found = tuple(registers[name] for name in names if name in registers)
            if found:
                yield Meter(found, per_phase=True)


def rank(location: str) -> tuple[int, str]:
    """Return what puts locations in the order in which they are asked."""
    return _PREFERRED.index(location) if location in _PREFERRED else len(_PREFERRED), location


def _name(sample: Sample, registers: Registers) -> str | None:
    """Return the name of a sample's register, None where that does not count."""
    location = sample.location
    if sample.interval or (sample.phase and (sample.phase not in _OF_A_PHASE or location in registers)):
        return None
    if sample.phase:
        return f"{location}{_OF}{sample.phase}"
    if location not in registers:
        for phase in _OF_A_PHASE:
            registers.pop(f"{location}{_OF}{phase}", None)
    return location


def _with(register: Register, reading: Reading, sample: Sample, event: Event) -> Register:
    kind = event.kind if sample.context in _TAKEN_WITH_THE_EVENT else None
    first, last = min(register.first, reading), max(register.last, reading)
    return Register(
        first=first,
        last=last,
        begin=_earlier(register.begin, reading) if sample.context == BEGIN else register.begin,
        end=_later(register.end, reading) if sample.context == END else register.end,
        opening=_earlier(register.opening, reading) if kind == "Started" else register.opening,
        closing=_later(register.closing, reading) if kind == "Ended" else register.closing,
        lowest=_lowest(register, reading, first),
        highest=_highest(register, reading, last),
        some=_some(register.some, reading),
    )


def _earlier(known: Reading | None, reading: Reading) -> Reading:
    return reading if known is None else min(known, reading)


def _later(known: Reading | None, reading: Reading) -> Reading:
    return reading if known is None else max(known, reading)


def _lowest(register: Register, reading: Reading, first: Reading) -> Reading | None:
    known = register.lowest or register.first
    if reading.wh > 0 and (known.wh <= 0 or (reading.wh, reading) < (known.wh, known)):
        known = reading
    return None if known.wh <= 0 or known is first or known == first else known


def _highest(register: Register, reading: Reading, last: Reading) -> Reading | None:
    known = register.highest or register.last
    if (reading.wh, reading) > (known.wh, known):
        known = reading
    return None if known is last or known == last else known


def _some(known: tuple[Reading, ...], reading: Reading) -> tuple[Reading, ...]:
    if not known or known[-1] < reading:  # the usual case
        some = (*known, reading)
    elif reading in known:
        return known
    else:
        some = tuple(sorted((*known, reading)))
    if len(some) <= KEPT:
        return some
    worst = max(some, key=_rank)
    return tuple(each for each in some if each is not worst)


def _rank(reading: Reading) -> int:
    """Return what decides which readings are kept: nothing that has to do with when or in which order they came."""
    at = reading.at
    place = (
        hash(reading.wh) + (reading.number * 251 + reading.index) * 3607 + (at.hour * 60 + at.minute) * 61 + at.second
    )
    return place * _MIX & 0xFFFFFFFF

"""Owns how much energy a transaction took: how far its readings are believed, and what is said where they are not.

The register tells it, end less begin, unless it cannot have run so: it fell, or rose by more than the largest power
explains in the time. Then what rises credibly counts, which is the least that was taken, and flags say so.

Decision: docs/decisions/0020-energy-is-held-against-time-and-power.md
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from chargebus_session.transactions.domain import intervals, registers
from chargebus_session.transactions.domain.intervals import Intervals
from chargebus_session.transactions.domain.registers import OUTSIDE, Reading, Register, Registers

MAX_POWER_W: Final = 500_000.0
"""What an EVSE can give where nobody says otherwise: CCS at 500 A and 1,000 V."""

REGISTER: Final = "register"
READINGS: Final = "readings"
PHASES: Final = "per_phase"
INTERVALS: Final = "intervals"

IMPLAUSIBLE: Final = "energy_implausible"
UNKNOWN: Final = "energy_unknown"
FROM_READINGS: Final = "energy_from_readings"
PER_PHASE: Final = "energy_per_phase"
METER_WENT_BACK: Final = "meter_went_back"
METER_RESTARTED: Final = "meter_restarted"

_ROUNDING_WH: Final = 10.0  # a value in kWh with two decimals, beside one in Wh
_SLACK_S: Final = 60.0  # a reading may be that much older or newer than its time
_UNTIMED_S: Final = 3600.0  # stands for a time between readings that no clock tells


class Span(msgspec.Struct, frozen=True):
    """The time in which energy flowed, and how much of it could; `lasted` is None while that is unknown.

    `clockless` says that the station's times tell nothing.
    """

    ended: bool
    started_at: datetime | None
    lasted: timedelta | None
    clockless: bool
    max_power_w: float

    def allows(self, energy_wh: float) -> bool:
        """Tell whether so much may have been taken in all of it."""
        if self.lasted is None and not self.clockless:
            return energy_wh >= 0
        lasted_s = _UNTIMED_S if self.clockless or self.lasted is None else max(self.lasted.total_seconds(), 0)
        return 0 <= energy_wh * 3600 <= self.max_power_w * (lasted_s + _SLACK_S)

    def explains(self, before: Reading, after: Reading) -> bool:
        """Tell whether a register may have run from one reading to the other."""
        risen_wh = after.wh - before.wh
        if risen_wh * 3600 <= self.max_power_w * _SLACK_S:  # the usual case
            return risen_wh >= -_ROUNDING_WH
        return risen_wh * 3600 <= self.max_power_w * (self._between_s(before, after) + _SLACK_S)

    def _between_s(self, before: Reading, after: Reading) -> float:
        between_s = (after.at - before.at).total_seconds()
        if self.clockless or between_s < 0:
            return _UNTIMED_S
        return between_s if self.lasted is None else min(between_s, max(self.lasted.total_seconds(), 0))


class Energy(msgspec.Struct, frozen=True):
    """The energy of a transaction, where it comes from and what is odd about it; what the meter said at both ends."""

    meter_start_wh: float | None = None
    meter_stop_wh: float | None = None
    energy_wh: float | None = None
    source: str = ""
    flags: tuple[str, ...] = ()


def measured(known: Registers, told: Intervals, span: Span) -> Energy:
    """Return the energy by the first meter that tells it, else by intervals; of an ended one, else why not."""
    first: Energy | None = None
    for meter in registers.in_order(known):
        energy = _of_phases(meter.registers, span) if meter.per_phase else _of_register(meter.registers[0], span)
        if energy.energy_wh is not None:
            first = energy
            break
        first = first or energy
    energy = (_of_intervals(told, span) if told else None) or first or Energy()
    if span.ended and energy.energy_wh is None and not energy.flags:
        return msgspec.structs.replace(energy, flags=(UNKNOWN,))
    return energy


def _of_register(register: Register, span: Span) -> Energy:
    start, stop = register.bounds()
    if start is None or stop is None:
        return Energy(_wh(start), _wh(stop))
    runs = _runs(register, start, stop, span)
    if len(runs) > 1 or stop.wh < start.wh:
        energy_wh, why = _risen(runs)
        return Energy(start.wh, stop.wh, energy_wh, "" if energy_wh is None else READINGS, why)
    flags = (FROM_READINGS,) if span.ended and not register.is_bounded() else ()
    return Energy(start.wh, stop.wh, round(stop.wh - start.wh, 3), READINGS if flags else REGISTER, flags)


def _of_phases(of_phases: Sequence[Register], span: Span) -> Energy:
    """Add up registers of single phases; one that does not tell leaves the whole unknown."""
    each = [_of_register(register, span) for register in of_phases]
    energy_wh = _sum(one.energy_wh for one in each)
    flags = {flag for one in each for flag in one.flags}
    if energy_wh is None:
        return Energy(flags=tuple(sorted(flags)))
    if span.ended:
        flags.add(PER_PHASE)
    start_wh, stop_wh = _sum(one.meter_start_wh for one in each), _sum(one.meter_stop_wh for one in each)
    return Energy(start_wh, stop_wh, energy_wh, PHASES, tuple(sorted(flags)))


def _of_intervals(told: Intervals, span: Span) -> Energy | None:
    energy_wh = intervals.added(told, None if span.clockless else span.started_at)
    if energy_wh is None:
        return None
    if not span.allows(energy_wh):
        return Energy(flags=(IMPLAUSIBLE,))
    return Energy(energy_wh=energy_wh, source=INTERVALS, flags=(FROM_READINGS,) if span.ended else ())


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return round(total, 3)


def _runs(register: Register, start: Reading, stop: Reading, span: Span) -> Sequence[Sequence[Reading]]:
    """Cut the readings from start to stop into runs in which the register rose as it can.

    They are put in the order of their times, or, where the station set its clock back in the middle, in the order in
    which they were sent: whichever needs fewer cuts.
    """
    readings = register.readings()
    by_time = _cut(_between(readings, start, stop), span)
    if len(by_time) == 1 and stop.wh >= start.wh:  # the usual case
        return by_time
    as_sent = _cut(_between(sorted(readings, key=_place), start, stop), span)
    return min(by_time, as_sent, key=len)


def _place(reading: Reading) -> tuple[int, int, int, Reading]:
    if reading.number == OUTSIDE:  # between the start and what came after it
        return 0, reading.step, -1, reading
    return reading.number, reading.step, reading.index, reading


def _between(readings: Sequence[Reading], start: Reading, stop: Reading) -> Sequence[Reading]:
    """Return the readings from start to stop; where they lie the other way round, these two around all others."""
    first, last = readings.index(start), readings.index(stop)
    if first < last:
        return readings[first : last + 1]
    return [start, *(reading for reading in readings if reading not in {start, stop}), stop]


def _cut(readings: Sequence[Reading], span: Span) -> Sequence[Sequence[Reading]]:
    runs = [[readings[0]]]
    position = 1
    while position < len(readings):
        run = runs[-1]
        if not span.explains(run[-1], readings[position]):
            position = _past_outliers(run[-1], readings, position, span)
            if not span.explains(run[-1], readings[position]):
                runs.append([])
        runs[-1].append(readings[position])
        position += 1
    return runs


def _past_outliers(before: Reading, readings: Sequence[Reading], position: int, span: Span) -> int:
    """Return where the register goes on as if nothing had been: past zeros, and past one value that stands alone.

    Returns:
        `position` itself where it does not.
    """
    values = 0
    for after in range(position + 1, len(readings)):
        passed = readings[after - 1]
        values += passed.wh > 0
        goes_on = passed.wh > 0 and after - 1 > position and span.explains(readings[after - 2], passed)
        if goes_on or values > 1 or before.wh <= 0:
            break
        if span.explains(before, readings[after]):
            return after
    return position


def _risen(runs: Sequence[Sequence[Reading]]) -> tuple[float | None, tuple[str, ...]]:
    """Return the least that was taken, None where no two readings agree, and what kept the register from telling."""
    told = [run for run in runs if len(run) > 1]
    energy_wh = round(sum(max(run[-1].wh - run[0].wh, 0) for run in told), 3) if told else None
    flags = set(_flags(runs))
    if told:
        flags.add(FROM_READINGS)
    return energy_wh, tuple(sorted(flags))


def _flags(runs: Sequence[Sequence[Reading]]) -> Iterable[str]:
    if len(runs) == 1:  # the clock hides what came first
        yield METER_WENT_BACK
    for before, after in pairwise(runs):
        if after[0].wh > before[-1].wh:
            yield IMPLAUSIBLE
        else:
            yield METER_RESTARTED if after[-1].wh > after[0].wh else METER_WENT_BACK


def _wh(reading: Reading | None) -> float | None:
    return None if reading is None else reading.wh

"""What a meter of an EVSE said at one moment: amperes on the connector's own phases, power, register."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from chargebus_smart_charging.sites.domain.site import PerPhase

CURRENT: Final = "Current.Import"
POWER: Final = "Power.Active.Import"
REGISTER: Final = "Energy.Active.Import.Register"
VOLTAGE: Final = "Voltage"

_PHASE: Final[Mapping[str, int]] = {"L1": 0, "L1-N": 0, "L2": 1, "L2-N": 1, "L3": 2, "L3-N": 2}
_PLACES: Final = ("Outlet", "Inlet")
_USUAL_V: Final = 230.0
# Where no voltage is told, P / (230 V x I) tells one phase or three only where no usual voltage could mean another.
_ONE_SURELY: Final = (0.75, 1.2)
_THREE_SURELY: Final = 2.4


class Reading(msgspec.Struct, frozen=True):
    """What matters of a reading of `meter.values`."""

    sampled_at: datetime
    measurand: str
    value: float
    phase: str = ""
    location: str = "Outlet"


class Sample(msgspec.Struct, frozen=True):
    """What was measured at one moment.

    `phase_a` is None where no current was told; `tells_phases` says whether it shows which phases are used, or is on
    all of them because nothing told them apart.
    """

    at: datetime
    phase_a: PerPhase | None = None
    tells_phases: bool = False
    power_w: float | None = None
    register_wh: float | None = None


def samples(readings: Iterable[Reading], received_at: datetime) -> list[Sample]:
    """Return the samples of a message in order of time; what is dated ahead was sampled when it was received."""
    by_time: dict[datetime, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.location in _PLACES:
            by_time[min(reading.sampled_at, received_at)].append(reading)
    return [_sample(at, by_time[at]) for at in sorted(by_time)]


def _sample(at: datetime, readings: Iterable[Reading]) -> Sample:
    told: dict[str, dict[int | None, float]] = defaultdict(dict)
    for reading in readings:
        if reading.phase == "" or reading.phase in _PHASE:
            told[reading.measurand][_PHASE.get(reading.phase)] = reading.value
    power_w = _in_all(told[POWER])
    phase_a, tells = _currents(told, power_w)
    return Sample(at, phase_a, tells, power_w, told[REGISTER].get(None))


def _in_all(values: Mapping[int | None, float]) -> float | None:
    if None in values:
        return values[None]
    return sum(values.values()) if values else None


def _currents(told: Mapping[str, Mapping[int | None, float]], power_w: float | None) -> tuple[PerPhase | None, bool]:
    """Return the current of each phase, and whether it tells which are used.

    A current of no phase, or of the first alone, is that of all that are used: how many these are, only power tells.
    """
    currents, powers = told.get(CURRENT, {}), told.get(POWER, {})
    by_phase = {phase: value for phase, value in currents.items() if phase is not None}
    if len(by_phase) > 1:
        return _per_phase(by_phase), True
    amperes = by_phase.get(0, currents.get(None))
    if amperes is None:
        return (_per_phase(by_phase), True) if by_phase else (None, False)
    if amperes > 0 and len(powers.keys() - {None}) > 1:
        return _per_phase({phase: amperes for phase, watts in powers.items() if phase is not None and watts > 0}), True
    count = _phases(power_w, amperes, _voltage(told.get(VOLTAGE, {})))
    return _per_phase(dict.fromkeys(range(count or 3), amperes)), count is not None


def _voltage(values: Mapping[int | None, float]) -> float | None:
    volts = [value for value in values.values() if value > 0]
    return volts[0] if volts else None


def _phases(power_w: float | None, amperes: float, voltage_v: float | None) -> int | None:
    """Return on how many phases so much power flows at that current; None if that is not sure."""
    if not power_w or amperes < 1:
        return None
    ratio = power_w / ((voltage_v or _USUAL_V) * amperes)
    if voltage_v is not None:
        return min(3, max(1, round(ratio)))
    if _ONE_SURELY[0] < ratio < _ONE_SURELY[1]:
        return 1
    return 3 if ratio > _THREE_SURELY else None


def _per_phase(values: Mapping[int, float]) -> PerPhase:
    return values.get(0, 0.0), values.get(1, 0.0), values.get(2, 0.0)

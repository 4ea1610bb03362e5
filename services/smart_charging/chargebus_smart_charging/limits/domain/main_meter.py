"""What a station's main meter says, as amperes on each phase."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from chargebus_smart_charging.sites.domain.site import PerPhase

_CURRENT: Final = "Current.Import"
_POWER: Final = "Power.Active.Import"
_VOLTAGE: Final = "Voltage"
_USUAL_V: Final = 230.0
_PHASE: Final = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}


class Measured(msgspec.Struct, frozen=True):
    """A value that was measured, in its base unit; no `phase`: on all of them."""

    at: datetime
    measurand: str
    phase: str
    value: float


def newest_currents(measured: Iterable[Measured]) -> tuple[datetime, PerPhase] | None:
    """Return the newest currents that are told, and when; None: no values of which they follow.

    By current, else by power and voltage, 230 V if that is not told. A value of no phase stands for all three: a
    current flows on each, a power is spread evenly. Of phases that are not told, the largest of the others is assumed.
    """
    by_time: defaultdict[datetime, list[Measured]] = defaultdict(list)
    for each in measured:
        by_time[each.at].append(each)
    for at in sorted(by_time, reverse=True):
        currents = _currents(by_time[at])
        if currents is not None:
            return at, currents
    return None


def _currents(measured: Iterable[Measured]) -> PerPhase | None:
    told: defaultdict[str, dict[int | None, float]] = defaultdict(dict)
    for each in measured:
        if not each.phase or each.phase in _PHASE:
            told[each.measurand][_PHASE.get(each.phase)] = each.value
    if told[_CURRENT]:
        return _per_phase(told[_CURRENT])
    if not told[_POWER]:
        return None
    voltages = told[_VOLTAGE]
    usual = voltages.get(None) or next(iter(voltages.values()), 0.0) or _USUAL_V
    amperes = {
        phase: watts / (3 * usual) if phase is None else watts / (voltages.get(phase) or usual)
        for phase, watts in told[_POWER].items()
    }
    return _per_phase(amperes)


def _per_phase(amperes: Mapping[int | None, float]) -> PerPhase:
    phases = {phase: value for phase, value in amperes.items() if phase is not None}
    missing = max(phases.values()) if phases else amperes[None]
    return phases.get(0, missing), phases.get(1, missing), phases.get(2, missing)

"""An EVSE with nothing left out: what its operator says, else what its station says, else what is usual."""

from typing import Final

import msgspec

from chargebus_smart_charging.sites.domain.site import Evse
from chargebus_smart_charging.sites.domain.told import Told

USUAL_VOLTAGE_V: Final = 230.0
USUAL_MIN_A: Final = 6.0
"""The least that a vehicle takes by IEC 61851-1."""
USUAL_MAX_A: Final = 32.0
_ONE_PHASE: Final = (1,)
_ALL_PHASES: Final = (1, 2, 3)


def resolved(evse: Evse, told: Told) -> Evse:
    """Return an EVSE in which nothing is None. One phase of which it is not said which counts as L1."""
    phases = evse.phases
    if phases is None:
        phases = _ONE_PHASE if told.phases == 1 else _ALL_PHASES[: told.phases or len(_ALL_PHASES)]
    return msgspec.structs.replace(
        evse,
        voltage_v=_known(evse.voltage_v, told.voltage_v, USUAL_VOLTAGE_V),
        phases=phases,
        min_a=_known(evse.min_a, None, 0.0 if evse.current == "DC" else USUAL_MIN_A),
        max_a=_known(evse.max_a, told.max_a, USUAL_MAX_A),
        step_a=_known(evse.step_a, None, 0.0),
    )


def _known(said: float | None, told: float | None, usual: float) -> float:
    if said is not None:
        return said
    return usual if told is None or told <= 0 else told

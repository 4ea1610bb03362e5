"""What makes of stations do their own way about charging profiles; each was seen in the field."""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final, TypeAlias


class ChargingHabit(StrEnum):
    """What a station does that it should not, or need not; given to it in its configuration, or while it runs."""

    REFUSES_ZERO = "refuses a profile that has a limit of 0"
    REFUSES_WATTS = "knows amperes only"
    REFUSES_AMPERES = "knows watts only"
    REFUSES_TX_DEFAULT = "refuses TxDefaultProfile"
    REFUSES_TX_PROFILE = "refuses TxProfile"
    REFUSES_STATION_MAX = "refuses ChargePointMaxProfile and ChargingStationMaxProfile"
    IGNORES_LIMITS = "accepts profiles, tells them, and gives what the vehicle asks for"
    LAGS = "a profile bites half a minute after it was accepted"
    OVERDRAWS = "gives a quarter more than its limit"
    UNDERSTATES = "its meter shows three quarters of the power"
    FORGETS_AT_BOOT = "holds no profile after a reboot"


ChargingHabits: TypeAlias = AbstractSet[ChargingHabit]

LAG_S: Final = 30.0
OVERDRAWN: Final = 1.25
UNDERSTATED: Final = 0.75

REFUSED_PURPOSES: Final = {
    "TxDefaultProfile": ChargingHabit.REFUSES_TX_DEFAULT,
    "TxProfile": ChargingHabit.REFUSES_TX_PROFILE,
    "ChargePointMaxProfile": ChargingHabit.REFUSES_STATION_MAX,
    "ChargingStationMaxProfile": ChargingHabit.REFUSES_STATION_MAX,
}
"""The habit that refuses a purpose."""

REFUSED_UNITS: Final = {"A": ChargingHabit.REFUSES_AMPERES, "W": ChargingHabit.REFUSES_WATTS}
"""The habit that refuses a unit."""


def units(habits: ChargingHabits) -> tuple[str, ...]:
    """Return the units in which the station takes limits, and says so."""
    return tuple(unit for unit, refused in REFUSED_UNITS.items() if refused not in habits)

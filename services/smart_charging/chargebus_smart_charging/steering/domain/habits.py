"""How a station behaves when it is steered: what it said of itself, and what was learned of its kind."""

from typing import Final, Literal, TypeAlias

import msgspec

RateUnit: TypeAlias = Literal["A", "W"]

Rung: TypeAlias = Literal[
    "TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile", "configuration key", "start and stop", "none"
]
"""A way to steer a station, in the words of OCPP 2.x where it has one."""

LADDER: Final[tuple[Rung, ...]] = (
    "TxProfile",
    "TxDefaultProfile",
    "ChargingStationMaxProfile",
    "configuration key",
    "start and stop",
    "none",
)
"""From the way that is tried first to the end, at which a station is counted at its full power."""


class Habits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a station, or of its make, model and firmware; None is not known.

    Attributes:
        unit: in which its limits are told; amperes where it is not known.
        takes_zero: whether a limit of 0 is taken.
        refused: the rungs that it has refused, or has accepted and ignored.
        max_periods, max_stack_level, max_profiles: how much it can hold.
        obeys_within_s: how long after its acceptance a reduction was seen at the latest.
        keeps_default: whether its default outlives a boot.
        measures: whether it tells what its EVSEs draw.
        switches_phases: whether one phase of several may be chosen.
        dynamic: whether it takes profiles of kind Dynamic (OCPP 2.1).
        update_spacing_s: the least time between two of its profile updates, where it says so (OCPP 2.1).
    """

    unit: RateUnit | None = None
    takes_zero: bool | None = None
    refused: tuple[Rung, ...] = ()
    max_periods: int | None = None
    max_stack_level: int | None = None
    max_profiles: int | None = None
    obeys_within_s: float | None = None
    keeps_default: bool | None = None
    measures: bool | None = None
    switches_phases: bool | None = None
    dynamic: bool | None = None
    update_spacing_s: float | None = None

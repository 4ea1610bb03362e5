"""What a station says of itself by configuration keys or device model: what it can take, and how it is built."""

from typing import Final

import msgspec

from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.steering.domain.habits import Habits

POWER: Final = "Power.Active.Import"
CURRENT: Final = "Current.Import"
VOLTAGE: Final = "Voltage"
MEASURANDS_LIMIT: Final = 500
"""How long a configuration value may be. Spec: OCPP 1.6 ChangeConfiguration.req"""


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a station said; None is not said.

    Attributes:
        unit: the units that it takes, as it writes them; empty where it did not say.
        measurands: what it samples in a transaction, in order.
        limit_key: the configuration key that holds its largest current, of those that are known and can be written.
        told: how each EVSE is built, by its number; 0 is the station.
    """

    unit: str = ""
    max_periods: int | None = None
    max_stack_level: int | None = None
    max_profiles: int | None = None
    switches_phases: bool | None = None
    update_spacing_s: float | None = None
    dynamic: bool | None = None
    measurands: tuple[str, ...] | None = None
    limit_key: str = ""
    told: dict[int, Told] = {}

    def told_of(self, evse_id: int) -> Told:
        """Return how an EVSE is built: what was said of itself, or of the station."""
        own, station = self.told.get(evse_id, Told()), self.told.get(0, Told())
        return Told(
            own.voltage_v if own.voltage_v is not None else station.voltage_v,
            own.phases if own.phases is not None else station.phases,
            own.max_a if own.max_a is not None else station.max_a,
        )


def habits_of(said: Said, learned: Habits) -> Habits:
    """Return a station's habits: what it says of itself goes before what was learned of its kind.

    But for dynamic profiles: a kind that has only ever refused them does not take them, whatever it says.
    """
    words = {word.strip().lower() for word in said.unit.split(",")}
    amperes, watts = words & {"a", "current"}, words & {"w", "power"}
    return msgspec.structs.replace(
        learned,
        unit="A" if amperes else "W" if watts else learned.unit,
        max_periods=_first(said.max_periods, learned.max_periods),
        max_stack_level=_first(said.max_stack_level, learned.max_stack_level),
        max_profiles=_first(said.max_profiles, learned.max_profiles),
        switches_phases=said.switches_phases if said.switches_phases is not None else learned.switches_phases,
        update_spacing_s=said.update_spacing_s if said.update_spacing_s is not None else learned.update_spacing_s,
        dynamic=learned.dynamic if learned.dynamic is not None else said.dynamic,
    )


def measurands_needed(said: Said) -> tuple[str, ...] | None:
    """Return what a station is to sample so that it can be steered; None: it does, or did not say what it samples.

    Power, or current and voltage, tell what it draws; what is sampled already stays. None as well where its list has no
    room for more.
    """
    have = said.measurands
    if have is None or POWER in have or (CURRENT in have and VOLTAGE in have):
        return None
    needed = (*have, POWER)
    return needed if len(",".join(needed)) <= MEASURANDS_LIMIT else None


def _first(said: int | None, learned: int | None) -> int | None:
    return said if said is not None and said >= 0 else learned

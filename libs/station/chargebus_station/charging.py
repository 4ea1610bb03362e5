"""How a vehicle takes energy: ramp, plateau and taper, on its own phases; pure, driven by elapsed seconds."""

import math
from dataclasses import dataclass, replace
from typing import Final

RAMP_S: Final = 40.0
"""Seconds from the first ampere to full power."""

STEP_S: Final = 10.0
"""The longest step of the integration, so that the energy does not depend on how often somebody looks."""

FLOOR: Final = 0.06
"""The share of its power that a battery still takes when it is almost full."""

_ROUNDED_W: Final = 1.0
"""What a limit may lose when it is written in watts."""

NOMINAL_V: Final = 230.0
DC_V: Final = 400.0


@dataclass(frozen=True)
class Vehicle:
    """What stands in front of the station. States of charge are shares of the capacity, from 0 to 1.

    `phases`, `min_current_a` and `max_current_a` are those of its own charger, for AC: what is offered below the least
    current makes it stop. Spec: IEC 61851-1, Annex A (6 A)
    """

    capacity_wh: float
    max_power_w: float
    soc: float
    target_soc: float = 1.0
    phases: int = 3
    min_current_a: float = 6.0
    max_current_a: float = 32.0


@dataclass(frozen=True)
class Outlet:
    """What an EVSE can give: `phases` is 1 or 3 for AC and 0 for DC."""

    max_power_w: float
    phases: int

    @property
    def efficiency(self) -> float:
        """The share of the metered energy that reaches the battery: an AC vehicle's own charger loses more."""
        return 0.92 if self.phases else 0.97

    def watts(self, amperes: float) -> float:
        """Return the power of so many amperes on each phase."""
        return self.watts_on(amperes, self.phases)

    def watts_on(self, amperes: float, phases: int) -> float:
        """Return the power of so many amperes on each of so many phases; DC has none."""
        return amperes * NOMINAL_V * phases if self.phases else amperes * DC_V

    def amperes(self, watts: float) -> float:
        """Return the current on each phase at this power."""
        return watts / self.watts(1.0)


@dataclass(frozen=True)
class Charge:
    """How far a charge has come: state of charge, metered energy and seconds since energy began to flow."""

    vehicle: Vehicle
    outlet: Outlet
    soc: float
    energy_wh: float = 0.0
    seconds: float = 0.0

    @property
    def full(self) -> bool:
        """Whether the vehicle wants no more."""
        return self.soc >= self.vehicle.target_soc

    @property
    def phases(self) -> int:
        """How many phases it uses; 0 for DC."""
        return min(self.vehicle.phases, self.outlet.phases)

    @property
    def least_w(self) -> float:
        """The least power that it can be offered without stopping; a DC vehicle takes any."""
        return self.outlet.watts_on(self.vehicle.min_current_a, self.phases) if self.phases else 0.0

    @property
    def most_w(self) -> float:
        """The most that the vehicle and the outlet allow together."""
        available_w = min(self.vehicle.max_power_w, self.outlet.max_power_w)
        if not self.phases:
            return available_w
        own_w = self.outlet.watts_on(self.vehicle.max_current_a, self.phases)
        return min(available_w, own_w, self.outlet.max_power_w * self.phases / self.outlet.phases)

    def stopped_by(self, limit_w: float) -> bool:
        """Whether the station offers too little for it to charge."""
        return limit_w <= 0 or limit_w < self.least_w - _ROUNDED_W


def begin(vehicle: Vehicle, outlet: Outlet) -> Charge:
    """Return the charge of a vehicle that has just been connected."""
    return Charge(vehicle, outlet, vehicle.soc)


def power_w(charge: Charge, limit_w: float = math.inf) -> float:
    """Return what the vehicle draws at this moment, under a limit.

    The ramp is linear in time; the taper is linear in the state of charge and begins the earlier, the harder the
    battery is charged for its size.
    """
    if charge.full or charge.stopped_by(limit_w):
        return 0.0
    vehicle, available_w = charge.vehicle, charge.most_w
    taper_at = min(0.92, max(0.5, 0.95 - 0.3 * available_w / vehicle.capacity_wh))
    taper = 1.0 if charge.soc <= taper_at else max(FLOOR, (1.0 - charge.soc) / (1.0 - taper_at))
    ramp = min(1.0, (charge.seconds + STEP_S) / RAMP_S)
    return max(0.0, min(available_w * min(taper, ramp), limit_w))


def advance(charge: Charge, seconds: float, limit_w: float = math.inf) -> Charge:
    """Return the charge after so many seconds under a limit."""
    while seconds > 0:
        step_s = min(seconds, STEP_S)
        seconds -= step_s
        energy_wh = power_w(charge, limit_w) * step_s / 3600
        gained = energy_wh * charge.outlet.efficiency / charge.vehicle.capacity_wh
        charge = replace(
            charge,
            soc=min(charge.vehicle.target_soc, charge.soc + gained),
            energy_wh=charge.energy_wh + energy_wh,
            seconds=charge.seconds + step_s,
        )
    return charge

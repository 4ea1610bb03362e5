"""Vehicles as one meets them."""

import random
from typing import Final

from chargebus_station.charging import Outlet, Vehicle

# Capacity in Wh, AC power and DC power in W, phases and amperes on each of the vehicle's own charger.
MODELS: Final = (
    (24_000, 6_600, 46_000, 1, 32),
    (40_000, 6_600, 46_000, 1, 32),
    (52_000, 22_000, 50_000, 3, 32),
    (58_000, 11_000, 120_000, 3, 16),
    (77_000, 11_000, 150_000, 3, 16),
    (82_000, 11_000, 210_000, 3, 16),
)


def any_vehicle(rng: random.Random, outlet: Outlet) -> Vehicle:
    """Return a vehicle that could well come to this outlet."""
    capacity_wh, ac_w, dc_w, phases, max_a = rng.choice(MODELS)
    max_power_w = ac_w if outlet.phases else dc_w
    target = 0.8 if outlet.phases == 0 else rng.choice((0.8, 0.9, 1.0))
    soc = round(rng.uniform(0.1, 0.6), 2)
    return Vehicle(capacity_wh, max_power_w, soc, target_soc=target, phases=phases, max_current_a=max_a)

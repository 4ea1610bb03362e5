"""Vehicles as one meets them."""

import random
from typing import Final

from chargebus_station.charging import Outlet, Vehicle

# Capacity in Wh, AC power and DC power in W.
MODELS: Final = (
    (24_000, 6_600, 46_000),
    (40_000, 6_600, 46_000),
    (52_000, 22_000, 50_000),
    (58_000, 11_000, 120_000),
    (77_000, 11_000, 150_000),
    (82_000, 11_000, 210_000),
)


def any_vehicle(rng: random.Random, outlet: Outlet) -> Vehicle:
    """Return a vehicle that could well come to this outlet."""
    capacity_wh, ac_w, dc_w = rng.choice(MODELS)
    max_power_w = {0: dc_w, 1: min(ac_w, 7_400)}.get(outlet.phases, ac_w)
    target = 0.8 if outlet.phases == 0 else rng.choice((0.8, 0.9, 1.0))
    return Vehicle(capacity_wh, max_power_w, soc=round(rng.uniform(0.1, 0.6), 2), target_soc=target)

"""What changes with the hours: other loads of a node, prices, CO₂."""

import math
import random
from dataclasses import dataclass

from chargebus_smart_charging.sites.domain.site import PerPhase

from chargebus_simulation.cars import DAY, HOUR

_STEP_S = 1800.0


@dataclass(frozen=True, slots=True)
class Load:
    """Amperes on each phase by half hours, never more than `worst_a`; its meter is silent in `silences`."""

    steps: tuple[PerPhase, ...]
    worst_a: PerPhase
    silences: tuple[tuple[float, float], ...] = ()

    def at(self, now_s: float) -> PerPhase:
        """Return what flows."""
        return self.steps[min(int(now_s / _STEP_S), len(self.steps) - 1)]

    def is_silent(self, now_s: float) -> bool:
        """Tell whether its meter says nothing."""
        return any(begins <= now_s < ends for begins, ends in self.silences)

    def changes(self) -> tuple[float, ...]:
        """Return when it changes."""
        return tuple(place * _STEP_S for place in range(len(self.steps)))


def building(rng: random.Random, most_a: float, days: float) -> Load:
    """Return a building that draws the most at midday or in the evening, and unlike on each phase."""
    peak = rng.choice((12.0, 18.5))
    tilt = [rng.uniform(0.6, 1.0) for _ in range(3)]
    steps = []
    for place in range(int((days + 1.5) * DAY / _STEP_S)):
        hour = place * _STEP_S / HOUR % 24
        shape = 0.25 + 0.75 * math.exp(-((hour - peak) ** 2) / 18.0)
        one, two, three = (most_a * share * shape * rng.uniform(0.75, 1.0) for share in tilt)
        steps.append((one, two, three))
    silences = []
    for _ in range(rng.choice((0, 0, 1))):
        begins = rng.uniform(0.0, days * DAY)
        silences.append((begins, begins + rng.uniform(0.2, 3.0) * HOUR))
    return Load(tuple(steps), (most_a, most_a, most_a), tuple(silences))


def prices(rng: random.Random, hours: int) -> tuple[float, ...]:
    """Return euro for a kilowatt hour, hour by hour from midnight: low at night and at noon, high in the evening."""
    level, noise = rng.uniform(0.08, 0.2), rng.uniform(0.0, 0.02)
    shape = _daily(((3.0, -0.05), (8.0, 0.03), (13.5, -0.07), (19.0, 0.12)), hours)
    return tuple(round(max(-0.02, level + each + rng.gauss(0.0, noise)), 4) for each in shape)


def co2(rng: random.Random, hours: int) -> tuple[float, ...]:
    """Return grams of CO₂ for a kilowatt hour, hour by hour from midnight: low in the sun."""
    level = rng.uniform(200.0, 450.0)
    shape = _daily(((13.0, -140.0), (20.0, 90.0), (3.0, -30.0)), hours)
    return tuple(round(max(10.0, level + each + rng.gauss(0.0, 15.0)), 1) for each in shape)


def _daily(bumps: tuple[tuple[float, float], ...], hours: int) -> list[float]:
    def near(hour: float, centre: float) -> float:
        apart = min(abs(hour - centre), 24.0 - abs(hour - centre))
        return math.exp(-(apart**2) / 8.0)

    return [sum(height * near(hour % 24, centre) for centre, height in bumps) for hour in range(hours)]

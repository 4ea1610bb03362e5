"""Vehicles: what one draws under a limit with so much in its battery, and when it comes and goes."""

import random
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Pattern: TypeAlias = Literal["home", "workplace", "depot", "public", "street", "fast"]
"""Who comes: to a garage of a house, to work, to a depot of vans, to public AC, to the kerb, to fast DC."""

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
VOLTAGE_V: Final = 230.0

_TAPERS_TO: Final = 0.2

_Kind: TypeAlias = tuple[float, int, float]

_VANS: Final[tuple[_Kind, ...]] = ((60_000.0, 3, 32.0), (80_000.0, 3, 32.0), (75_000.0, 3, 16.0))
_CARS: Final[tuple[_Kind, ...]] = (
    (40_000.0, 1, 32.0),
    (52_000.0, 3, 32.0),
    (64_000.0, 3, 16.0),
    (77_000.0, 3, 16.0),
    (30_000.0, 1, 16.0),
    (12_000.0, 1, 16.0),
    (58_000.0, 2, 16.0),
    (100_000.0, 3, 24.0),
)
_FAST: Final[tuple[_Kind, ...]] = ((52_000.0, 3, 72.0), (77_000.0, 3, 144.0), (90_000.0, 3, 144.0))
"""Battery, phases, amperes; of DC on the grid's side, on all phases alike."""

_WANTS: Final = ((0.5, 1.0), (0.3, 0.6))
"""What share of what their batteries have room for drivers need, and those who are at fast DC: it tapers."""

_EACH_ANOTHER: Final[frozenset[Pattern]] = frozenset({"public", "street", "fast"})
"""Where each who comes has another vehicle."""


@dataclass(frozen=True, slots=True)
class Car:
    """A vehicle.

    Attributes:
        battery_wh: how much it holds.
        phases: on how many it charges.
        max_a: what its charger draws at most on each.
        min_a: below that it draws nothing; the standard says 6 A, some want more.
        taper_from: from which share of its battery on it takes less and less, down to a fifth.
        step_a: it draws whole multiples of that; 0: any.
        wakes_s: how long it takes from being given current until it draws.
    """

    battery_wh: float
    phases: int
    max_a: float
    min_a: float = 6.0
    taper_from: float = 1.0
    step_a: float = 0.0
    wakes_s: float = 0.0

    def takes_a(self, held_wh: float, limit_a: float) -> float:
        """Return what it draws on each of its phases, with so much in its battery."""
        if limit_a < self.min_a or held_wh >= self.battery_wh - 1.0:
            return 0.0
        share = held_wh / self.battery_wh
        takes = min(limit_a, self.max_a)
        if share > self.taper_from:
            left = (1.0 - share) / (1.0 - self.taper_from)
            takes = min(takes, self.max_a * (_TAPERS_TO + (1.0 - _TAPERS_TO) * left))
        if self.step_a and takes > self.step_a:
            takes = takes // self.step_a * self.step_a
        return takes


@dataclass(frozen=True, slots=True)
class Visit:
    """A vehicle at an EVSE, in seconds from when the simulation begins.

    `wanted_wh` is what its driver needs by then; `says` whether the driver says so, or the site's default is taken.
    """

    evse: int
    arrives_s: float
    departs_s: float
    car: Car
    held_wh: float
    wanted_wh: float
    weight: float = 1.0
    says: bool = True


def car(rng: random.Random, pattern: Pattern) -> Car:
    """Return one of the vehicles that there are."""
    if pattern == "fast":
        battery_wh, phases, max_a = rng.choice(_FAST)
        return Car(battery_wh, phases, max_a, taper_from=rng.choice((0.6, 0.7, 0.8)), wakes_s=20.0)
    battery_wh, phases, max_a = rng.choice(_VANS if pattern == "depot" else _CARS)
    return Car(
        battery_wh=battery_wh,
        phases=phases,
        max_a=max_a,
        min_a=rng.choice((6.0, 6.0, 6.0, 6.0, 5.0, 7.0, 8.0)),
        taper_from=rng.choice((0.85, 0.92, 0.97)),
        step_a=rng.choice((0.0, 0.0, 0.5, 1.0)),
        wakes_s=rng.choice((0.0, 5.0, 20.0)),
    )


def visits(rng: random.Random, pattern: Pattern, evses: int, days: float = 1.0) -> tuple[Visit, ...]:
    """Return who comes to so many EVSEs, one after the other at each, in the order in which they come."""
    made: list[Visit] = []
    for evse in range(evses):
        regular = car(rng, pattern)
        free_at = 0.0
        for day in range(int(days + 0.999)):
            for arrives_s, departs_s in _stays(rng, pattern):
                arrives, departs = day * DAY + arrives_s, day * DAY + departs_s
                if arrives < free_at or arrives > days * DAY:
                    continue
                free_at = departs + 120.0
                who = car(rng, pattern) if pattern in _EACH_ANOTHER else regular
                held = who.battery_wh * rng.uniform(0.1, 0.7)
                room_wh = who.battery_wh - held
                could_wh = who.phases * who.max_a * VOLTAGE_V * (departs - arrives) / HOUR
                wanted = min(room_wh * rng.uniform(*_WANTS[pattern == "fast"]), could_wh * rng.uniform(0.5, 1.0))
                says = rng.random() < 0.7
                made.append(Visit(evse, arrives, departs, who, held, wanted, rng.choice((1.0, 1.0, 1.0, 2.0)), says))
    return tuple(sorted(made, key=lambda visit: (visit.arrives_s, visit.evse)))


def _stays(rng: random.Random, pattern: Pattern) -> list[tuple[float, float]]:
    """Return when vehicles come and go on a day that begins at midnight."""
    if pattern == "home":
        comes = rng.random() >= 0.2
        return [(rng.gauss(18.0, 1.5) * HOUR, (24 + rng.gauss(7.0, 0.7)) * HOUR)] if comes else []
    if pattern == "workplace":
        if rng.random() < 0.15:
            return []
        arrives = rng.gauss(8.3, 0.7)
        return [(arrives * HOUR, (arrives + max(3.0, rng.gauss(8.0, 1.0))) * HOUR)]
    if pattern == "depot":
        return [(rng.gauss(17.5, 0.8) * HOUR, (24 + rng.gauss(5.5, 0.5)) * HOUR)]
    if pattern == "street":
        return _at_the_kerb(rng)
    return _one_after_the_other(rng, (0.4, 0.9) if pattern == "fast" else (0.5, 3.0))


def _at_the_kerb(rng: random.Random) -> list[tuple[float, float]]:
    """Return who parks by day for some hours, and who lives there and stays over night."""
    arrives = rng.uniform(8.0, 12.0)
    by_day = (arrives * HOUR, (arrives + rng.uniform(1.0, 5.0)) * HOUR)
    at_night = (rng.gauss(19.0, 1.5) * HOUR, (24 + rng.gauss(7.5, 1.0)) * HOUR)
    return [stay for stay, often in ((by_day, 0.5), (at_night, 0.75)) if rng.random() < often]


def _one_after_the_other(rng: random.Random, stay_h: tuple[float, float]) -> list[tuple[float, float]]:
    stays = []
    at = rng.uniform(6.0, 10.0)
    while at < 21.0:
        stay = rng.uniform(*stay_h)
        stays.append((at * HOUR, (at + stay) * HOUR))
        at += stay + rng.expovariate(1.0)
    return stays

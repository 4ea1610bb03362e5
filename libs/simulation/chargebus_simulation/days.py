"""Seeded days: each is a small site with stations that deviate, run by the production decisions; what they came to."""

from collections import Counter
from dataclasses import dataclass, field

from chargebus_simulation.books import Books
from chargebus_simulation.closed_loop import ClosedLoop
from chargebus_simulation.places import small
from chargebus_simulation.world import World

ROUNDING_S = 1.0


@dataclass(frozen=True, slots=True)
class Day:
    """What a day came to; `breaches` are the properties that did not hold, in words."""

    seed: int
    evses: int
    vehicles: int
    decisions: int
    commands: int
    energy_wh: float
    wanted_wh: float
    over_s: float
    over_most_s: float
    breaches: tuple[str, ...]


@dataclass(slots=True)
class Days:
    """What many days came to."""

    count: int = 0
    with_overload: int = 0
    evses: int = 0
    vehicles: int = 0
    decisions: int = 0
    commands: int = 0
    energy_wh: float = 0.0
    over_most_s: float = 0.0
    rules: Counter[str] = field(default_factory=Counter)
    breaching: list[tuple[int, str]] = field(default_factory=list)

    def add(self, day: Day) -> None:
        """Add a day."""
        self.count += 1
        self.with_overload += day.over_s > ROUNDING_S
        self.evses += day.evses
        self.vehicles += day.vehicles
        self.decisions += day.decisions
        self.commands += day.commands
        self.energy_wh += day.energy_wh
        self.over_most_s = max(self.over_most_s, day.over_most_s)
        self.rules.update({breach.split(" at ", 1)[0] for breach in day.breaches})
        if day.breaches:
            self.breaching.append((day.seed, day.breaches[0]))


def simulated_day(seed: int, days: float = 1.0) -> Day:
    """Run the day of a seed, or several in a row at one site."""
    place = small(seed, days)
    books = World(place, ClosedLoop(place)).run()
    return _day(seed, books)


def _day(seed: int, books: Books) -> Day:
    return Day(
        seed=seed,
        evses=len(books.place.site.evses),
        vehicles=len(books.left_vehicles),
        decisions=books.decisions,
        commands=books.asked,
        energy_wh=books.energy_wh,
        wanted_wh=sum(left.visit.wanted_wh for left in books.left_vehicles),
        over_s=sum(books.over_s.values()),
        over_most_s=books.over_most_s,
        breaches=tuple(map(str, books.breaches)),
    )

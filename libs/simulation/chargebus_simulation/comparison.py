"""Ways of planning on the same days: energy by departure at each size of transformer, cost, CO₂."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_simulation.cars import VOLTAGE_V, Pattern
from chargebus_simulation.chart import Axes, Panel, chart
from chargebus_simulation.ideal import simulated
from chargebus_simulation.places import Place, fleet
from chargebus_simulation.policies import Policy
from chargebus_simulation.world import World

Objective: TypeAlias = Literal["none", "price", "co2"]

ENOUGH: Final = 0.95
"""A vehicle that has got that share of what it needs is charged."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of site.

    Attributes:
        pattern: who comes.
        evses: of AC, with 32 A on three phases.
        outlets: of DC, with 100 kW.
        sizes_a: of the transformer, on each phase.
        roomy_a: one that leaves a choice of when to charge, at which cost and CO₂ are compared.
    """

    pattern: Pattern
    evses: int
    sizes_a: tuple[float, ...]
    roomy_a: float
    outlets: int = 0

    def place(self, seed: int, root_a: float) -> Place:
        """Return a day of such a site."""
        return fleet(seed, self.pattern, self.evses, root_a, outlets=self.outlets)


SITES: Final[Mapping[str, Kind]] = {
    "depot": Kind("depot", 24, (50.0, 80.0, 100.0), 150.0),
    "workplace": Kind("workplace", 24, (50.0, 80.0, 100.0), 150.0),
    "public AC": Kind("public", 16, (50.0, 80.0, 100.0), 160.0),
    "home": Kind("home", 20, (32.0, 40.0, 50.0), 125.0),
    "street": Kind("street", 20, (32.0, 50.0, 63.0), 125.0),
    "AC and DC": Kind("public", 12, (100.0, 200.0, 300.0), 500.0, outlets=4),
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A way of planning, and what it plans for."""

    name: str
    policy: Policy
    objective: Objective = "none"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a way of planning came to on some days, at one size of transformer.

    `delivered` is the share of what drivers needed that they had when they left, `charged` that of vehicles which had
    enough, `over_h` how many hours a day the transformer bore too much.
    """

    name: str
    site: str
    size_kva: float
    delivered: float
    charged: float
    cost_per_kwh: float
    co2_g_per_kwh: float
    over_h: float


def compared(
    contenders: Iterable[Contender], site: str, sizes_a: Iterable[float], seeds: Iterable[int]
) -> Iterator[Figures]:
    """Run all on all days of a kind of site, at some sizes of its transformer."""
    seeds, contenders = tuple(seeds), tuple(contenders)
    for size_a in sizes_a:
        for contender in contenders:
            worlds = [ran(contender, SITES[site].place(seed, size_a)) for seed in seeds]
            yield summed(contender.name, site, size_a, worlds)


class Logged(msgspec.Struct, frozen=True):
    """Figures of so many days, as a log has them."""

    days: int
    figures: Figures


class Log:
    """Runs what a log does not have yet, a line for each figure: so a comparison goes on where it was ended."""

    def __init__(self, path: Path | None, seeds: Sequence[int]) -> None:
        self._path = path
        self._seeds = seeds
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        known = [msgspec.json.decode(line, type=Logged) for line in lines]
        self._known = {_of(each.figures): each.figures for each in known if each.days == len(seeds)}

    def compared(self, contenders: Iterable[Contender], site: str, sizes_a: Iterable[float]) -> Iterator[Figures]:
        """Return all figures of a kind of site, those that are missing run now."""
        contenders = tuple(contenders)
        for size_a in sizes_a:
            for contender in contenders:
                figures = self._known.get((contender.name, site, kva(size_a)))
                yield figures or self._ran(contender, site, size_a)

    def _ran(self, contender: Contender, site: str, size_a: float) -> Figures:
        figures = next(compared((contender,), site, (size_a,), self._seeds))
        if self._path is not None:
            with self._path.open("a") as log:
                log.write(msgspec.json.encode(Logged(len(self._seeds), figures)).decode() + "\n")
        return figures


def _of(figures: Figures) -> tuple[str, str, float]:
    return figures.name, figures.site, figures.size_kva


def kva(size_a: float) -> float:
    """Return the size of a transformer that bears so many amperes on each phase."""
    return round(3 * VOLTAGE_V * size_a / 1000.0, 1)


def ran(contender: Contender, place: Place) -> World:
    """Run a way of planning on a place."""
    costs = {"none": (), "price": place.prices, "co2": place.co2}[contender.objective]
    return simulated(place, contender.policy, costs=costs)


def delivered_wh(world: World) -> float:
    """Return what drivers had when they left, of what they needed."""
    return sum(min(left.energy_wh, left.visit.wanted_wh) for left in world.books.left_vehicles)


def wanted_wh(world: World) -> float:
    """Return what they needed."""
    return sum(left.visit.wanted_wh for left in world.books.left_vehicles)


def summed(name: str, site: str, size_a: float, worlds: list[World]) -> Figures:
    """Sum up some days."""
    left = [each for world in worlds for each in world.books.left_vehicles]
    energy_kwh = sum(world.books.energy_wh for world in worlds) / 1000.0
    return Figures(
        name=name,
        site=site,
        size_kva=kva(size_a),
        delivered=sum(map(delivered_wh, worlds)) / sum(map(wanted_wh, worlds)),
        charged=sum(each.energy_wh >= ENOUGH * each.visit.wanted_wh for each in left) / len(left),
        cost_per_kwh=sum(world.books.cost for world in worlds) / energy_kwh,
        co2_g_per_kwh=sum(world.books.co2_g for world in worlds) / energy_kwh,
        over_h=sum(sum(world.books.over_s.values()) for world in worlds) / len(worlds) / 3600.0,
    )


HEAD: Final = """\
| site | transformer | planned by | energy by departure | vehicles charged | ct/kWh | g CO₂/kWh | overload, h/day |
|---|---|---|---|---|---|---|---|"""


def row(figures: Figures) -> str:
    """Return a line of the table."""
    return (
        f"| {figures.site} | {figures.size_kva:.0f} kVA | {figures.name} | {100 * figures.delivered:.1f} % "
        f"| {100 * figures.charged:.0f} % | {100 * figures.cost_per_kwh:.1f} | {figures.co2_g_per_kwh:.0f} "
        f"| {figures.over_h:.1f} |"
    )


def table(figures: Iterable[Figures]) -> str:
    """Return the table as Markdown."""
    return "\n".join((HEAD, *map(row, figures)))


def as_json(figures: Iterable[Figures]) -> list[dict[str, object]]:
    """Return the figures for a JSON file."""
    return [asdict(each) for each in figures]


def plot(figures: Iterable[Figures]) -> str:
    """Return the chart of energy by departure at each size, as SVG; who overloads the transformer is left out."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for each in figures:
        if each.name != "uncontrolled":
            lines = panels.setdefault(each.site, {})
            lines.setdefault(each.name, []).append((each.size_kva, 100 * each.delivered))
    lowest = min(y for lines in panels.values() for points in lines.values() for _, y in points)
    axes = Axes("transformer, kVA", "energy by departure, %", max(0.0, lowest // 20 * 20), 100.0)
    return chart([Panel(name, lines) for name, lines in panels.items()], axes)

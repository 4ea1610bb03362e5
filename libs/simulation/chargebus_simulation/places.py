"""Places: a site, who comes there, its stations, its other loads, and what others forbid; each out of a seed."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time

from chargebus_smart_charging.sites.domain.site import (
    CalendarEntry,
    Capacity,
    Evse,
    EvseKey,
    LoadMeter,
    Node,
    Policy,
    Site,
)

from chargebus_simulation.cars import DAY, HOUR, VOLTAGE_V, Pattern, Visit, car, visits
from chargebus_simulation.curves import Load, building, co2, prices
from chargebus_simulation.stations import Temper, good, some

BEGINS_AT = datetime(2026, 1, 5, tzinfo=UTC)
"""When each simulation begins: midnight before a Monday."""

ROOT = "grid"

_OUTLET_A = 144.0
_COUNTS = (1, 2, 2, 3, 3, 3, 4, 4, 5, 6)
_ROTATIONS = ((1, 2, 3), (2, 3, 1), (3, 1, 2))
_PATTERNS: tuple[Pattern, ...] = ("home", "workplace", "depot", "public")


@dataclass(frozen=True, slots=True)
class Cut:
    """A limit that someone else sets for a node, amperes on each phase, told when it begins."""

    node_id: str
    begins_s: float
    ends_s: float
    phase_a: float


@dataclass(frozen=True, slots=True)
class Place:
    """All that a simulation needs to know of a site."""

    site: Site
    visits: tuple[Visit, ...]
    tempers: dict[str, Temper]
    hardware_a: dict[EvseKey, float]
    days: float = 1.0
    loads: dict[str, Load] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()
    prices: tuple[float, ...] = ()
    co2: tuple[float, ...] = ()

    def limit_a(self, node_id: str, now_s: float) -> float:
        """Return what may flow on each phase of a node, by its capacity, its calendar and what others set."""
        node = next(each for each in self.site.nodes if each.node_id == node_id)
        limits = [node.capacity.phase_a if node.capacity.phase_a is not None else float("inf")]
        hour = now_s % DAY / HOUR
        for entry in node.calendar:
            begins, ends = _hour(entry.from_time), _hour(entry.to_time)
            if (begins <= hour < ends) if begins < ends else (hour >= begins or hour < ends):
                limits.append(entry.capacity.phase_a or 0.0)
        limits.extend(cut.phase_a for cut in self.cuts if cut.node_id == node_id and cut.begins_s <= now_s < cut.ends_s)
        return min(limits)

    def calendar_changes(self) -> tuple[float, ...]:
        """Return when a limit changes by a calendar."""
        entries = [entry for node in self.site.nodes for entry in node.calendar]
        hours = [_hour(at) for entry in entries for at in (entry.from_time, entry.to_time)]
        return tuple(day * DAY + hour * HOUR for day in range(int(self.days) + 2) for hour in hours)


def small(seed: int, days: float = 1.0) -> Place:
    """Return one of the small sites that there may be, with stations that deviate, and short of power."""
    rng = random.Random(seed)
    pattern = _PATTERNS[seed % len(_PATTERNS)]
    count = rng.choice(_COUNTS)
    stations = [f"S{number}" for number in range(count if rng.random() < 0.7 else max(1, count // 2))]
    evses, hardware = [], {}
    panels = rng.choice((0, 0, 1, 2))
    for number in range(count):
        station_id = stations[number % len(stations)]
        evse_id = 1 + number // len(stations)
        phases: tuple[int, ...] = rng.choice(_ROTATIONS)
        if rng.random() < 0.15:
            phases = (rng.choice((1, 2, 3)),)
        most_a = rng.choice((16.0, 32.0, 32.0))
        evse = Evse(
            station_id,
            evse_id,
            f"panel-{number % panels}" if panels else ROOT,
            voltage_v=230.0,
            phases=phases,
            min_a=6.0,
            max_a=most_a,
            step_a=rng.choice((0.0, 0.1, 1.0)),
        )
        evses.append(evse)
        hardware[evse.key] = most_a
    load_a = rng.choice((0.0, 10.0, 25.0))
    nodes, loads = _nodes(rng, evses, panels, load_a, days)
    site = Site(f"site-{seed}", f"{pattern} {seed}", nodes, tuple(evses), policy=_policy(rng))
    return Place(
        site=site,
        visits=visits(rng, pattern, count, days),
        tempers={station_id: some(rng, days) for station_id in stations},
        hardware_a=hardware,
        days=days,
        loads=loads,
        cuts=_cuts(rng, nodes[0], days),
        prices=prices(rng, int(days * 24) + 36),
        co2=co2(rng, int(days * 24) + 36),
    )


def _policy(rng: random.Random) -> Policy:
    return Policy(
        interval_s=rng.choice((300.0, 600.0, 900.0)),
        grace_s=60.0,
        dead_band_a=rng.choice((0.5, 1.0)),
        profile_life_s=rng.choice((1800.0, 3600.0, 7200.0)),
    )


def _nodes(
    rng: random.Random, evses: list[Evse], panels: int, load_a: float, days: float
) -> tuple[tuple[Node, ...], dict[str, Load]]:
    """Return a grid connection that bears a share of what all could draw, and panels that bear more of theirs."""
    share = rng.uniform(0.2, 0.9)
    root_a = max(10.0, round(share * sum(evse.max_a or 0.0 for evse in evses))) + load_a
    loads = {ROOT: building(rng, load_a, days)} if load_a else {}
    meter = LoadMeter((load_a, load_a, load_a), silent_after_s=300.0) if load_a else None
    calendar: tuple[CalendarEntry, ...] = ()
    if rng.random() < 0.2:
        least_a = max(load_a + 6.0, root_a * 0.6)
        calendar = (
            CalendarEntry(Capacity(phase_a=least_a), weekdays=tuple(range(7)), from_time=time(17), to_time=time(20)),
        )
    margin = rng.choice((0.0, 0.0, 0.05))
    nodes = [Node(ROOT, None, "grid connection", Capacity(phase_a=root_a), margin, calendar=calendar, meter=meter)]
    for number in range(panels):
        below = sum(evse.max_a or 0.0 for evse in evses if evse.node_id == f"panel-{number}")
        panel_a = min(root_a, max(10.0, round(below * rng.uniform(0.4, 1.0))))
        nodes.append(Node(f"panel-{number}", ROOT, f"panel {number}", Capacity(phase_a=panel_a)))
    return tuple(nodes), loads


def _cuts(rng: random.Random, root: Node, days: float) -> tuple[Cut, ...]:
    cuts = []
    for _ in range(rng.choice((0, 0, 1, 2))):
        begins = rng.uniform(0.0, days * DAY)
        cuts.append(
            Cut(
                ROOT,
                begins,
                begins + rng.uniform(0.1, 2.0) * HOUR,
                (root.capacity.phase_a or 0.0) * rng.uniform(0.3, 0.8),
            )
        )
    return tuple(cuts)


def fleet(  # noqa: PLR0913, PLR0917 - what makes it out, by its parts
    seed: int, pattern: Pattern, evses: int, root_a: float, days: float = 1.0, outlets: int = 0
) -> Place:
    """Return a site of one kind for comparisons: good stations of three phases under one connection, no other loads.

    Beside its EVSEs it may have so many DC outlets of 100 kW, to which others come for less than an hour.
    """
    rng = random.Random(seed)
    made = tuple(
        Evse(f"S{number:03}", 1, ROOT, voltage_v=230.0, phases=_ROTATIONS[number % 3], min_a=6.0, max_a=32.0)
        for number in range(evses)
    )
    made += tuple(
        Evse(f"S{number:03}", 1, ROOT, "DC", 230.0, (1, 2, 3), 0.0, _OUTLET_A)
        for number in range(evses, evses + outlets)
    )
    come = list(visits(rng, pattern, evses, days))
    come += [replace(visit, evse=evses + visit.evse) for visit in visits(rng, "fast", outlets, days)]
    come.sort(key=lambda visit: (visit.arrives_s, visit.evse))
    told = tuple(replace(visit, says=True, weight=1.0) for visit in come)
    return Place(
        site=Site(
            f"{pattern}-{seed}",
            pattern,
            (Node(ROOT, None, "transformer", Capacity(phase_a=root_a)),),
            made,
            policy=Policy(interval_s=300.0),
        ),
        visits=told,
        tempers={evse.station_id: good() for evse in made},
        hardware_a={evse.key: evse.max_a or 32.0 for evse in made},
        days=days,
        prices=prices(rng, int(days * 24) + 36),
        co2=co2(rng, int(days * 24) + 36),
    )


def gathered(seed: int, evses: int, root_a: float, hours: float = 6.0) -> Place:
    """Return a fleet whose vehicles are all there at the begin, take full power to the end, and leave by quarter hours.

    Stations follow at once, and vehicles are full when they have what they need. So all that is to come is known, and
    what could have been had at best can be reckoned.
    """
    rng = random.Random(seed)
    place = fleet(seed, "workplace", evses, root_a)
    stays = []
    for evse in range(evses):
        who = replace(car(rng, "workplace"), taper_from=1.0, min_a=6.0, step_a=0.0, wakes_s=0.0)
        departs_s = round(rng.uniform(0.4, 1.0) * hours * 4) * HOUR / 4
        could_wh = min(who.battery_wh * 0.9, who.phases * who.max_a * VOLTAGE_V * departs_s / HOUR)
        wanted_wh = could_wh * rng.uniform(0.3, 0.9)
        stays.append(Visit(evse, 0.0, departs_s, who, who.battery_wh - wanted_wh, wanted_wh))
    at_once = dict.fromkeys(place.tempers, Temper(answer_s=0.0, obeys_s=0.0))
    return replace(place, visits=tuple(stays), tempers=at_once, days=0.0)


def _hour(at: time | None) -> float:
    return 0.0 if at is None else at.hour + at.minute / 60.0

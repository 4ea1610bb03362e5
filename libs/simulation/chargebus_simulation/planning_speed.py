"""How long planning takes: `python -m chargebus_simulation.planning_speed` prints figures as JSON.

Times are CPU seconds of one process, which others on the same machine disturb least.
"""

import math
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from chargebus_smart_charging.allocation.domain.allocator import allocate
from chargebus_smart_charging.allocation.domain.optimiser import optimise
from chargebus_smart_charging.allocation.domain.problem import (
    Bound,
    Costs,
    Demand,
    Horizon,
    Plan,
    PlanNode,
    PlanProblem,
    on_phases,
)
from chargebus_smart_charging.allocation.domain.release import release

_INTERVALS: Final = 96
_INTERVAL_S: Final = 900.0
_WITHIN_S: Final = 60.0
_AMPERES_EACH: Final = (3.0, 5.0, 8.0)
_REPEATS: Final = 3
_NOW: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)


class PlanningFigures(msgspec.Struct, frozen=True):
    """CPU seconds for a plan of one large site (of several, the slowest), and for one of each of many small sites.

    What the large sites' plans leave unserved is a share of what is needed.
    """

    vehicles: int
    allocator_s: float
    allocator_unserved: float
    optimiser_s: float
    optimiser_unserved: float
    sites: int
    evses: int
    sites_s: float


def figures(vehicles: int = 1000, sites: int = 2000, evses: int = 20) -> PlanningFigures:
    """Measure how long plans take, on car parks that are short of power, less short, and hardly short."""
    large = [car_park(vehicles, amperes, seed) for seed, amperes in enumerate(_AMPERES_EACH)]
    small = [car_park(evses, _AMPERES_EACH[seed % len(_AMPERES_EACH)], seed) for seed in range(sites)]
    optimise(car_park(2, 8.0, 0), _WITHIN_S)  # what is done but once
    allocated = [_measured(allocate, site) for site in large]
    optimised = [_measured(_optimise, site) for site in large]
    began_s = time.process_time()
    for site in small:
        _replan(site)
    return PlanningFigures(
        vehicles=vehicles,
        allocator_s=round(max(seconds for seconds, _ in allocated), 4),
        allocator_unserved=_unserved(large, [plan for _, plan in allocated]),
        optimiser_s=round(max(seconds for seconds, _ in optimised), 4),
        optimiser_unserved=_unserved(large, [plan for _, plan in optimised]),
        sites=sites,
        evses=evses,
        sites_s=round(time.process_time() - began_s, 2),
    )


def car_park(vehicles: int, amperes_each: float, seed: int) -> PlanProblem:
    """Return a site with a panel for each 25 vehicles under transformers, so many amperes for each, and prices."""
    numbers = random.Random(seed)
    root_a = vehicles * amperes_each
    panels = max(1, vehicles // 25)
    transformers = max(1, panels // 12)
    nodes = [PlanNode("root", None, (Bound(f"root: {root_a:g} A", (root_a,) * 3, total_va=root_a * 3 * 230),))]
    for index in range(transformers):
        limit_a = 1.2 * root_a / transformers
        nodes.append(PlanNode(f"transformer {index}", 0, (Bound(f"transformer {index}", (limit_a,) * 3),)))
    for index in range(panels):
        limit_a = 1.5 * root_a / panels
        nodes.append(PlanNode(f"panel {index}", 1 + index % transformers, (Bound(f"panel {index}", (limit_a,) * 3),)))
    prices = tuple(0.3 + 0.1 * math.sin(index / _INTERVALS * 4 * math.pi) for index in range(_INTERVALS))
    demands = tuple(_vehicle(numbers, f"S{index}", 1 + transformers + index % panels) for index in range(vehicles))
    return PlanProblem(Horizon(_NOW, (_INTERVAL_S,) * _INTERVALS), tuple(nodes), demands, costs=Costs(prices))


def _vehicle(numbers: random.Random, name: str, node: int) -> Demand:
    return Demand(
        key=(name, 1),
        node=node,
        phases=numbers.choice([(0, 1, 2), (0, 1, 2), (0,), (1,), (2,)]),
        voltage_v=230.0,
        min_a=6.0,
        max_a=numbers.choice([16.0, 32.0]),
        step_a=1.0,
        energy_wh=numbers.uniform(3_000, 25_000),
        departs_at=_NOW + timedelta(hours=numbers.uniform(2, 14)),
        least_charge_s=300.0,
        least_pause_s=300.0,
    )


def _replan(site: PlanProblem) -> dict[tuple[str, int], float]:
    """Plan a site anew and find out what may be told now."""
    plan = allocate(site)
    return release(site, plan, {demand.key: on_phases(demand, demand.present_a) for demand in site.demands})


def _optimise(site: PlanProblem) -> Plan:
    return optimise(site, _WITHIN_S)


def _measured(make: Callable[[PlanProblem], Plan], site: PlanProblem) -> tuple[float, Plan]:
    """Return the least CPU seconds of several times, and the plan."""
    seconds = []
    for _ in range(_REPEATS):
        began_s = time.process_time()
        plan = make(site)
        seconds.append(time.process_time() - began_s)
    return min(seconds), plan


def _unserved(sites: list[PlanProblem], plans: list[Plan]) -> float:
    needed_wh = sum(demand.energy_wh or 0.0 for site in sites for demand in site.demands)
    return round(sum(each.unserved_wh for plan in plans for each in plan.allocations) / needed_wh, 4)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(figures()))

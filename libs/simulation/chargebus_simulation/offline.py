"""What could have been had at best, by one who knew all that was to come: a program of the whole time.

Each vehicle gets nothing or at least its least current in a quarter of an hour; who is there for a part of it may draw
at any time of it: nothing that really charges can come to more.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import highspy

from chargebus_simulation.cars import HOUR, VOLTAGE_V, Visit
from chargebus_simulation.ideal import QUARTER_S
from chargebus_simulation.places import Place

_GAP: Final = 5e-4
_KEPT: Final = 1.0 - 1e-5


@dataclass(frozen=True, slots=True)
class Optimum:
    """The most energy that all could have had of what they needed, and the least that so much of it costs."""

    energy_wh: float
    cost: float


def optimum(place: Place, costs_per_kwh: tuple[float, ...]) -> Optimum:
    """Return the optimum of a place; costs are by hours."""
    program = _Program(place, costs_per_kwh)
    energy_wh = program.most_energy_wh()
    return Optimum(energy_wh, program.least_cost(energy_wh))


class _Program:
    """Watt hours of each vehicle in each quarter of an hour."""

    def __init__(self, place: Place, costs_per_kwh: tuple[float, ...]) -> None:
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
        self._solver.silent()
        self._solver.setOptionValue("mip_rel_gap", _GAP)
        self._solver.setOptionValue("threads", 1)  # as the optimiser does: HiGHS has one number for a process
        self._place = place
        self._variables: list[highspy.highs.highs_var] = []
        self._costs: list[float] = []
        on_node: dict[tuple[str, int, int], list[tuple[highspy.highs.highs_var, float]]] = {}
        for visit in place.visits:
            evse = place.site.evses[visit.evse]
            phases = [phase - 1 for phase in (evse.phases or (1, 2, 3))][: visit.car.phases]
            mine = []
            for interval in range(int(visit.arrives_s // QUARTER_S), int(-(-visit.departs_s // QUARTER_S))):
                most_wh = _most_wh(visit, interval)
                least_wh = visit.car.min_a / visit.car.max_a * most_wh
                wh = self._solver.addVariable(least_wh, most_wh, type=highspy.HighsVarType.kSemiContinuous)
                mine.append(wh)
                self._variables.append(wh)
                self._costs.append(costs_per_kwh[int(interval * QUARTER_S / HOUR)] / 1000.0)
                amperes = HOUR / QUARTER_S / VOLTAGE_V / len(phases)
                for node_id, phase in product(_path(place, evse.node_id), phases):
                    on_node.setdefault((node_id, interval, phase), []).append((wh, amperes))
            self._solver.addConstr(highspy.Highs.qsum(mine) <= visit.wanted_wh)
        for (node_id, interval, _), terms in on_node.items():
            limit_a = place.limit_a(node_id, interval * QUARTER_S)
            self._solver.addConstr(highspy.Highs.qsum(wh * amperes for wh, amperes in terms) <= limit_a)

    def most_energy_wh(self) -> float:
        """Return the most energy."""
        self._solver.maximize(sum(self._variables))
        return float(self._solver.getObjectiveValue())

    def least_cost(self, energy_wh: float) -> float:
        """Return the least that so much energy costs."""
        self._solver.addConstr(highspy.Highs.qsum(self._variables) >= energy_wh * _KEPT)
        self._solver.minimize(sum(wh * cost for wh, cost in zip(self._variables, self._costs, strict=True)))
        return float(self._solver.getObjectiveValue())


def _most_wh(visit: Visit, interval: int) -> float:
    begins_s = max(visit.arrives_s, interval * QUARTER_S)
    ends_s = min(visit.departs_s, (interval + 1) * QUARTER_S)
    return visit.car.max_a * VOLTAGE_V * visit.car.phases * (ends_s - begins_s) / HOUR


def _path(place: Place, node_id: str) -> tuple[str, ...]:
    parents = {node.node_id: node.parent_id for node in place.site.nodes}
    path, above = [], node_id
    while above is not None:
        path.append(above)
        above = parents[above]  # type: ignore[assignment]
    return tuple(path)

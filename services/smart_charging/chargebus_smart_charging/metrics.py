"""What smart-charging measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.smart_charging.told | {message} | sites, limits, readings, series told: `what`, `by` whom, its `result` |
| chargebus.smart_charging.planning_time | s | from claiming a piece of sites until what was decided is written |
| chargebus.smart_charging.planned | {site} | sites that were planned, by `method`: the optimiser or the allocator |
| chargebus.smart_charging.solver_fallbacks | {site} | sites for which the optimiser gave no plan in its time |
| chargebus.smart_charging.due_late | s | how long after a site was due it was claimed |
| chargebus.smart_charging.replanned | {site} | plans that did not count, as something had changed meanwhile |
| chargebus.smart_charging.overload | s | time that a node was measured above its bounds, by `site` and `node` |
| chargebus.smart_charging.unserved | Wh | energy that vehicles lacked when they left, of what they were known to need |
| chargebus.smart_charging.disobedience | s | time that EVSEs drew more than they might, summed over them |
| chargebus.smart_charging.unsteerable | s | time that EVSEs could not be steered: per second, how many cannot |
| chargebus.smart_charging.commands | {command} | what EVSEs were asked for |
| chargebus.smart_charging.orders | {order} | what came of that: by what was asked (`asking`), the `way`, its `result` |
| chargebus.smart_charging.falls | {EVSE} | ways that were given up with an EVSE: which `way`, and `why` |
| chargebus.smart_charging.vehicle_time | s | time that vehicles were plugged in, for commands per vehicle hour |
"""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.metrics import get_meter

MOST_NODES: Final = 1000
"""Of so many nodes that were overloaded since the process began, each is told by name."""
OTHERS: Final = "other"


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.smart_charging")
        self._told = meter.create_counter("chargebus.smart_charging.told", "{message}")
        self._planning_time = meter.create_histogram("chargebus.smart_charging.planning_time", "s")
        self._planned = meter.create_counter("chargebus.smart_charging.planned", "{site}")
        self._fallbacks = meter.create_counter("chargebus.smart_charging.solver_fallbacks", "{site}")
        self._late = meter.create_histogram("chargebus.smart_charging.due_late", "s")
        self._replanned = meter.create_counter("chargebus.smart_charging.replanned", "{site}")
        self._orders = meter.create_counter("chargebus.smart_charging.orders", "{order}")
        self._falls = meter.create_counter("chargebus.smart_charging.falls", "{EVSE}")
        self._overload = meter.create_counter("chargebus.smart_charging.overload", "s")
        self._named: set[tuple[str, str]] = set()
        self._tallies = {
            name: meter.create_counter(f"chargebus.smart_charging.{name}", unit)
            for name, unit in (
                ("unserved", "Wh"),
                ("disobedience", "s"),
                ("unsteerable", "s"),
                ("commands", "{command}"),
                ("vehicle_time", "s"),
            )
        }

    def planned(self, method: str) -> None:
        """Count a site that was planned."""
        self._planned.add(1, {"method": method})

    def planned_within(self, seconds: float) -> None:
        """Note how long a piece of sites took."""
        self._planning_time.record(seconds)

    def fell_back(self) -> None:
        """Count a site for which the optimiser gave no plan."""
        self._fallbacks.add(1)

    def claimed(self, late_s: Iterable[float]) -> None:
        """Note how late sites were claimed."""
        for each in late_s:
            self._late.record(each)

    def replanned(self, sites: int) -> None:
        """Count plans that did not count."""
        if sites:
            self._replanned.add(sites)

    def overloaded(self, site_id: str, seconds: Mapping[str, float]) -> None:
        """Count for how long nodes of a site were overloaded; past so many nodes, the others count as one."""
        for node_id, lasted_s in seconds.items():
            name = site_id, node_id
            if name not in self._named and len(self._named) >= MOST_NODES:
                name = OTHERS, OTHERS
            self._named.add(name)
            if lasted_s:
                self._overload.add(lasted_s, {"site": name[0], "node": name[1]})

    def tally(self, counted: Mapping[str, float]) -> None:
        """Count what came about at a site since it was planned before: what was unserved, asked, and so on."""
        for name, amount in counted.items():
            if amount:
                self._tallies[name].add(amount)

    def ordered(self, asking: str, way: str, result: str) -> None:
        """Count what came of an order of an EVSE."""
        self._orders.add(1, {"asking": asking, "way": way, "result": result})

    def fell(self, way: str, why: str) -> None:
        """Count a way that was given up with an EVSE."""
        self._falls.add(1, {"way": way, "why": why})

    def count(self, what: str, by: str, result: str, times: int = 1) -> None:
        """Count what somebody told, and what became of it."""
        if times:
            self._told.add(times, {"what": what, "by": by, "result": result})

"""What local controllers are told: the bounds of their nodes, for all that is behind them."""

from collections.abc import Sequence
from datetime import datetime

from chargebus_smart_charging.allocation.domain.ahead import starts
from chargebus_smart_charging.allocation.domain.problem import PlanNode, PlanProblem
from chargebus_smart_charging.planning.domain.known import SiteKnown, StationKnown
from chargebus_smart_charging.planning.domain.watching import bound_a
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.domain.told import NOTHING_TOLD
from chargebus_smart_charging.steering.domain.controllers import as_controller, controllers_of
from chargebus_smart_charging.steering.domain.resolving import resolved
from chargebus_smart_charging.steering.domain.steered import Steerable, Steered
from chargebus_smart_charging.steering.domain.stepping import Step, step


def group_steps(known: SiteKnown, problem: PlanProblem, now: datetime) -> dict[EvseKey, tuple[Steerable, Step]]:
    """Return what is done about the local controllers of a site: each gets the least of its node's phases."""
    if not any(node.controller_station_id for node in known.site.nodes):
        return {}
    nodes = {node.node_id: node for node in problem.nodes}
    at = starts(problem.horizon)
    done: dict[EvseKey, tuple[Steerable, Step]] = {}
    for node, evse in controllers_of(known.site):
        levels = _levels(nodes[node.node_id], len(at))
        if levels is None:
            continue
        station = known.stations.get(evse.station_id) or StationKnown()
        plain = Steerable(resolved(evse, NOTHING_TOLD), known.site.policy, station.habits, station.version)
        steerable = as_controller(plain, levels[0])
        ahead = tuple(zip(at[1:], levels[1:], strict=True))
        steered = known.steered.get(evse.key) or Steered()
        done[evse.key] = steerable, step(steered, levels[0], steerable, now, ahead)
    return done


def _levels(node: PlanNode, count: int) -> Sequence[float] | None:
    """Return what may flow through a node on each phase, interval by interval; None: nothing bounds it now."""
    levels = [min(limit) if (limit := bound_a(node, place)) is not None else None for place in range(count)]
    present = levels[0]
    return None if present is None else [present if each is None else each for each in levels]

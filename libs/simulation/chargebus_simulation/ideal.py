"""A CSMS that knows all there is to know of who is there, and whose stations obey: for comparing ways of planning."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from chargebus_smart_charging.allocation.domain.problem import (
    Bound,
    Costs,
    Demand,
    Horizon,
    PlanNode,
    PlanProblem,
)
from chargebus_smart_charging.planning.domain.demands import reserve_s
from chargebus_smart_charging.sites.domain.site import EvseKey

from chargebus_simulation.cars import HOUR, VOLTAGE_V
from chargebus_simulation.facts import Ask, Began, Ended, Fact
from chargebus_simulation.places import BEGINS_AT, Place
from chargebus_simulation.policies import Policy
from chargebus_simulation.sockets import Socket
from chargebus_simulation.world import Decided, World

QUARTER_S: Final = 900.0
_MOST_INTERVALS: Final = 96


class IdealCsms:
    """Plans every quarter of an hour, and when someone comes or goes, by one of the policies."""

    def __init__(self, place: Place, policy: Policy, *, costs: tuple[float, ...] = ()) -> None:
        self.place = place
        self._policy = policy
        self._costs = costs
        self._world: World | None = None
        self._present: dict[EvseKey, int] = {}
        self._told: dict[EvseKey, float] = {}

    def watch(self, world: World) -> None:
        """See what goes on there."""
        self._world = world

    def hear(self, fact: Fact, _now_s: float, /) -> bool:
        """Take a fact; says whether to decide soon."""
        if isinstance(fact, Began):
            self._present[fact.key] = fact.session
            self._told.pop(fact.key, None)
            return True
        if isinstance(fact, Ended):
            self._present.pop(fact.key, None)
            return True
        return False

    def decide(self, now_s: float) -> Decided:
        """Give each what the policy says."""
        problem = self.problem(now_s)
        shares = self._policy(problem)
        asks = []
        for key in self._present:
            limit_a = shares.get(key, 0.0)
            if self._told.get(key) != limit_a:
                self._told[key] = limit_a
                asks.append(Ask.of(key, "TxProfile", limit_a))
        return Decided(tuple(asks), now_s - now_s % QUARTER_S + QUARTER_S)

    def problem(self, now_s: float) -> PlanProblem:
        """Return what is to be planned now."""
        sockets = [self._sockets[key] for key in self._present]
        sockets = [socket for socket in sockets if _needs_wh(socket) > 1.0]
        until_s = max((socket.visit.departs_s for socket in sockets if socket.visit), default=now_s + QUARTER_S)
        starts = [now_s]
        while starts[-1] < until_s and len(starts) < _MOST_INTERVALS:
            starts.append(starts[-1] - starts[-1] % QUARTER_S + QUARTER_S)
        lengths = tuple(end - start for start, end in pairwise(starts)) or (QUARTER_S,)
        places = {node.node_id: number for number, node in enumerate(self.place.site.nodes)}
        nodes = []
        for node in self.place.site.nodes:
            limit_a = self.place.limit_a(node.node_id, now_s)
            parent = None if node.parent_id is None else places[node.parent_id]
            nodes.append(PlanNode(node.node_id, parent, (Bound(node.name, (limit_a, limit_a, limit_a)),)))
        return PlanProblem(
            horizon=Horizon(_at(now_s), lengths),
            nodes=tuple(nodes),
            demands=tuple(_demand(socket, places[socket.evse.node_id]) for socket in sockets),
            costs=Costs(tuple(self._cost(start) for start in starts[: len(lengths)])) if self._costs else None,
        )

    @property
    def _sockets(self) -> dict[EvseKey, Socket]:
        return self._world.sockets if self._world is not None else {}

    def _cost(self, at_s: float) -> float | None:
        hour = int(at_s / HOUR)
        return self._costs[hour] if hour < len(self._costs) else None


def simulated(place: Place, policy: Policy, *, costs: tuple[float, ...] = ()) -> World:
    """Run a policy on a place, to its end."""
    csms = IdealCsms(place, policy, costs=costs)
    world = World(place, csms)
    csms.watch(world)
    world.run()
    return world


def _needs_wh(socket: Socket) -> float:
    return 0.0 if socket.visit is None else socket.visit.wanted_wh - socket.energy_wh


def _at(now_s: float) -> datetime:
    return BEGINS_AT + timedelta(seconds=now_s)


def _demand(socket: Socket, node: int) -> Demand:
    visit = socket.visit
    assert visit is not None  # noqa: S101 -- only who is there is asked for
    return Demand(
        key=socket.evse.key,
        node=node,
        phases=socket.used,
        voltage_v=VOLTAGE_V,
        min_a=max(socket.evse.min_a or 6.0, visit.car.min_a),
        max_a=min(socket.evse.max_a or 32.0, visit.car.max_a),
        energy_wh=_needs_wh(socket),
        departs_at=_at(visit.departs_s),
        weight=visit.weight,
        present_a=socket.applied_a,
        served_wh=socket.energy_wh,
        reserve_s=reserve_s(visit.departs_s - visit.arrives_s) if visit.car.taper_from < 1.0 else 0.0,
    )

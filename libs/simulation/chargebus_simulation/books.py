"""What is written down of a simulation: overloads, promises, what vehicles got, what it cost."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

from chargebus_simulation.cars import DAY, HOUR, VOLTAGE_V, Visit
from chargebus_simulation.sockets import SLACK_A, Socket

if TYPE_CHECKING:
    from chargebus_simulation.places import Place
    from chargebus_simulation.world import Decided, World

_TRIED_WITHIN_S: Final = HOUR
"""So long a vehicle may wait, while it could be tried, until it is: some readings tell on which phases it charges."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A property that does not hold: which, when, and what happened."""

    rule: str
    at_s: float
    what: str

    def __str__(self) -> str:
        """Tell it in a line."""
        hours, rest = divmod(int(self.at_s), 3600)
        return f"{self.rule} at {hours:02}:{rest // 60:02}:{rest % 60:02}: {self.what}"


@dataclass(frozen=True, slots=True)
class Left:
    """What a vehicle has got when it left; `spare_wh` is what it could have had of power that nobody was promised."""

    visit: Visit
    key: EvseKey
    energy_wh: float
    spare_wh: float

    @property
    def lacks_wh(self) -> float:
        """What its driver had wanted beyond that."""
        return max(0.0, self.visit.wanted_wh - self.energy_wh)


@dataclass
class Books:
    """What a simulation came to.

    Attributes:
        over_s: for how long each node was over its limit.
        over_most_s: for how long at one time, while there was someone who could be lowered.
        counted_breaches: decisions after which more was counted than is allowed, and more than before.
        left: vehicles that have left.
        energy_wh, cost, co2_g, peak_a: what was drawn in all, what it cost, and the most on a phase of the root.
        asked, decisions: how often something was asked of a station, and decided.
    """

    place: "Place"
    over_s: dict[str, float] = field(default_factory=dict)
    over_most_s: float = 0.0
    breaches: list[Breach] = field(default_factory=list)
    left_vehicles: list[Left] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    energy_wh: float = 0.0
    cost: float = 0.0
    co2_g: float = 0.0
    peak_a: float = 0.0
    asked: int = 0
    decisions: int = 0
    _paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _over: dict[str, float] = field(default_factory=dict)
    _relievable: dict[tuple[str, EvseKey], float] = field(default_factory=dict)
    _told: set[tuple[str, EvseKey]] = field(default_factory=set)
    _spare_a: dict[EvseKey, float] = field(default_factory=dict)
    _spare_wh: dict[int, float] = field(default_factory=dict)
    _spare_since_s: float = 0.0
    _triable: set[EvseKey] = field(default_factory=set)
    _triable_s: dict[int, float] = field(default_factory=dict)
    _counted_a: dict[str, list[float]] = field(default_factory=dict)
    _flows_at_s: float = 0.0

    def __post_init__(self) -> None:
        """Know which nodes lie above each."""
        parents = {node.node_id: node.parent_id for node in self.place.site.nodes}
        for node_id in parents:
            path, above = [], node_id
            while above is not None:
                path.append(above)
                above = parents[above]  # type: ignore[assignment]
            self._paths[node_id] = tuple(path)

    @property
    def allowed_s(self) -> float:
        """How long a node may be over its limit: an interval, and what the slowest of the stations takes to follow."""
        slowest = max((temper.lags_s for temper in self.place.tempers.values()), default=0.0)
        return self.place.site.policy.interval_s + slowest

    def drawn(self, energy_wh: float, at_s: float) -> None:
        """Count energy."""
        self.energy_wh += energy_wh
        hour = int(at_s / HOUR)
        if hour < len(self.place.prices):
            self.cost += energy_wh / 1000.0 * self.place.prices[hour]
            self.co2_g += energy_wh / 1000.0 * self.place.co2[hour]

    # Nodes.

    @property
    def is_over(self) -> bool:
        """Whether a node is over its limit."""
        return bool(self._over)

    def flows(self, world: "World") -> None:
        """See what flows through each node, and whether that is too much for too long, but for what nobody can know."""
        now_s = world.now_s
        sums = {node_id: [0.0, 0.0, 0.0] for node_id in self._paths}
        hidden = {node_id: [0.0, 0.0, 0.0] for node_id in self._paths}
        for node_id, load in self.place.loads.items():
            self._add(sums, node_id, load.at(now_s))
        for socket in world.sockets.values():
            hidden_a = socket.hidden_a(now_s)
            if socket.draws_a:
                for node_id in self._paths[socket.evse.node_id]:
                    for phase in socket.used:
                        sums[node_id][phase] += socket.draws_a
                        hidden[node_id][phase] += hidden_a
        for node_id, flow in sums.items():
            limit_a = self.place.limit_a(node_id, now_s)
            over = tuple(phase for phase in range(3) if flow[phase] - hidden[node_id][phase] > limit_a + SLACK_A)
            self._see(world, node_id, over, f"{max(flow):.1f} A of {limit_a:.1f} A")
        self.peak_a = max(self.peak_a, *sums[self._root])

    @property
    def _root(self) -> str:
        return self.place.site.nodes[0].node_id

    def _add(self, sums: dict[str, list[float]], node_id: str, phase_a: PerPhase) -> None:
        for above in self._paths[node_id]:
            for phase in range(3):
                sums[above][phase] += phase_a[phase]

    def _see(self, world: "World", node_id: str, over: tuple[int, ...], what: str) -> None:
        now_s = world.now_s
        since = self._over.get(node_id)
        if since is not None:
            self.over_s[node_id] = self.over_s.get(node_id, 0.0) + now_s - since
        if not over:
            if since is not None:
                del self._over[node_id]
                for below in [below for below in self._relievable if below[0] == node_id]:
                    del self._relievable[below]
            return
        self._over[node_id] = now_s
        for key, socket in world.sockets.items():
            if node_id not in self._paths[socket.evse.node_id]:
                continue
            below = (node_id, key)
            if not (set(over) & set(socket.used) and socket.could_be_lowered(now_s)):
                self._relievable.pop(below, None)
                continue
            lasts_s = now_s - self._relievable.setdefault(below, now_s)
            self.over_most_s = max(self.over_most_s, lasts_s)
            if lasts_s > self.allowed_s and below not in self._told:
                self._told.add(below)
                drew = f"{key[0]}/{key[1]} drew {socket.draws_a:.1f} A"
                self._breach(
                    "over its limit for too long", now_s, f"{node_id} {what} for {lasts_s:.0f} s, while {drew}"
                )

    # Promises.

    def decided(self, world: "World", decided: "Decided") -> None:
        """Compare what is counted now with what is allowed, and with what was counted before."""
        self._integrate_spare(world)
        self.decisions += 1
        self.alerts.extend(decided.alerts)
        counted = {node_id: [0.0, 0.0, 0.0] for node_id in self._paths}
        for key, phase_a in decided.counted_a.items():
            self._add(counted, world.sockets[key].evse.node_id, phase_a)
        for node_id, bound in decided.bounds_a.items():
            for phase in range(3):
                now_a = counted[node_id][phase]
                before_a = decided.before_a.get(node_id, (0.0, 0.0, 0.0))[phase]
                if now_a > max(bound[phase], before_a) + SLACK_A:
                    what = f"{now_a:.2f} A counted, {before_a:.2f} A before, of {bound[phase]:.2f} A"
                    self._breach("promised twice", world.now_s, f"{node_id} L{phase + 1}: {what}")
        self._triable = self._could_be_tried(world, decided)
        self._spare_a = self._spare(world, decided, counted)

    def _could_be_tried(self, world: "World", decided: "Decided") -> set[EvseKey]:
        """Return the EVSEs that could be let draw their least on all their phases, were all others lowered for them.

        What those are counted at that cannot be lowered is not free: who finds no room beside them cannot be tried,
        and nobody can know on which phases its vehicle charges.
        """
        if not decided.bounds_a:
            return set()
        stay = {node_id: [0.0, 0.0, 0.0] for node_id in self._paths}
        for key, phase_a in decided.counted_a.items():
            socket = world.sockets[key]
            falls_to_a = socket.falls_to_a(world.now_s)
            first, second, third = (min(amperes, falls_to_a) for amperes in phase_a)
            self._add(stay, socket.evse.node_id, (first, second, third))
        return {
            key
            for key, socket in world.sockets.items()
            if socket.visit is not None
            and all(
                decided.bounds_a[node_id][phase] - stay[node_id][phase] >= socket.least_a
                for node_id in self._paths[socket.evse.node_id]
                for phase in socket.phases
            )
        }

    def _spare(self, world: "World", decided: "Decided", counted: dict[str, list[float]]) -> dict[EvseKey, float]:
        """Return what each vehicle could have beyond its limit of what nobody is promised.

        While nobody knows on which phases it charges, it could not be let draw on one that is full; but it has to be
        let draw at some time, so that they are known.
        """
        spare = {}
        dead_a = self.place.site.policy.dead_band_a
        for key, socket in world.sockets.items():
            if socket.visit is None or not decided.bounds_a or key not in decided.counted_a:
                continue
            waits = self._triable_s.get(socket.session, 0.0) < _TRIED_WITHIN_S
            phases = decided.phases.get(key) or (socket.phases if waits else socket.used)
            room = min(
                decided.bounds_a[node_id][phase] - counted[node_id][phase]
                for node_id in self._paths[socket.evse.node_id]
                for phase in phases
            )
            has_a = max(decided.counted_a[key])
            least_a = socket.least_a + 1.0
            if room > max(2 * dead_a, least_a if has_a < least_a else 0.0):
                spare[key] = room
        return spare

    def _integrate_spare(self, world: "World") -> None:
        since_s, self._spare_since_s = self._spare_since_s, world.now_s
        lasts_s = world.now_s - since_s
        for key in self._triable:
            session = world.sockets[key].session
            self._triable_s[session] = self._triable_s.get(session, 0.0) + lasts_s
        for key, room in self._spare_a.items():
            socket = world.sockets[key]
            if socket.visit is None:
                continue
            could_a = socket.visit.car.takes_a(socket.held_wh, socket.station.hardware_a[key[1]])
            more_a = min(room, could_a - socket.draws_a)
            if more_a > 0.0:
                more_wh = more_a * VOLTAGE_V * len(socket.used) * lasts_s / HOUR
                self._spare_wh[socket.session] = self._spare_wh.get(socket.session, 0.0) + more_wh

    # Vehicles.

    def left(self, socket: Socket) -> None:
        """Write down what a vehicle has got, that leaves."""
        if socket.visit is None:
            return
        spare_wh = self._spare_wh.get(socket.session, 0.0)
        self.left_vehicles.append(Left(socket.visit, socket.evse.key, socket.energy_wh, spare_wh))

    def close(self, world: "World") -> None:
        """Write down what those have got who are still there, and see who starved."""
        for socket in world.sockets.values():
            self.left(socket)
        for left in self.left_vehicles:
            temper = self.place.tempers[left.key[0]]
            if not temper.is_good or not left.visit.says:
                continue
            lacks_wh = left.lacks_wh
            if lacks_wh > 0.1 * left.visit.wanted_wh + 500.0 and left.spare_wh > 0.5 * lacks_wh:
                what = f"{lacks_wh:.0f} Wh of {left.visit.wanted_wh:.0f} Wh, {left.spare_wh:.0f} Wh were nobody's"
                self._breach("starved", left.visit.departs_s, f"{left.key[0]}/{left.key[1]} lacks {what}")

    def _breach(self, rule: str, at_s: float, what: str) -> None:
        self.breaches.append(Breach(rule, at_s, what))

    @property
    def days(self) -> float:
        """How many days were simulated."""
        return max(self.place.days * DAY, 1.0) / DAY

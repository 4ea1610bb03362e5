"""A site in simulated time: what flows, what it tells, and what it is asked, one event after the other."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Protocol

from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

from chargebus_simulation.books import Books
from chargebus_simulation.cars import DAY, HOUR, VOLTAGE_V, Visit
from chargebus_simulation.facts import (
    Answered,
    Ask,
    Began,
    Connected,
    Ended,
    Fact,
    Freed,
    LimitSet,
    LoadRead,
    Lost,
    Measured,
)
from chargebus_simulation.places import Place
from chargebus_simulation.sockets import Socket
from chargebus_simulation.stations import NEVER, Outcome, SimStation

TIMEOUT_S: Final = 30.0
"""After that long without an answer a command has timed out."""

_LOAD_READ_S: Final = 60.0
_LONGEST_STEP_S: Final = 300.0
_SOON_S: Final = 1.0
_BOOTS_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Decided:
    """What a CSMS decides.

    Attributes:
        asks: what to ask.
        again_s: when to decide again at the latest.
        counted_a: what each EVSE is counted at, once that is asked.
        bounds_a, before_a: what may be counted on each node, and what was before.
        alerts: those that were opened.
        phases: the phases of the site on which vehicles are known to charge.
    """

    asks: tuple[Ask, ...]
    again_s: float
    counted_a: dict[EvseKey, PerPhase] = field(default_factory=dict)
    bounds_a: dict[str, PerPhase] = field(default_factory=dict)
    before_a: dict[str, PerPhase] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    phases: dict[EvseKey, tuple[int, ...]] = field(default_factory=dict)


class Csms(Protocol):
    """What plans and steers the site."""

    def hear(self, fact: Fact, now_s: float, /) -> bool:
        """Take a fact; says whether to decide soon."""
        ...

    def decide(self, now_s: float, /) -> Decided:
        """Decide what to ask of the stations."""
        ...


class World:
    """A simulation; `run` takes it to its end and returns what it came to."""

    def __init__(self, place: Place, csms: Csms) -> None:
        self.place = place
        self.csms = csms
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._sessions = count(1)
        self._decides_at = NEVER
        self.sockets: dict[EvseKey, Socket] = {}
        stations = {
            station_id: SimStation(
                station_id,
                temper,
                {key[1]: most for key, most in place.hardware_a.items() if key[0] == station_id},
            )
            for station_id, temper in place.tempers.items()
        }
        self.stations = stations
        for evse in place.site.evses:
            phases = tuple(phase - 1 for phase in (evse.phases or (1, 2, 3)))
            hardware_a = place.hardware_a[evse.key]
            self.sockets[evse.key] = Socket(evse, stations[evse.station_id], phases, hardware_a)
        self.books = Books(place)
        self._queued: dict[str, list[Fact]] = {station_id: [] for station_id in stations}
        self._changed = True

    def run(self, until_s: float | None = None) -> Books:
        """Run to the end: a day after the last one has begun, or as long as someone is there."""
        self._plan_all()
        last = max((visit.departs_s for visit in self.place.visits), default=0.0) + 60.0
        ends_s = until_s if until_s is not None else max(self.place.days * DAY, last)
        while self._events and self._events[0][0] <= ends_s:
            at_s, _, action = heapq.heappop(self._events)
            self._flow_until(at_s)
            action()
            while self._events and self._events[0][0] <= at_s:
                heapq.heappop(self._events)[2]()
            self._settle()
        self._flow_until(ends_s)
        self.books.close(self)
        return self.books

    def at(self, at_s: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._events, (at_s, next(self._number), action))

    # What is known beforehand: who comes, when stations are away, when loads and limits change.

    def _plan_all(self) -> None:
        keys = [evse.key for evse in self.place.site.evses]
        for station in self.stations.values():
            self._plan_station(station)
        for visit in self.place.visits:
            self.at(visit.arrives_s, _call(self._arrive, keys[visit.evse], visit))
        for node_id, load in self.place.loads.items():
            for at_s in load.changes():
                self.at(at_s, self._change)
            self.at(0.5, _call(self._read_load, node_id))
        for number, cut in enumerate(self.place.cuts):
            self.at(cut.begins_s, _call(self._say, LimitSet(cut.node_id, cut.phase_a, number)))
            self.at(cut.ends_s, _call(self._say, LimitSet(cut.node_id, None, number)))
            for at_s in (cut.begins_s, cut.ends_s):
                self.at(at_s, self._change)
        for at_s in self.place.calendar_changes():
            self.at(at_s, self._change)
        self._decide_at(_SOON_S)

    def _plan_station(self, station: SimStation) -> None:
        temper = station.temper
        self.at(0.0, lambda: self._connect(station, booted=True))
        for begins_s, ends_s in temper.away:
            self.at(begins_s, _call(self._say, Lost(station.station_id)))
            self.at(ends_s, _call(self._return, station))
        for at_s in temper.boots:
            self.at(at_s, _call(self._boot, station))

    # What happens.

    def _change(self) -> None:
        """See what flows, as loads or limits change."""
        self._changed = True

    def _arrive(self, key: EvseKey, visit: Visit) -> None:
        socket = self.sockets[key]
        socket.visit, socket.session, socket.stopped = visit, next(self._sessions), False
        socket.held_wh, socket.energy_wh = visit.held_wh, 0.0
        socket.wakes_at_s = self.now_s + visit.car.wakes_s
        self.at(socket.wakes_at_s, _nothing)
        self._follow(key, socket.session)
        self._tell(key[0], Began(key, socket.session, visit))
        self._measure_next(key, socket.session)
        self.at(visit.departs_s, _call(self._depart, key, socket.session))

    def _depart(self, key: EvseKey, session: int) -> None:
        socket = self.sockets[key]
        if socket.session != session or socket.visit is None:
            return
        self.books.left(socket)
        socket.visit = None
        socket.station.end_transaction(key[1])
        self._follow(key, session)
        self._tell(key[0], Ended(key, session))

    def _boot(self, station: SimStation) -> None:
        """Boot: what it held is gone; transactions go on, as those of 2.x do."""
        station.boot()
        for evse_id in station.hardware_a:
            key = (station.station_id, evse_id)
            self._follow(key, self.sockets[key].session)
        if not station.temper.is_away(self.now_s):
            self._say(Lost(station.station_id))
            self.at(self.now_s + _BOOTS_S, lambda: self._connect(station, booted=True))

    def _connect(self, station: SimStation, *, booted: bool) -> None:
        self._say(Connected(station.station_id, booted))
        for evse_id in station.hardware_a:
            key = (station.station_id, evse_id)
            if self.sockets[key].visit is None:
                self._say(Freed(key))

    def _return(self, station: SimStation) -> None:
        self._connect(station, booted=False)
        queued, self._queued[station.station_id] = self._queued[station.station_id], []
        for fact in queued:
            self._say(fact)

    def _follow(self, key: EvseKey, session: int) -> None:
        """Let the hardware follow what the station holds now."""
        socket = self.sockets[key]
        before = socket.applied_a
        socket.applied_a = socket.station.allows_a(key[1], self.now_s)
        if socket.visit is not None and session == socket.session and socket.applied_a > before and not socket.draws_a:
            socket.wakes_at_s = self.now_s + socket.visit.car.wakes_s
            self.at(socket.wakes_at_s, _nothing)

    def _measure_next(self, key: EvseKey, session: int) -> None:
        temper = self.sockets[key].station.temper
        if temper.meter:
            self.at((self.now_s // temper.meter_s + 1) * temper.meter_s, _call(self._measure, key, session))

    def _measure(self, key: EvseKey, session: int) -> None:
        socket = self.sockets[key]
        if socket.visit is None or socket.session != session:
            return
        temper = socket.station.temper
        if not temper.is_away(self.now_s):
            one, two, three = (socket.draws_a * temper.meter if phase in socket.used else 0.0 for phase in range(3))
            self._say(Measured(key, session, (one, two, three), socket.energy_wh * temper.meter))
        self._measure_next(key, session)

    def _read_load(self, node_id: str) -> None:
        load = self.place.loads[node_id]
        if not load.is_silent(self.now_s):
            self._say(LoadRead(node_id, load.at(self.now_s)))
        self.at(self.now_s + _LOAD_READ_S, _call(self._read_load, node_id))

    def _tell(self, station_id: str, fact: Fact) -> None:
        """Say what a station says, later if it is away."""
        if self.stations[station_id].temper.is_away(self.now_s):
            self._queued[station_id].append(fact)
        else:
            self._say(fact)

    def _say(self, fact: Fact) -> None:
        if self.csms.hear(fact, self.now_s):
            self._decide_at(self.now_s + _SOON_S)

    # What is asked.

    def _decide_at(self, at_s: float) -> None:
        if at_s < self._decides_at:
            self._decides_at = at_s
            self.at(at_s, self._decide)

    def _decide(self) -> None:
        if self.now_s < self._decides_at:
            return
        self._decides_at = NEVER
        decided = self.csms.decide(self.now_s)
        self.books.decided(self, decided)
        for ask in decided.asks:
            self._ask(ask)
        self._decide_at(max(decided.again_s, self.now_s + _SOON_S))

    def _ask(self, ask: Ask) -> None:
        station = self.stations[ask.key[0]]
        temper = station.temper
        self.books.asked += 1
        if temper.is_away(self.now_s):
            self.at(self.now_s + _SOON_S, _call(self._say, Answered(ask, "undeliverable")))
        elif temper.is_mute(self.now_s):
            self.at(self.now_s + TIMEOUT_S, _call(self._say, Answered(ask, "timed out")))
        else:
            self.at(self.now_s + temper.answer_s, _call(self._answer, station, ask))

    def _answer(self, station: SimStation, ask: Ask) -> None:
        key = ask.key
        socket = self.sockets[key]
        outcome: Outcome = "Accepted"
        if ask.asking == "clear":
            outcome = station.clear(key[1], ask.slot)
        elif ask.asking == "set":
            running = socket.visit is not None and ask.session in (None, socket.session)
            outcome = station.put(key[1], ask.slot, ask.profile, in_transaction=running)
        elif ask.asking != "report":
            socket.stopped = ask.asking == "stop"
        changes = (self.now_s, *ask.profile.changes())
        for at_s in changes:
            if at_s >= self.now_s:
                self.at(at_s + station.temper.obeys_s, _call(self._follow, key, socket.session))
        allows_a = station.says_a(key[1], self.now_s) if ask.asking == "report" else None
        if station.temper.is_away(self.now_s):
            self._say(Answered(ask, "timed out"))
        else:
            self._say(Answered(ask, outcome, allows_a))

    # What flows.

    def _flow_until(self, at_s: float) -> None:
        while self.now_s < at_s:
            active = [socket for socket in self.sockets.values() if socket.draws_a]
            step_s = min(at_s - self.now_s, _LONGEST_STEP_S) if active else at_s - self.now_s
            for socket in active:
                energy_wh = socket.draws_a * VOLTAGE_V * len(socket.used) * step_s / HOUR
                if socket.visit is not None:
                    energy_wh = min(energy_wh, socket.visit.car.battery_wh - socket.held_wh)
                socket.held_wh += energy_wh
                socket.energy_wh += energy_wh
                self.books.drawn(energy_wh, self.now_s)
            self.now_s += step_s
            if active:
                self._settle()

    def _settle(self) -> None:
        """See what each vehicle draws now, and if that or a limit has changed, what it comes to on each node."""
        for socket in self.sockets.values():
            if (socket.visit is not None or socket.draws_a) and socket.draw(self.now_s):
                self._changed = True
        if self._changed or self.books.is_over:
            self.books.flows(self)
            self._changed = False


def _call(action: Callable[..., None], *arguments: object) -> Callable[[], None]:
    return lambda: action(*arguments)


def _nothing() -> None:
    """Only see what flows."""

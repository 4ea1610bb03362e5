"""The production decisions, driven by a simulated site: what the service keeps in its tables stands in memory here."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec
from chargebus_smart_charging.allocation.domain.flows import through
from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem
from chargebus_smart_charging.limits.domain.limit import KnownLimit, Period
from chargebus_smart_charging.limits.domain.meters import Reading
from chargebus_smart_charging.planning.domain.controller import Sighted, decided, sight
from chargebus_smart_charging.planning.domain.decision import Decision
from chargebus_smart_charging.planning.domain.due import next_due
from chargebus_smart_charging.planning.domain.known import SiteKnown, StationKnown
from chargebus_smart_charging.planning.domain.memory import Memory
from chargebus_smart_charging.planning.domain.watching import bound_a
from chargebus_smart_charging.sites.domain.site import Capacity, Evse, EvseKey, PerPhase
from chargebus_smart_charging.steering.domain import steered as steering
from chargebus_smart_charging.steering.domain.habits import Rung
from chargebus_smart_charging.steering.domain.held import Asking, Order
from chargebus_smart_charging.steering.domain.steered import Answer, Steerable, Steered, counted
from chargebus_smart_charging.vehicles.domain import vehicle as vehicles
from chargebus_smart_charging.vehicles.domain.learning import Allowed
from chargebus_smart_charging.vehicles.domain.needs import Needs
from chargebus_smart_charging.vehicles.domain.samples import Sample
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle

from chargebus_simulation.cars import VOLTAGE_V
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
from chargebus_simulation.places import BEGINS_AT, Place
from chargebus_simulation.stations import NEVER, Outcome, Profile, Slot
from chargebus_simulation.world import Decided

Planner: TypeAlias = Callable[[PlanProblem], Plan | None]
"""What gives a plan beside the allocator, which the decision has by itself; None: none was ready."""

VERSION: Final = "2.0.1"

_THREE: Final = (1, 2, 3)
_ANSWERS: Final[Mapping[Outcome, Answer]] = {
    "Accepted": "accepted",
    "Rejected": "refused",
    "timed out": "unknown",
    "undeliverable": "undelivered",
}
_SLOTS: Final[Mapping[Rung, Slot]] = {
    "TxProfile": "TxProfile",
    "TxDefaultProfile": "TxDefaultProfile above",
    "ChargingStationMaxProfile": "ChargingStationMaxProfile",
    "configuration key": "configuration key",
}
_ACTS: Final[Mapping[Asking, Any]] = {"suspend": "stop", "disable": "stop", "resume": "start", "enable": "start"}


class ClosedLoop:
    """The CSMS as it is in production, but for its database and its sockets."""

    def __init__(self, place: Place, planner: Planner | None = None) -> None:
        self._place = place
        self._planner = planner
        self._evses: dict[EvseKey, Evse] = {evse.key: evse for evse in place.site.evses}
        self._vehicles: dict[EvseKey, Vehicle] = {key: Vehicle(*key) for key in self._evses}
        self._steered: dict[EvseKey, Steered] = {key: Steered() for key in self._evses}
        self._stations = {station_id: StationKnown(version=VERSION) for station_id in place.tempers}
        self._held: dict[EvseKey, Allowed] = {}
        self._limits: dict[int, KnownLimit] = {}
        self._readings: dict[str, Reading] = {}
        self._memory = Memory()
        self.decision: Decision | None = None
        self._ears: Mapping[type[Any], Callable[[Any, datetime], bool]] = {
            Connected: self._connected,
            Lost: self._lost,
            Freed: self._freed,
            Began: self._began,
            Ended: self._ended,
            Measured: self._measured,
            Answered: self._answered,
            LoadRead: self._read,
            LimitSet: self._limited,
        }

    # What is heard.

    def hear(self, fact: Fact, now_s: float, /) -> bool:
        """Take a fact as the service's consumers do; says whether the site falls due by it."""
        return self._ears[type(fact)](fact, _at(now_s))

    def _connected(self, fact: Connected, at: datetime) -> bool:
        for key, before in self._of_station(fact.station_id):
            known = steering.connected(before, at)
            self._steered[key] = steering.booted(known, at, self._steerable(key)) if fact.booted else known
        return True

    def _lost(self, fact: Lost, at: datetime) -> bool:
        for key, known in self._of_station(fact.station_id):
            self._steered[key] = steering.lost(known, at)
        return True

    def _freed(self, fact: Freed, at: datetime) -> bool:
        known = self._steered[fact.key]
        self._steered[fact.key] = steering.transaction_ended(known, at)
        return known.use != "idle"

    def _began(self, fact: Began, at: datetime) -> bool:
        visit = fact.visit
        told = vehicles.told(self._vehicles[fact.key], _session(fact.key, fact.session, "active", at))
        if visit.says:
            departs_at = _at(visit.departs_s)
            told = msgspec.structs.replace(told, asked=Needs(visit.wanted_wh, departs_at, visit.weight))
        self._vehicles[fact.key] = told
        return True

    def _ended(self, fact: Ended, at: datetime) -> bool:
        ended = _session(fact.key, fact.session, "ended", at)
        self._vehicles[fact.key] = vehicles.told(self._vehicles[fact.key], ended)
        return True

    def _measured(self, fact: Measured, at: datetime) -> bool:
        evse = self._evses[fact.key]
        own = [fact.phase_a[phase - 1] for phase in evse.phases or _THREE]
        one, two, three = (*own, 0.0, 0.0, 0.0)[:3]
        power_w = sum(own) * VOLTAGE_V
        sample = Sample(at, (one, two, three), tells_phases=True, power_w=power_w, register_wh=fact.energy_wh)
        before = self._vehicles[fact.key]
        after = vehicles.measured(before, sample, self._held.get(fact.key))
        self._vehicles[fact.key] = after
        return vehicles.teaches(before, after)

    def _answered(self, fact: Answered, at: datetime) -> bool:
        key, order = fact.ask.key, fact.ask.token
        known = self._steered[key]
        if isinstance(order, Order):
            checked = steering.default_checked(known, order.number, _ANSWERS[fact.outcome], fact.allows_a)
            known = self._steered[key] = checked
        if isinstance(order, Order) and fact.allows_a is not None and fact.outcome == "Accepted":
            self._steered[key] = steering.reported(known, fact.allows_a, at, order.number)
        elif isinstance(order, Order):
            self._steered[key] = steering.answered(known, order.number, _ANSWERS[fact.outcome], at)
        return True

    def _read(self, fact: LoadRead, at: datetime) -> bool:
        before = self._readings.get(fact.node_id)
        self._readings[fact.node_id] = Reading(fact.phase_a, at)
        return before is None or before.phase_a != fact.phase_a

    def _limited(self, fact: LimitSet, at: datetime) -> bool:
        if fact.phase_a is None:
            self._limits.pop(fact.number, None)
        else:
            self._limits[fact.number] = KnownLimit(
                self._place.site.site_id,
                "operator of the grid",
                str(fact.number),
                at,
                node_id=fact.node_id,
                periods=(Period(Capacity(phase_a=fact.phase_a)),),
            )
        return True

    def _of_station(self, station_id: str) -> list[tuple[EvseKey, Steered]]:
        return [(key, known) for key, known in self._steered.items() if key[0] == station_id]

    def _steerable(self, key: EvseKey) -> Steerable:
        return Steerable(self._evses[key], self._place.site.policy, version=VERSION)

    # What is decided.

    def decide(self, now_s: float, /) -> Decided:
        """Decide as the service does when the site is due."""
        now = _at(now_s)
        known = SiteKnown(
            self._place.site,
            vehicles=self._vehicles,
            steered=self._steered,
            stations=self._stations,
            memory=self._memory,
            limits=tuple(self._limits.values()),
            readings=self._readings,
        )
        sighted = sight(known, now)
        given = None if self._planner is None else self._planner(sighted.problem)
        decision = decided(sighted, given)
        self._memory = decision.memory
        self._steered = {key: step.steered for key, step in decision.steps.items()}
        self._hold(decision, now)
        self.decision = decision
        before, after, bounds = self._counted(sighted, decision, now)
        return Decided(
            asks=tuple(_ask(key, order) for key, step in decision.steps.items() for order in step.orders),
            again_s=_seconds(next_due(known, decision)),
            counted_a=after,
            bounds_a=bounds,
            before_a=before,
            alerts=tuple(_alerts(decision)),
            phases={each.key: each.steerable.used_phases for each in sighted.found if each.vehicle.learned.phases},
        )

    def _hold(self, decision: Decision, now: datetime) -> None:
        """Keep since when each EVSE holds its limit, by which its vehicle is learned."""
        for key in self._evses:
            limit_a, before = decision.held.get(key), self._held.get(key)
            if limit_a is None:
                self._held.pop(key, None)
            elif before is None or before.limit_a != limit_a:
                self._held[key] = Allowed(limit_a, now)

    def _counted(
        self, sighted: Sighted, decision: Decision, now: datetime
    ) -> tuple[dict[str, PerPhase], dict[EvseKey, PerPhase], dict[str, PerPhase]]:
        """Return what was counted on each node, what is counted now at each EVSE, and what each node may carry.

        An EVSE of which nothing is asked, or that is found out to disobey, is promised nothing.
        """
        nodes = sighted.problem.nodes
        flows = through(nodes, [(each.node, each.counted) for each in sighted.found])
        before = {node.node_id: flow for node, flow in zip(nodes, flows, strict=True)}
        after = {}
        for each in sighted.found:
            step = decision.steps[each.key]
            found_out = step.steered.disobeys_since is not None or step.steered.rung == "none"
            promised = bool(step.orders) and not found_out
            after[each.key] = counted(step.steered, each.steerable, now) if promised else each.counted
        bounds = {node.node_id: limit_a for node in nodes if (limit_a := bound_a(node, 0)) is not None}
        return before, after, bounds


def _at(now_s: float) -> datetime:
    return BEGINS_AT + timedelta(seconds=now_s)


def _seconds(at: datetime | None) -> float:
    return NEVER if at is None else (at - BEGINS_AT).total_seconds()


def _session(key: EvseKey, number: int, state: str, at: datetime) -> SessionTold:
    return SessionTold(
        session_id=f"session-{number}",
        station_id=key[0],
        evse_id=key[1],
        state=state,
        updated_at=at,
        transaction_id=f"tx-{number}",
        version=VERSION,
        meter_start_wh=0.0,
    )


def _ask(key: EvseKey, order: Order) -> Ask:
    """Return what a station is asked by an order."""
    session = int(order.transaction_id.removeprefix("tx-")) if order.transaction_id else 0
    if order.asking in _ACTS:
        return Ask(key, _ACTS[order.asking], session=session, token=order)
    if order.asking == "verify":
        return Ask(key, "report", token=order)
    slot: Slot = "TxDefaultProfile" if order.asking == "default" else _SLOTS[order.rung]
    if order.asking == "clear":
        return Ask(key, "clear", slot, token=order)
    profile = Profile(tuple((_seconds(at), amperes) for at, amperes in order.levels), _seconds(order.until))
    return Ask(key, "set", slot, profile, session if slot == "TxProfile" else None, order)


def _alerts(decision: Decision) -> Iterator[str]:
    for (station_id, evse_id), step in decision.steps.items():
        for notice in step.notices:
            if notice.is_open:
                yield f"{notice.rule} {station_id}/{evse_id}"
    for site_notice in decision.notices:
        if site_notice.is_open:
            yield f"{site_notice.alert.rule} {site_notice.alert.cause}"

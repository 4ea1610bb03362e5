"""The EVSEs of a site as they are found when it is planned: how each is steered, what it counts for, what it needs."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from chargebus_smart_charging.allocation.domain.problem import Demand, Fixed, on_phases
from chargebus_smart_charging.planning.domain.demands import Place, Turn, demand_of, needs_of
from chargebus_smart_charging.planning.domain.known import SiteKnown, StationKnown
from chargebus_smart_charging.planning.domain.memory import Charged
from chargebus_smart_charging.planning.domain.overrides import in_words, strictest
from chargebus_smart_charging.sites.domain.site import NOTHING, Evse, EvseKey, PerPhase
from chargebus_smart_charging.steering.domain.habits import LADDER
from chargebus_smart_charging.steering.domain.steered import (
    Steerable,
    Steered,
    beyond_a,
    by_others_a,
    counted,
    fresh_for,
    measured,
    transaction_began,
    transaction_ended,
)
from chargebus_smart_charging.steering.domain.stepping import takes_zero
from chargebus_smart_charging.vehicles.domain.drawing import drawn, used_phases
from chargebus_smart_charging.vehicles.domain.learning import Learned
from chargebus_smart_charging.vehicles.domain.needs import Wanted
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle

ON_OFF = LADDER[-2]
COUNTED_FULL = LADDER[-1]


class Found(msgspec.Struct, frozen=True):
    """An EVSE as it is found.

    Attributes:
        node: its node's place in the problem.
        session: the session that goes on there, or that waits to be started again.
        steered: how it is steered, with what was measured and which transaction there is.
        counted: what it is reckoned with, on each phase of the site.
        needs: what its session needs.
        demand: what its vehicle may be given; None: it is not planned.
        barred: why it is to get nothing, for people; empty: nobody bars it.
    """

    evse: Evse
    node: int
    vehicle: Vehicle
    session: SessionTold | None
    steerable: Steerable
    steered: Steered
    counted: PerPhase
    measured: PerPhase | None
    needs: Wanted | None = None
    demand: Demand | None = None
    barred: str = ""

    @property
    def key(self) -> EvseKey:
        """What it is told apart by."""
        return self.evse.key

    @property
    def fixed(self) -> Fixed | None:
        """What it draws whatever is planned; None: nothing.

        One that is planned may draw a little more than it is given, by so little that it is not taken to disobey.
        """
        if self.demand is not None:
            more_a = 0.0 if self.measured is None else beyond_a(self.steered, self.steerable)
            why = f"{self.evse.station_id}/{self.evse.evse_id} draws more than its limit"
            return Fixed(self.node, on_phases(self.demand, more_a), why) if more_a else None
        if self.counted == NOTHING:
            return None
        return Fixed(self.node, self.counted, self.why)

    @property
    def why(self) -> str:
        """Why it is not planned, for people."""
        if self.barred:
            return self.barred
        name = f"{self.evse.station_id}/{self.evse.evse_id}"
        if not self.steered.online:
            return f"{name} is offline and counted by what it may hold"
        if _is_deaf(self.steered):
            return f"{name} has not answered and is counted by what it may hold"
        if self.steered.disobeys_since is not None:
            return f"{name} draws more than it may and is counted by that"
        if self.steered.rung == COUNTED_FULL:
            return f"{name} cannot be steered and is counted at full power"
        return f"{name} may still draw so much"


class Hanging(msgspec.Struct, frozen=True):
    """What was found of a site's EVSEs before.

    Attributes:
        places: under which node of the problem each hangs.
        defaults: what each allows by itself.
        needs: what the session at each needs that goes on.
    """

    places: Mapping[EvseKey, int]
    defaults: Mapping[EvseKey, float]
    needs: Mapping[EvseKey, Wanted]


def present_needs(known: SiteKnown) -> dict[EvseKey, Wanted]:
    """Return what the vehicles need that are there, with those that were stopped and are to be started again."""
    there = ((key, vehicle, _there(vehicle, known.steered.get(key))) for key, vehicle in known.vehicles.items())
    return {key: _needs(known, vehicle, session) for key, vehicle, session in there if session is not None}


def _there(vehicle: Vehicle, steered: Steered | None) -> SessionTold | None:
    """Return the session of a vehicle that is there: also one that was stopped, as its EVSE takes no limits."""
    stopped = steered is not None and steered.contained_by == "suspend" and steered.rung == ON_OFF
    return vehicle.session if stopped and vehicle.present is None else vehicle.present


def _needs(known: SiteKnown, vehicle: Vehicle, session: SessionTold) -> Wanted:
    return needs_of(vehicle, session, known.classes, known.site.policy)


def drawn_at(known: SiteKnown, now: datetime) -> dict[EvseKey, PerPhase]:
    """Return what each EVSE of a site was seen to draw a short while ago."""
    found: dict[EvseKey, PerPhase] = {}
    fresh = fresh_for(known.site.policy)
    for evse in known.site.evses:
        vehicle = known.vehicles.get(evse.key)
        if vehicle is not None and vehicle.measured_at is not None and now <= vehicle.measured_at + fresh:
            drawn_a = _drawn(vehicle, evse)
            if drawn_a is not None:
                found[evse.key] = drawn_a
    return found


def measured_at(known: SiteKnown, keys: Iterable[EvseKey]) -> dict[EvseKey, datetime]:
    """Return when vehicles at EVSEs were measured last."""
    found = ((key, known.vehicles[key].measured_at) for key in keys)
    return {key: at for key, at in found if at is not None}


def find(known: SiteKnown, hanging: Hanging, now: datetime) -> list[Found]:
    """Return the EVSEs of a site."""
    counts: dict[str, int] = {}
    for evse in known.site.evses:
        counts[evse.station_id] = counts.get(evse.station_id, 0) + 1
    charged = {(each.station_id, each.evse_id): each for each in known.memory.charged}
    return [_found(known, evse, hanging, counts[evse.station_id] == 1, charged, now) for evse in known.site.evses]


def _found(  # noqa: PLR0913, PLR0917 - what is known of one EVSE, by its parts
    known: SiteKnown,
    evse: Evse,
    hanging: Hanging,
    alone: bool,  # noqa: FBT001 - a fact, not a mode
    charged: Mapping[EvseKey, Charged],
    now: datetime,
) -> Found:
    key = evse.key
    vehicle = known.vehicles.get(key) or Vehicle(*key)
    station = known.stations.get(evse.station_id) or StationKnown()
    learned = vehicle.learned if vehicle.present is not None else Learned()
    steerable = Steerable(
        evse,
        known.site.policy,
        station.habits,
        station.version,
        default_a=hanging.defaults[key],
        alone=alone,
        limit_key=station.limit_key,
        id_token="" if vehicle.session is None else vehicle.session.id_token,
        id_token_type="" if vehicle.session is None else vehicle.session.id_token_type,
        phases=used_phases(learned, evse),
        needs_at=None if vehicle.ev is None else vehicle.ev.told_at,
    )
    drawn_a = _drawn(vehicle, evse)
    steered = _up_to_date(known.steered.get(key) or Steered(), vehicle, steerable, drawn_a)
    session = _there(vehicle, steered)
    fresh = vehicle.measured_at is not None and now <= vehicle.measured_at + steerable.fresh
    found = Found(
        evse,
        hanging.places[key],
        vehicle,
        session,
        steerable,
        steered,
        counted(steered, steerable, now),
        drawn_a if fresh else None,
        hanging.needs.get(key) or (None if session is None else _needs(known, vehicle, session)),
    )
    if session is None or not _is_steered(steered):
        return found
    return _planned(known, found, session, charged.get(key), now)


def _drawn(vehicle: Vehicle, evse: Evse) -> PerPhase | None:
    """Return what an EVSE was seen to draw last; after its session is over that is nothing."""
    session, at = vehicle.session, vehicle.measured_at
    if session is not None and not session.active and at is not None and at <= session.updated_at:
        return NOTHING
    return drawn(vehicle, evse)


def _up_to_date(steered: Steered, vehicle: Vehicle, steerable: Steerable, drawn_a: PerPhase | None) -> Steered:
    """Return a steering with what was heard of its vehicle; what it has heard already changes nothing."""
    session = vehicle.session
    if session is not None and (steered.use_at is None or session.updated_at >= steered.use_at):
        if session.active and session.transaction_id != steered.transaction_id:
            steered = transaction_began(steered, session.transaction_id, session.updated_at)
        elif not session.active and session.transaction_id == steered.transaction_id:
            steered = transaction_ended(steered, session.updated_at)
    if drawn_a is None or vehicle.measured_at is None:
        return steered
    return measured(steered, drawn_a, vehicle.measured_at, steerable)


def _is_steered(steered: Steered) -> bool:
    obeys = steered.disobeys_since is None and steered.rung != COUNTED_FULL
    return steered.online and obeys and not _is_deaf(steered)


def _is_deaf(steered: Steered) -> bool:
    """Tell whether its station has not answered what it was told last: what it may hold is not to be planned with."""
    return bool(steered.limit.unsure) and steered.retry.strikes > 0


def _planned(known: SiteKnown, found: Found, session: SessionTold, charged: Charged | None, now: datetime) -> Found:
    """Return an EVSE with what its vehicle may be given, or why that is nothing."""
    cap_a, cap_reason = _cap(known, found, session, now)
    same = charged is not None and charged.session_id == session.session_id
    place = Place(
        found.evse,
        found.node,
        present_a=charged.limit_a if charged is not None and same else 0.0,
        takes_zero=found.steered.rung == ON_OFF or takes_zero(found.steered, found.steerable),
        on_off=found.steered.rung == ON_OFF,
        turn=charged.turn if charged is not None and same else None,
        cap_a=cap_a,
        cap_reason=cap_reason,
        classes=known.classes,
        policy=known.site.policy,
        needs=found.needs,
    )
    demand = demand_of(found.vehicle, session, place, now)
    return msgspec.structs.replace(found, demand=demand, barred="" if demand is not None else place.cap_reason)


def _cap(known: SiteKnown, found: Found, session: SessionTold, now: datetime) -> tuple[float | None, str]:
    """Return the lowest of what operators allow, and of what the station says that others do, in words."""
    override = strictest(known.overrides, found.key, session.session_id, now)
    others_a = None if found.steered.rung == ON_OFF else by_others_a(found.steered, now)
    if others_a is not None and (override is None or others_a < override.limit_a):
        return others_a, f"station says that others allow no more than {others_a:g} A"
    return (None, "") if override is None else (override.limit_a, in_words(override))


def turned(before: Turn | None, limit_a: float, now: datetime) -> Turn:
    """Return whose turn it is after a limit was decided."""
    charges = limit_a > 0
    return before if before is not None and before.charges == charges else Turn(charges, now)


def held(found: Found, now: datetime) -> float | None:
    """Return the limit that an EVSE holds for sure: the least of those that may hold; None: nobody knows one.

    By it is learned what its vehicle can draw, so that one which we may still limit is not mistaken for a small one.
    """
    steered = found.steered
    if not _is_steered(steered):
        return None
    possible = [*steered.limit.pending, *steered.limit.unsure]
    if steered.limit.accepted is not None:
        possible.append(steered.limit.accepted)
    if steered.limit.accepted is None:
        default = steered.default
        possible += [*default.pending, *default.unsure, *([default.accepted] if default.accepted is not None else [])]
    if not possible:
        return None
    return min(*(order.amperes_at(now) for order in possible), found.steerable.max_a)

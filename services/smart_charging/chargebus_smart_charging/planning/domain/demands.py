"""A vehicle at an EVSE as the planner takes it: what it may be given there, and what it still needs."""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

import msgspec

from chargebus_smart_charging.allocation.domain.problem import Demand
from chargebus_smart_charging.sites.domain.site import Evse, Policy
from chargebus_smart_charging.vehicles.domain.drawing import USUAL_V, site_phases, used_phases
from chargebus_smart_charging.vehicles.domain.needs import OVERSTAYS_S, Classes, EvNeeds, Told, Wanted, wanted
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle

USUAL_MIN_A: Final = 6.0
USUAL_MAX_A: Final = 32.0

PREFERRED: Final = 4.0
"""How many times the share of others somebody has who asked for priority at the station."""

RESERVE_S: Final = 1800.0
RESERVE: Final = 0.2
"""How long before it leaves a vehicle had better have what it needs: that share of its stay, at most so long.

It draws less than it may when it is nearly full, and nobody knows when that begins.
"""

SERVED: Final = 0.25
"""What is left of the share of a vehicle that has what its driver needs: it goes on with what others leave."""

_NONE_WH: Final = 1.0


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """Since when a vehicle has been charging, or waiting for its turn."""

    charges: bool
    since: datetime


class Place(msgspec.Struct, frozen=True):
    """Where a vehicle is to be planned: its EVSE, nothing left out, and what is known of how that is steered.

    Attributes:
        evse: the EVSE.
        node: under which node of the problem it hangs.
        present_a: the limit that it has now.
        takes_zero: whether its station takes a limit of 0.
        on_off: it knows no limits, but 0 and its most.
        turn: since when it has charged, or waited.
        cap_a, cap_reason: a limit of an operator, or of others by the word of its station.
        classes, policy: what drivers need of whom nothing is told.
        needs: what its session needs, where that is known already.
    """

    evse: Evse
    node: int
    present_a: float = 0.0
    takes_zero: bool = True
    on_off: bool = False
    turn: Turn | None = None
    cap_a: float | None = None
    cap_reason: str = ""
    classes: Classes = {}
    policy: Policy = Policy()
    needs: Wanted | None = None


def needs_of(vehicle: Vehicle, session: SessionTold, classes: Classes, policy: Policy) -> Wanted:
    """Return what a vehicle is planned for."""
    told = Told(
        session.began_at,
        session.id_token,
        session.token_group,
        session.id_token_type,
        vehicle.asked,
        vehicle.ev,
        vehicle.preferred,
    )
    return wanted(told, classes, policy)


def weight_of(needs: Wanted) -> float:
    """Return the weight of a vehicle's share by what its driver is told to need."""
    return needs.priority * (PREFERRED if needs.preferred else 1.0)


def reserve_s(stay_s: float) -> float:
    """Return how long before it leaves a vehicle had better have what it needs."""
    return max(0.0, min(RESERVE * stay_s, RESERVE_S))


def demand_of(vehicle: Vehicle, session: SessionTold, place: Place, now: datetime) -> Demand | None:
    """Return what a vehicle may be given and needs in its session; None: it is allowed nothing."""
    policy = place.policy
    needs = place.needs or needs_of(vehicle, session, place.classes, policy)
    least_a, most_a, reason = _currents(vehicle, place)
    if most_a < least_a:
        return None
    charged_s, paused_s = _turn(place.turn, now)
    left_wh, weight = _energy(needs, vehicle.energy_wh, policy)
    sure_phases = _sure_phases(vehicle, session, place.evse)
    return Demand(
        key=place.evse.key,
        node=place.node,
        phases=_phases(vehicle, place.evse),
        voltage_v=place.evse.voltage_v or USUAL_V,
        min_a=most_a if place.on_off else least_a,
        max_a=most_a,
        step_a=place.evse.step_a or 0.0,
        must_charge=not place.takes_zero,
        energy_wh=left_wh,
        departs_at=_departure(needs, now),
        weight=weight * place.evse.priority,
        present_a=place.present_a,
        charged_s=charged_s,
        paused_s=paused_s,
        least_charge_s=policy.least_charge_s,
        least_pause_s=policy.least_pause_s,
        served_wh=vehicle.energy_wh,
        cap_reason=reason,
        reserve_s=reserve_s((needs.departs_at - session.began_at).total_seconds()),
        sure_phases=sure_phases,
        untried=sure_phases > 0 and _is_untried(vehicle),
    )


def _phases(vehicle: Vehicle, evse: Evse) -> tuple[int, ...]:
    """Return the phases that a vehicle uses: as learned, or as it says, the connector's first."""
    used = used_phases(vehicle.learned, evse)
    said = vehicle.ev.phases if vehicle.ev is not None else None
    if vehicle.learned.phases or said is None or evse.current == "DC":
        return used
    return used[:said]


def _sure_phases(vehicle: Vehicle, session: SessionTold, evse: Evse) -> int:
    """Return on how many phases a vehicle charges at least; 0: on all that it is taken to use.

    One may turn out to use a single one as soon as it charges, where its station's readings tell phases apart.
    """
    if evse.current == "DC" or vehicle.learned.phases or (vehicle.ev is not None and vehicle.ev.phases is not None):
        return 0
    is_told = vehicle.tells_phases and vehicle.measured_at is not None and vehicle.measured_at >= session.began_at
    return 1 if is_told and len(site_phases(evse)) > 1 else 0


def _is_untried(vehicle: Vehicle) -> bool:
    """Tell whether a vehicle has drawn nothing yet, and not since it was allowed nothing that it takes."""
    learned = vehicle.learned
    return vehicle.energy_wh < _NONE_WH and learned.most_a is None and not learned.least_a


def _currents(vehicle: Vehicle, place: Place) -> tuple[float, float, str]:
    """Return the least and the most that a vehicle may be given, and what the most comes from."""
    evse = place.evse
    least_a = USUAL_MIN_A if evse.min_a is None else evse.min_a
    most_a = USUAL_MAX_A if evse.max_a is None else evse.max_a
    reason = f"EVSE takes {most_a:g} A"
    ev, learned = vehicle.ev, vehicle.learned
    if ev is not None and ev.min_a is not None:
        least_a = max(least_a, min(ev.min_a, most_a))
    if place.takes_zero:
        least_a = max(least_a, min(learned.least_a, most_a))
    for cap_a, why in (
        (_of_ev(ev, evse, vehicle), "vehicle says that it takes no more"),
        (_stepped(learned.most_a, evse), "vehicle has drawn no more"),
    ):
        if cap_a is not None and cap_a < most_a and not place.on_off:
            most_a = max(cap_a, least_a)
            reason = f"{why} than {most_a:g} A"
    if place.cap_a is not None and place.cap_a < most_a:
        return least_a, place.cap_a, place.cap_reason
    return least_a, most_a, reason


def _of_ev(ev: EvNeeds | None, evse: Evse, vehicle: Vehicle) -> float | None:
    if ev is None:
        return None
    if ev.max_w is not None:
        return ev.max_w / ((evse.voltage_v or USUAL_V) * len(_phases(vehicle, evse)))
    return ev.max_a


def _stepped(amperes: float | None, evse: Evse) -> float | None:
    """Return a limit that leaves a vehicle its headroom: the next step up."""
    if amperes is None or not evse.step_a:
        return amperes
    return ceil(amperes / evse.step_a) * evse.step_a


def _turn(turn: Turn | None, now: datetime) -> tuple[float, float]:
    """Return for how long a vehicle has charged, and for how long it has waited."""
    if turn is None:
        return 0.0, 0.0
    lasted_s = max(0.0, (now - turn.since).total_seconds())
    return (lasted_s, 0.0) if turn.charges else (0.0, lasted_s)


def _energy(needs: Wanted, served_wh: float, policy: Policy) -> tuple[float | None, float]:
    """Return the energy that a vehicle still needs, and the weight of its share.

    One that has what it needs goes on with what others leave, unless what it draws is to cost little: then what was
    needed is all that it gets. Whose needs nobody told is taken to need more once it has had what the site says.
    """
    weight = weight_of(needs)
    left_wh = needs.energy_wh - served_wh
    if left_wh > _NONE_WH:
        return left_wh, weight
    if policy.objective == "none" or needs.energy_source == "site":
        return None, weight * SERVED
    return 0.0, weight


def _departure(needs: Wanted, now: datetime) -> datetime:
    """Return by when a vehicle is to be charged: one that stays longer than it should is taken to leave soon."""
    return needs.departs_at if needs.departs_at > now else now + timedelta(seconds=OVERSTAYS_S)

"""A site as it is right now, by its last plan; and as it would be under another limit, or with more vehicles."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from chargebus_smart_charging.planning.domain.controller import sight
from chargebus_smart_charging.planning.domain.evses import Found
from chargebus_smart_charging.planning.domain.known import EvseState, Shown, SiteKnown
from chargebus_smart_charging.planning.domain.watching import node_states, overloaded
from chargebus_smart_charging.sites.domain.site import Capacity, EvseKey, Node, Site
from chargebus_smart_charging.steering.domain.steered import Steered, connected, transaction_ended
from chargebus_smart_charging.vehicles.domain.needs import Needs, Wanted
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle

SUPPOSED: Final = "supposed"
"""What the ids of sessions that are only supposed begin with."""


def look(known: SiteKnown, now: datetime, last: Shown | None) -> Shown:
    """Return a site as it is now: measured, counted and limited as of this moment, planned as of its last plan."""
    sighted = sight(known, now)
    planned = {} if last is None else {(each.station_id, each.evse_id): each for each in last.evses}
    given = {key: planned[key].planned_a for key in (each.key for each in sighted.found) if key in planned}
    over = overloaded(sighted.problem, sighted.found, known.memory.overloads, now)
    return Shown(
        "" if last is None else last.plan_id,
        now if last is None else last.at,
        "" if last is None else last.method,
        "" if last is None else last.fallback,
        node_states(sighted.problem, given, sighted.found, over, now),
        tuple(_now(each, planned.get(each.key), known.site) for each in sighted.found),
        known.memory.peak,
    )


def _now(found: Found, planned: EvseState | None, site: Site) -> EvseState:
    """Return an EVSE as it is now; a plan of another session says nothing of the present one."""
    session_id = found.session.session_id if found.session is not None else ""
    if planned is None or planned.session_id != session_id:
        node_id = next(evse.node_id for evse in site.evses if evse.key == found.key)
        planned = EvseState(*found.key, node_id, session_id)
    return msgspec.structs.replace(planned, counted_a=found.counted, measured_a=found.measured)


class SessionCharging(msgspec.Struct, frozen=True):
    """How a session is charged; without a site nobody plans it."""

    vehicle: Vehicle
    needs: Wanted
    site_id: str = ""
    state: EvseState | None = None


class SupposedVehicle(msgspec.Struct, frozen=True):
    """A vehicle that is supposed to be plugged in now at a free EVSE."""

    key: EvseKey
    needs: Needs = Needs()


class Supposition(msgspec.Struct, frozen=True):
    """What is supposed of a site: other capacities of its nodes, and vehicles that are not there."""

    capacities: Mapping[str, Capacity] = {}
    vehicles: Sequence[SupposedVehicle] = ()


def supposed(known: SiteKnown, supposition: Supposition, now: datetime) -> SiteKnown:
    """Return what would be known of a site; its stations are taken to be there and to obey."""
    site = msgspec.structs.replace(
        known.site, nodes=tuple(_with(node, supposition.capacities.get(node.node_id)) for node in known.site.nodes)
    )
    vehicles, steered = dict(known.vehicles), dict(known.steered)
    for number, each in enumerate(supposition.vehicles, start=1):
        station_id, evse_id = each.key
        session_id = f"{SUPPOSED}-{number}"
        session = SessionTold(
            session_id, station_id, "active", now, session_id, evse_id=evse_id, started_at=now, meter_start_wh=0.0
        )
        vehicles[each.key] = Vehicle(station_id, evse_id, session=session, asked=each.needs)
        steered[each.key] = transaction_ended(connected(Steered(), now), now)
    return msgspec.structs.replace(known, site=site, vehicles=vehicles, steered=steered)


def _with(node: Node, capacity: Capacity | None) -> Node:
    if capacity is None:
        return node
    present = node.capacity
    return msgspec.structs.replace(
        node,
        capacity=Capacity(
            present.phase_a if capacity.phase_a is None else capacity.phase_a,
            present.total_w if capacity.total_w is None else capacity.total_w,
            present.total_va if capacity.total_va is None else capacity.total_va,
        ),
    )

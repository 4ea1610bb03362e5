"""All that is known of sites, read in sets: a few queries, however many sites."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import asyncpg
import msgspec

from chargebus_smart_charging.allocation.domain.ahead import MOST_S, QUARTER_S
from chargebus_smart_charging.limits.store import limits, readings
from chargebus_smart_charging.planning.domain.known import SiteKnown, StationKnown
from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.planning.store import overrides, plans
from chargebus_smart_charging.planning.store.plans import Last
from chargebus_smart_charging.series.domain.series import Kind
from chargebus_smart_charging.series.domain.timeline import Span, timeline, zones_of
from chargebus_smart_charging.series.store import values
from chargebus_smart_charging.sites.domain.site import EvseKey, Site
from chargebus_smart_charging.sites.store import sites
from chargebus_smart_charging.steering.domain.controllers import controllers_of
from chargebus_smart_charging.steering.domain.steered import Steerable
from chargebus_smart_charging.steering.store import known as steering
from chargebus_smart_charging.steering.store.known import SteeringKnown
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle
from chargebus_smart_charging.vehicles.store import driver_needs, vehicles

_AHEAD: Final = timedelta(seconds=MOST_S + QUARTER_S)

T = TypeVar("T")


class Loaded(msgspec.Struct, frozen=True):
    """A site as it is known, and as it was planned last; `steering` is that of all that were read with it."""

    known: SiteKnown
    last: Last
    steering: SteeringKnown = SteeringKnown()


async def load(connection: asyncpg.Connection, site_ids: Collection[str], now: datetime) -> dict[str, Loaded]:
    """Return all that is known of sites."""
    described = await sites.load(connection, site_ids)
    keys = [evse.key for site in described.values() for evse in site.evses]
    at = await vehicles.load(connection, keys)
    classes = await driver_needs.of(connection, _classes(at.values()))
    steered = await steering.load(connection, described.values())
    limited = await limits.holding(connection, site_ids, now)
    read = await readings.load(connection, site_ids)
    spans = await _spans(connection, described.values(), now)
    set_by_operators = _by_site(await overrides.of_sites(connection, site_ids, now))
    last = await plans.load(connection, site_ids)
    found: dict[str, Loaded] = {}
    for site_id, site in described.items():
        planned = last.get(site_id) or Last()
        known = SiteKnown(
            msgspec.structs.replace(site, evses=tuple(steered.steerables[evse.key].evse for evse in site.evses)),
            vehicles=_of(site, at),
            steered={key: steered.steered[key] for key in _keys(site)},
            stations={key[0]: _station(steered.steerables[key]) for key in _keys(site)},
            limits=tuple(limited.get(site_id, ())),
            readings=read.get(site_id, {}),
            spans=spans.get(site.policy.objective, {}),
            classes=classes,
            overrides=tuple(set_by_operators[site_id]),
            memory=planned.memory,
        )
        found[site_id] = Loaded(known, planned, steered)
    return found


def _keys(site: Site) -> list[EvseKey]:
    """Return what is steered of a site: its EVSEs and local controllers."""
    return [*(evse.key for evse in site.evses), *(evse.key for _, evse in controllers_of(site))]


def _station(steerable: Steerable) -> StationKnown:
    return StationKnown(steerable.habits, steerable.version, steerable.limit_key)


async def _spans(
    connection: asyncpg.Connection, described: Collection[Site], now: datetime
) -> dict[str, dict[str, tuple[Span, ...]]]:
    """Return what is known of the series that count at sites, by objective and zone."""
    found: dict[str, dict[str, tuple[Span, ...]]] = {}
    by_kind: defaultdict[Kind, set[str]] = defaultdict(set)
    for site in described:
        if site.policy.objective != "none":
            by_kind[site.policy.objective].update(zones_of(site))
    for kind, zones in by_kind.items():
        told = await values.load(connection, zones, kind, now, now + _AHEAD)
        found[kind] = {zone: timeline(each, now) for zone, each in told.items()}
    return found


def _of(site: Site, by_evse: Mapping[EvseKey, T]) -> dict[EvseKey, T]:
    return {evse.key: by_evse[evse.key] for evse in site.evses if evse.key in by_evse}


def _classes(found: Iterable[Vehicle]) -> set[tuple[str, str]]:
    sessions = (vehicle.session for vehicle in found if vehicle.session is not None)
    return {each for session in sessions for each in session.classes}


def _by_site(found: Iterable[Override]) -> dict[str, list[Override]]:
    by_site: defaultdict[str, list[Override]] = defaultdict(list)
    for each in found:
        by_site[each.site_id].append(each)
    return by_site

"""All that is known of sites, read in sets: a few queries, however many sites."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

import asyncpg
import msgspec

from chargebus_smart_charging.planning.domain.known import SiteKnown
from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.planning.store import overrides, plans
from chargebus_smart_charging.planning.store.plans import Last
from chargebus_smart_charging.sites.domain.site import EvseKey, Site
from chargebus_smart_charging.sites.store import sites
from chargebus_smart_charging.vehicles.domain.needs import classes_of
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle
from chargebus_smart_charging.vehicles.store import driver_needs, vehicles


class Loaded(msgspec.Struct, frozen=True):
    """A site as it is known, and as it was planned last."""

    known: SiteKnown
    last: Last


async def load(connection: asyncpg.Connection, site_ids: Collection[str], now: datetime) -> dict[str, Loaded]:
    """Return all that is known of sites."""
    described = await sites.load(connection, site_ids)
    keys = [evse.key for site in described.values() for evse in site.evses]
    at = await vehicles.load(connection, keys)
    classes = await driver_needs.of(connection, _classes(at.values()))
    set_by_operators = _by_site(await overrides.of_sites(connection, site_ids, now))
    last = await plans.load(connection, site_ids)
    return {
        site_id: Loaded(
            SiteKnown(
                site,
                vehicles=_of(site, at),
                classes=classes,
                overrides=tuple(set_by_operators[site_id]),
                memory=last.get(site_id, Last()).memory,
            ),
            last.get(site_id) or Last(),
        )
        for site_id, site in described.items()
    }


def _of(site: Site, by_evse: dict[EvseKey, Vehicle]) -> dict[EvseKey, Vehicle]:
    return {evse.key: by_evse[evse.key] for evse in site.evses if evse.key in by_evse}


def _classes(found: Iterable[Vehicle]) -> set[tuple[str, str]]:
    sessions = (vehicle.session for vehicle in found if vehicle.session is not None)
    return {each for session in sessions for each in classes_of(session.id_token, session.id_token_type)}


def _by_site(found: Iterable[Override]) -> dict[str, list[Override]]:
    by_site: defaultdict[str, list[Override]] = defaultdict(list)
    for each in found:
        by_site[each.site_id].append(each)
    return by_site

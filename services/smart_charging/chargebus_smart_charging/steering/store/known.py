"""What is known of the steering of whole sites, read in a few queries however many they are."""

from collections.abc import Collection, Iterable, Mapping

import asyncpg
import msgspec

from chargebus_smart_charging.sites.domain.site import Evse, EvseKey, Site
from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.steering.domain.controllers import controllers_of
from chargebus_smart_charging.steering.domain.habits import Habits
from chargebus_smart_charging.steering.domain.learning import Tally, habits_by
from chargebus_smart_charging.steering.domain.resolving import resolved
from chargebus_smart_charging.steering.domain.said import habits_of
from chargebus_smart_charging.steering.domain.stations import Answered, Station, folded
from chargebus_smart_charging.steering.domain.steered import Steerable, Steered
from chargebus_smart_charging.steering.store import habits, stations, steering


class SteeringKnown(msgspec.Struct, frozen=True):
    """What is known of the steering of sites.

    Attributes:
        stations: their stations, those of which anything was heard.
        steerables: their EVSEs as they can be steered, nothing left out of them.
        stored: the steering of their EVSEs, as it is kept.
        steered: the same with what came to be known since.
        answers: what of that are answers to orders.
    """

    stations: Mapping[str, Station] = {}
    steerables: Mapping[EvseKey, Steerable] = {}
    stored: Mapping[EvseKey, Steered] = {}
    steered: Mapping[EvseKey, Steered] = {}
    answers: Mapping[EvseKey, Collection[Answered]] = {}


async def load(connection: asyncpg.Connection, sites: Iterable[Site]) -> SteeringKnown:
    """Return what is known of the steering of sites."""
    placed = [(site, evse) for site in sites for evse in (*site.evses, *(each for _, each in controllers_of(site)))]
    keys = [evse.key for _, evse in placed]
    ids = {station_id for station_id, _ in keys}
    known = await stations.load(connection, ids)
    learned = await habits.load(connection, {station.kind for station in known.values()})
    free = await stations.free(connection, ids)
    answers = await steering.answers(connection, keys)
    pulled = await steering.pulled(connection, keys)
    stored = await steering.load(connection, keys)
    alone = _alone(keys)
    steerables = {
        evse.key: steerable_of(site, evse, known.get(evse.station_id), learned, alone=evse.station_id in alone)
        for site, evse in placed
    }
    steered = {
        key: folded(
            stored.get(key, Steered()),
            known.get(key[0]) or Station(key[0]),
            answers.get(key, ()),
            free.get(key),
            steerables[key],
            pulled.get(key),
        )
        for key in keys
    }
    return SteeringKnown(known, steerables, stored, steered, answers)


def steerable_of(
    site: Site, evse: Evse, station: Station | None, learned: Mapping[tuple[str, str, str], Tally], *, alone: bool
) -> Steerable:
    """Return an EVSE as it can be steered, by what its operator, its station, and others of its kind say."""
    station = station or Station(evse.station_id)
    said = station.said
    of_kind = habits_by(learned[station.kind]) if station.kind in learned else Habits()
    own = msgspec.structs.replace(of_kind, update_spacing_s=station.update_spacing_s)
    return Steerable(
        resolved(evse, said.told_of(evse.evse_id)),
        site.policy,
        habits_of(said, own),
        station.version,
        alone=alone,
        limit_key=said.limit_key,
    )


async def told_by(connection: asyncpg.Connection, station_ids: Collection[str]) -> Mapping[EvseKey, Told]:
    """Return what stations say of how their EVSEs are built; EVSE 0 is what a station says of itself."""
    found = await stations.load(connection, station_ids)
    return {
        (station_id, evse_id): station.said.told_of(evse_id)
        for station_id, station in found.items()
        for evse_id in station.said.told
    }


def _alone(keys: Iterable[EvseKey]) -> set[str]:
    counts: dict[str, int] = {}
    for station_id, _ in keys:
        counts[station_id] = counts.get(station_id, 0) + 1
    return {station_id for station_id, count in counts.items() if count == 1}

"""What is known about stations, put together for deciding."""

from collections.abc import Collection, Mapping

import asyncpg

from chargebus_security.inventory import store as inventory
from chargebus_security.stations import store as known_stations
from chargebus_security.stations.domain import Station
from chargebus_security.trust.domain.policy import wanted
from chargebus_security.trust.domain.station import Facts
from chargebus_security.trust.store import policies, stations


async def facts_of(
    connection: asyncpg.Connection, station_ids: Collection[str], issuers: Collection[str]
) -> tuple[Mapping[str, Station], Mapping[str, Facts]]:
    """Return stations as others tell of them, and what is known about the certificates of each.

    `issuers` are those under whom the edges' certificates stand.
    """
    known = await known_stations.find(connection, station_ids)
    rules = await policies.every(connection)
    has = await stations.installed(connection, station_ids)
    tried = await stations.changes(connection, station_ids)
    named = await inventory.named(connection, {each.hash_key for found in has.values() for each in found})
    meant = {station_id: wanted(rules, station) for station_id, station in known.items()}
    ids = {each for found in meant.values() for policy in found.values() for each in policy.certificate_ids}
    by_id = await inventory.find(connection, ids)
    return known, {
        station_id: Facts(
            meant.get(station_id, {}),
            has.get(station_id, ()),
            tried.get(station_id, ()),
            {each.hash_key: named[each.hash_key] for each in has.get(station_id, ()) if each.hash_key in named},
            by_id,
            issuers,
        )
        for station_id in station_ids
    }

"""What is known of stations, put together for deciding."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import asyncpg

from chargebus_security.authorities.domain.profiles import STATION
from chargebus_security.credentials.domain.facts import Facts
from chargebus_security.credentials.store import members
from chargebus_security.inventory import store as certificates
from chargebus_security.signing import store as requests
from chargebus_security.stations import store as known_stations
from chargebus_security.trust.domain.station import CSMS_ROOT
from chargebus_security.trust.store import stations as trust_stations

_NOTHING: Final = Facts()


async def facts_of(
    connection: asyncpg.Connection, station_ids: Collection[str], upgrades: Collection[str], now: datetime
) -> dict[str, Facts]:
    """Return what is known of stations; of certificates and roots only on those that are among the `upgrades`."""
    known = await known_stations.find(connection, station_ids)
    registered = await members.registered(connection, station_ids)
    newest = await requests.newest_of(connection, upgrades, STATION) if upgrades else {}
    having = await requests.having(connection, upgrades, STATION, now) if upgrades else set()
    roots = await _roots(connection, upgrades, now) if upgrades else {}
    found = {}
    for station_id in station_ids:
        station, credentials = known.get(station_id), registered.get(station_id)
        request = newest.get(station_id)
        told = await trust_stations.find(connection, station_id) if station_id in upgrades else None
        is_there = station is not None and station.is_known and station.online
        found[station_id] = Facts(
            online=is_there,
            epoch=_NOTHING.epoch if station is None else station.epoch,
            connected_at=None if station is None else station.connected_at,
            booted_at=None if station is None else station.booted_at,
            boots_always=station is not None and station.boots_always,
            ocpp_version="" if station is None else station.ocpp_version,
            used_profile=None if station is None else station.security_profile,
            least_profile=None if credentials is None else credentials.least_profile,
            passwords=() if credentials is None else credentials.passwords,
            has_certificate=station_id in having,
            certificate_state="" if request is None else request.state,
            certificate_reason="" if request is None else request.reason,
            certificate_at=None if request is None else request.changed_at,
            roots=roots.get(station_id, 0),
            roots_told_at=None if told is None else told.reported_at,
            roots_detail="" if told is None else told.detail,
        )
    return found


async def _roots(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> dict[str, int]:
    """Count the roots for the CSMS that stations have, but for those that are known to have run out."""
    has = await trust_stations.installed(connection, station_ids)
    keys = {each.hash_key for found in has.values() for each in found if each.certificate_type == CSMS_ROOT}
    named = await certificates.named(connection, keys) if keys else {}
    ended = {key for key, each in named.items() if each.not_after is not None and each.not_after <= now}
    return {
        station_id: sum(each.certificate_type == CSMS_ROOT and each.hash_key not in ended for each in found)
        for station_id, found in has.items()
    }

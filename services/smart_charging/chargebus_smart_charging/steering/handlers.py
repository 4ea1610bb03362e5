"""Kafka in, beside frames: stations boot, connect, leave, and say which of their connectors are free."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from chargebus_events.public import (
    CONNECTOR_STATUS,
    STATION_BOOTED,
    STATION_CONNECTION,
    ConnectorStatus,
    StationBooted,
    StationConnection,
)
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.steering.domain import stations as domain
from chargebus_smart_charging.steering.domain.stations import Station
from chargebus_smart_charging.steering.store import stations
from chargebus_smart_charging.steering.store.stations import ConnectorState

WAIT_S: Final = 0.3
_SOON: Final = timedelta(seconds=1)
_ACCEPTED: Final = "accepted"
_AVAILABLE: Final = "Available"
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    STATION_BOOTED: msgspec.json.Decoder(StationBooted),
    STATION_CONNECTION: msgspec.json.Decoder(StationConnection),
    CONNECTOR_STATUS: msgspec.json.Decoder(ConnectorStatus),
}


async def hear_stations(batch: Batch, records: Sequence[Received]) -> None:
    """Follow the stations, under a site or not; the sites of those that boot, come or go are planned soon."""
    read = [record for record in records if record.type in _DECODERS]
    told = [_DECODERS[record.type].decode(record.value or b"") for record in read]
    states = [_state(each) for each in told if isinstance(each, ConnectorStatus) and each.evse_id > 0]
    await stations.keep_states(batch.connection, states)
    news = [each for each in told if isinstance(each, StationBooted | StationConnection)]
    known = await stations.lock(batch.connection, {each.station_id for each in news})
    for each in news:
        known[each.station_id] = _after(known.get(each.station_id) or Station(each.station_id), each)
    await stations.keep(batch.connection, known.values(), batch.now)
    changed = {*known, *(state.station_id for state in states)}
    sites = await evses.sites_of(batch.connection, changed)
    await due.mark_by(batch, set(sites.values()), batch.now + _SOON)


def _state(told: ConnectorStatus) -> ConnectorState:
    return ConnectorState(told.station_id, told.evse_id, told.connector_id, told.status == _AVAILABLE, told.at)


def _after(station: Station, told: StationBooted | StationConnection) -> Station:
    if isinstance(told, StationConnection):
        if told.connected:
            return domain.connected(station, told.at, told.epoch, told.version)
        return domain.lost(station, told.at, told.epoch)
    if told.registration != _ACCEPTED:
        return station
    return domain.booted(station, told.at, told.version, (told.vendor, told.model, told.firmware_version))

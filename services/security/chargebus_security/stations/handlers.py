"""Kafka in, beside frames: stations boot, connect, leave, are described."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from chargebus_events.public import (
    STATION_BOOTED,
    STATION_CONNECTION,
    STATION_DESCRIBED,
    StationBooted,
    StationConnection,
    StationDescribed,
)
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_security.stations import domain, store
from chargebus_security.stations.domain import Description, Make, Station

REST_S: Final = 1.0
"""How long the topics rest once they are read to their end: nobody waits for what is known of a station."""


Change = Callable[[Station, Any], Station]


async def hear_stations(batch: Batch, records: Sequence[Received]) -> None:
    """Follow what stations are and do; events of kinds that are not known yet are passed over."""
    told = [_CHANGES[r.type].read(r.value or b"") for r in records if r.type in _CHANGES]
    await _fold(batch, ((each, _BY_TYPE[type(each)]) for each in told))


async def _fold(batch: Batch, changes: Iterable[tuple[Any, Change]]) -> None:
    changes = list(changes)
    before = await store.lock(batch.connection, {told.station_id for told, _ in changes})
    after = dict(before)
    for told, change in changes:
        after[told.station_id] = change(after.get(told.station_id) or Station(told.station_id), told)
    changed = [station for station_id, station in after.items() if station != before.get(station_id)]
    await store.keep(batch.connection, changed, batch.now)


def _booted(station: Station, told: StationBooted) -> Station:
    make = Make(told.vendor, told.model, told.serial_number, told.firmware_version)
    return domain.booted(station, told.at, make, told.version)


def _connection(station: Station, told: StationConnection) -> Station:
    if told.connected:
        return domain.connected(station, told.at, told.epoch, told.version, told.security_profile)
    return domain.lost(station, told.at, told.epoch)


def _described(station: Station, told: StationDescribed) -> Station:
    description = Description(told.name, told.labels, told.removed)
    return domain.described(station, told.at, description)


class _Kind(msgspec.Struct, frozen=True):
    """A kind of event: its type, and what it changes."""

    type: type[Any]
    change: Change
    read: Callable[[bytes], Any]


def _kind(kind: type[Any], change: Change) -> _Kind:
    return _Kind(kind, change, msgspec.json.Decoder(kind).decode)


_CHANGES: Final = {
    STATION_BOOTED: _kind(StationBooted, _booted),
    STATION_CONNECTION: _kind(StationConnection, _connection),
    STATION_DESCRIBED: _kind(StationDescribed, _described),
}
_BY_TYPE: Final = {kind.type: kind.change for kind in _CHANGES.values()}

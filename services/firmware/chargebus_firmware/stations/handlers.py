"""Kafka in, beside frames: stations boot, connect, leave, fail, are described; sessions begin and end there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from chargebus_commanding import InBatch
from chargebus_events.public import (
    CONNECTOR_STATUS,
    STATION_BOOTED,
    STATION_CONNECTION,
    STATION_DESCRIBED,
    ConnectorStatus,
    StationBooted,
    StationConnection,
    StationDescribed,
)
from chargebus_events.record import Received, Record
from chargebus_runtime.batch import Batch

from chargebus_firmware.stations import domain, store
from chargebus_firmware.stations.domain import Description, Energy, Make, Station

REST_S: Final = 1.0
"""How long the topics rest once they are read to their end: nobody waits for what is known of a station."""


class _Session(msgspec.Struct, frozen=True):
    session_id: str
    station_id: str
    state: str
    updated_at: datetime
    ended_at: datetime | None = None
    energy_wh: float | None = None


Change = Callable[[Station, Any], Station]


class HeldStations:
    """A part of the consumer: locks the rows of all stations of a batch before anything else that is theirs.

    It comes before what reads these topics.
    """

    rests: Mapping[str, float] = {}
    patient = False

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = tuple(topics)

    async def apply(self, batch: Batch, records: Sequence[Received]) -> None:
        """Lock them."""
        await store.hold(InBatch(batch, records[0]), ())

    def refuse(self, _record: Received, _reason: str) -> Sequence[Record]:
        """Tell nobody."""
        return ()

    def may_wait_s(self, _record: Received) -> float:
        """Return that nothing waits for others."""
        return 0.0


async def hear_stations(batch: Batch, records: Sequence[Received]) -> None:
    """Follow what stations are and do; events of kinds that are not known yet are passed over.

    Their rows are held: see `HeldStations`.
    """
    told = [_CHANGES[r.type].read(r.value or b"") for r in records if r.type in _CHANGES]
    await _fold(batch, ((each, _BY_TYPE[type(each)]) for each in told))


async def hear_sessions(batch: Batch, records: Sequence[Received]) -> None:
    """Follow which sessions are open, and when vehicles were charged last; an import has no station."""
    told = (_session(record.value or b"") for record in records)
    await _fold(batch, ((each, _session_told) for each in told if each.station_id))


async def _fold(batch: Batch, changes: Iterable[tuple[Any, Change]]) -> None:
    changes = list(changes)
    before = await store.find(batch.connection, {told.station_id for told, _ in changes})
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
        return domain.connected(station, told.at, told.epoch, told.version)
    return domain.lost(station, told.at, told.epoch)


def _status(station: Station, told: ConnectorStatus) -> Station:
    place = f"{told.evse_id}.{told.connector_id}"
    return domain.status_told(station, place, told.at, faulted=told.status == "Faulted")


def _described(station: Station, told: StationDescribed) -> Station:
    description = Description(told.name, told.labels, told.time_zone, told.removed)
    return domain.described(station, told.at, description)


def _session_told(station: Station, told: _Session) -> Station:
    ended = told.state == "ended"
    charged_until = told.ended_at if ended and told.energy_wh else None
    return domain.session_told(station, Energy(told.session_id, not ended, told.updated_at, charged_until))


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
    CONNECTOR_STATUS: _kind(ConnectorStatus, _status),
    STATION_DESCRIBED: _kind(StationDescribed, _described),
}
_BY_TYPE: Final = {kind.type: kind.change for kind in _CHANGES.values()}
_session: Final = msgspec.json.Decoder(_Session).decode

"""Kafka in, beside frames: stations boot, connect, and are described; `stations` has taken it before."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from chargebus_events.public import (
    SESSION_ENDED,
    STATION_BOOTED,
    STATION_CONNECTION,
    STATION_DESCRIBED,
    Session,
    StationBooted,
    StationConnection,
    StationDescribed,
)
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_notification.displays.domain import reports
from chargebus_notification.displays.domain.reports import DisplayStation
from chargebus_notification.displays.domain.shown import unwant, woken
from chargebus_notification.displays.operations import follow
from chargebus_notification.displays.store import limits, messages, shown, stations

_ACCEPTED: Final = "accepted"
_session: Final = msgspec.json.Decoder(Session).decode
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    STATION_BOOTED: msgspec.json.Decoder(StationBooted),
    STATION_CONNECTION: msgspec.json.Decoder(StationConnection),
    STATION_DESCRIBED: msgspec.json.Decoder(StationDescribed),
}


class Heard:
    """Follows stations: who is there again is told what waits, and asked to report `settle` after a boot."""

    def __init__(self, settle: timedelta) -> None:
        self._settle = settle

    async def hear(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take what is told of stations."""
        told = [_DECODERS[each.type].decode(each.value or b"") for each in records if each.type in _DECODERS]
        known = await stations.lock(batch.connection, {each.station_id for each in told})
        before = dict(known)
        booted: set[str] = set()
        there: set[str] = set()
        for each in told:
            known[each.station_id] = _after(known[each.station_id], each)
            if isinstance(each, StationBooted) and each.registration == _ACCEPTED:
                booted.add(each.station_id)
            if isinstance(each, StationConnection) and each.connected:
                there.add(each.station_id)
        rows = await shown.of_stations(batch.connection, booted | there)
        await limits.forget(batch.connection, booted)
        after = [woken(each, batch.now, booted=each.station_id in booted) for each in rows]
        await shown.keep(batch.connection, [new for new, old in zip(after, rows, strict=True) if new != old])
        for station_id in booted & {each.station_id for each in rows}:
            known[station_id] = reports.wanted(known[station_id], batch.now + self._settle)
        await stations.keep(batch.connection, [each for each in known.values() if each != before[each.station_id]])
        described = {each.station_id for each in told if isinstance(each, StationDescribed)}
        if described:
            await follow(batch.connection, known, batch.now, described)


async def hear_sessions(batch: Batch, records: Sequence[Received]) -> None:
    """Want the messages of transactions that ended no more: a station drops them, or is asked to.

    Spec: OCPP 2.0.1 O02.FR.02
    """
    ended = [_session(each.value or b"") for each in records if each.type == SESSION_ENDED]
    pairs = {(each.station_id, each.transaction_id) for each in ended if each.transaction_id}
    over = await messages.of_transactions(batch.connection, pairs) if pairs else []
    for message in over:
        gone = msgspec.structs.replace(message, removed_at=batch.now, changed_at=batch.now)
        await messages.keep(batch.connection, gone)
        rows = await shown.of_message(batch.connection, message.message_id)
        await shown.keep(batch.connection, [unwant(each, batch.now) for each in rows])


def _after(station: DisplayStation, told: StationBooted | StationConnection | StationDescribed) -> DisplayStation:
    if isinstance(told, StationDescribed):
        return station
    return msgspec.structs.replace(station, version=told.version or station.version)

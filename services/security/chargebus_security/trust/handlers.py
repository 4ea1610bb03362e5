"""Kafka in, beside frames: stations boot, connect, and are described; `stations` has taken it before."""

from collections.abc import Sequence
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

from chargebus_security.stations import store as known_stations
from chargebus_security.stations.domain import Station
from chargebus_security.trust.domain.policy import Policy
from chargebus_security.trust.domain.station import back
from chargebus_security.trust.operations.repairing import Pace
from chargebus_security.trust.store import policies, stations

_ACCEPTED: Final = "accepted"
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    STATION_BOOTED: msgspec.json.Decoder(StationBooted),
    STATION_CONNECTION: msgspec.json.Decoder(StationConnection),
    STATION_DESCRIBED: msgspec.json.Decoder(StationDescribed),
}


class Heard:
    """Follows stations: who has booted is asked what it has, who is there again gets what waits."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    async def hear(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take what is told of stations."""
        told = [_DECODERS[each.type].decode(each.value or b"") for each in records if each.type in _DECODERS]
        booted = {e.station_id for e in told if isinstance(e, StationBooted) and e.registration == _ACCEPTED}
        there = {e.station_id for e in told if isinstance(e, StationConnection) and e.connected}
        described = {e.station_id for e in told if isinstance(e, StationDescribed) and not e.removed}
        meant = booted | there | described
        if not meant:
            return
        rules = await policies.every(batch.connection)
        known = await known_stations.find(batch.connection, meant)
        follow = {each for each in known if self._concerns(known[each], rules)}
        follow |= await stations.known(batch.connection, meant - follow)
        before = await stations.lock(batch.connection, follow)
        settle = dict.fromkeys(booted, self._pace.settle)
        after = [back(each, batch.now, settle.get(each.station_id)) for each in before.values()]
        await stations.keep(batch.connection, after)

    def _concerns(self, station: Station, rules: Sequence[Policy]) -> bool:
        return self._pace.everybody or any(each.stations.fits(station) for each in rules)

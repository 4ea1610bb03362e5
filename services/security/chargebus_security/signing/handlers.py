"""Kafka in, beside frames: a station that comes gets what waits for it, one that is removed has nothing that counts."""

import logging
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from chargebus_events.public import STATION_CONNECTION, STATION_DESCRIBED, StationConnection, StationDescribed
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_security.authorities import store as issued
from chargebus_security.authorities.domain.profiles import BUILT_IN
from chargebus_security.signing import store
from chargebus_security.stations import store as stations

log = logging.getLogger(__name__)

_decode: Final = msgspec.json.Decoder(StationConnection).decode
_decode_described: Final = msgspec.json.Decoder(StationDescribed).decode


async def hear(batch: Batch, records: Sequence[Received]) -> None:
    """Send certificates at once that wait for stations which have come."""
    told = [_decode(record.value or b"") for record in records if record.type == STATION_CONNECTION]
    await store.wake(batch.connection, {each.station_id for each in told if each.connected}, batch.now)
    described = [_decode_described(record.value or b"") for record in records if record.type == STATION_DESCRIBED]
    await _end(batch, {each.station_id for each in described if each.removed})


async def _end(batch: Batch, station_ids: Collection[str]) -> None:
    """Revoke the certificates of stations that are registered no more, and refuse what they have asked for."""
    known = await stations.find(batch.connection, station_ids) if station_ids else {}
    gone = {station_id for station_id in station_ids if station_id not in known or not known[station_id].is_known}
    if gone:
        await store.end_of(batch.connection, gone, batch.now)
        await issued.revoke_all_of(batch.connection, BUILT_IN, gone, batch.now, "cessation_of_operation")
        for station_id, authority, serial_number in await issued.of_others(batch.connection, BUILT_IN, gone, batch.now):
            log.warning(
                "%s is registered no more, its certificate %s of %r is valid: revoke it there",
                station_id,
                serial_number,
                authority,
            )

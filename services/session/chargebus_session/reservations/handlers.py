"""Kafka in, beside frames: which stations there are, what they have, and when they booted."""

from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_events.registry import POLICY_KEYS, RegisteredStation
from chargebus_runtime.batch import Batch

from chargebus_session.metrics import Metrics
from chargebus_session.reservations import store
from chargebus_session.reservations.domain.reservation import STATION_REMOVED, Reservation, booted, over

_ACCEPTED: Final = "accepted"

_read_station: Final = msgspec.json.Decoder(RegisteredStation).decode
_read_boot: Final = msgspec.json.Decoder(public.StationBooted).decode


class StationNews:
    """Follows what of stations matters to reservations."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def hear_station(self, batch: Batch, records: Sequence[Received]) -> None:
        """Have what a station that booted was told before be told it anew."""
        boots = [_read_boot(record.value or b"") for record in records if record.type == public.STATION_BOOTED]
        newest = {each.station_id: each.at for each in boots if each.registration == _ACCEPTED}
        if not newest:
            return
        known = await store.lock_of_stations(batch.connection, newest)
        after = [booted(each, newest[each.station_id], batch.now) for each in known.values()]
        await self._keep(batch, [each for each in after if each != known[each.reservation_id]])

    async def hear_registry(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take which stations there are, and their EVSEs' connectors; what was reserved at one that is gone is over."""
        newest = {record.key: record.value for record in records if record.key and record.key not in POLICY_KEYS}
        await store.keep_stations(batch.connection, {key: _types(value) for key, value in newest.items() if value})
        gone = [key for key, value in newest.items() if not value]
        if not gone:
            return
        await store.forget_stations(batch.connection, gone)
        known = await store.lock_of_stations(batch.connection, gone)
        await self._keep(batch, [over(each, "removed", batch.now, STATION_REMOVED) for each in known.values()])

    async def _keep(self, batch: Batch, changed: Sequence[Reservation]) -> None:
        await store.keep(batch.connection, changed)
        self._metrics.reserved(each.state for each in changed)


def _types(value: bytes) -> dict[int, set[str]]:
    """Return the EVSEs of which somebody says what they have, with the types of their connectors in lower case."""
    station = _read_station(value)
    types: dict[int, set[str]] = {}
    for rating in (*station.ratings, *station.reported_ratings):
        if rating.evse_id > 0:
            found = types.setdefault(rating.evse_id, set())
            if rating.connector_type:
                found.add(rating.connector_type.lower())
    return types

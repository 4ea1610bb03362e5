"""Kafka in, beside frames: signs that a station's transactions may be over, and what its EVSEs can give."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_events.registry import POLICY_KEYS, RegisteredStation
from chargebus_runtime.batch import Batch

from chargebus_session.transactions.domain.endings import ConnectorState, StationSign, is_idle
from chargebus_session.transactions.domain.power import PowerLimit
from chargebus_session.transactions.domain.power import power_limits as limits_of
from chargebus_session.transactions.routes import GOES_ON_IN
from chargebus_session.transactions.store import endings, power_limits

REST_S: Final = 1.0
"""How long a topic of signs rests once it is read to its end: nothing is done about them at once."""

_AVAILABLE: Final = "Available"
_read_station: Final = msgspec.json.Decoder(RegisteredStation).decode
_ANY_TYPE: Final = msgspec.json.Decoder(dict[str, Any])
_DECODERS: Final = {kind: msgspec.json.Decoder(public.PUBLIC[kind]) for kind in public.PUBLIC if ".station." in kind}


class Signs:
    """Notes which sessions may be over; after `grace` they are looked at."""

    def __init__(self, grace: timedelta) -> None:
        self._grace = grace

    async def hear_station(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take boots, connections and statuses of connectors."""
        told = [_decoded(record) for record in records]
        await endings.keep_states(batch.connection, filter(None, map(_state, told)))
        signs = [sign for each in told for sign in _signs(each)]
        await endings.note(batch.connection, signs, batch.now, batch.now + self._grace)

    async def hear_registry(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take that stations were removed (an empty record says so), and what their EVSEs are built for."""
        stations = [record for record in records if record.key and record.key not in POLICY_KEYS]
        gone = [StationSign(record.key, "removed", batch.now) for record in stations if record.key and not record.value]
        await endings.note(batch.connection, gone, batch.now, batch.now + self._grace)
        await endings.forget_states(batch.connection, [sign.station_id for sign in gone])
        await power_limits.keep(batch.connection, dict(map(_limits, stations)))


def _decoded(record: Received) -> Any:  # noqa: ANN401 - of any type
    return _DECODERS.get(record.type, _ANY_TYPE).decode(record.value or b"")


def _limits(record: Received) -> tuple[str, list[PowerLimit]]:
    station_id = record.key or ""
    if not record.value:
        return station_id, []
    station = _read_station(record.value)
    return station_id, limits_of(station_id, station.ratings, station.reported_ratings)


def _state(told: object) -> ConnectorState | None:
    if not isinstance(told, public.ConnectorStatus) or not told.evse_id:
        return None
    idle = is_idle(told.status, told.detail)
    return ConnectorState(told.station_id, told.evse_id, told.connector_id, idle, told.status)


def _signs(told: object) -> Iterator[StationSign]:
    if isinstance(told, public.ConnectorStatus) and told.status == _AVAILABLE and told.evse_id:
        yield StationSign(told.station_id, "available", told.at, told.evse_id, told.connector_id)
    if isinstance(told, public.StationBooted):
        yield StationSign(told.station_id, "replaced" if told.replaced else "boot", told.at)
    if isinstance(told, public.StationBooted) or (isinstance(told, public.StationConnection) and told.connected):
        versions = GOES_ON_IN.get(told.version)
        if versions is not None:
            yield StationSign(told.station_id, "version", told.at, versions=versions)

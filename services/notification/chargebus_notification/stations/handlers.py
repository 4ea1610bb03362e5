"""Kafka in, beside frames: all that the public topics tell of stations, added up once for a batch."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from chargebus_events.public import (
    ALERT_CHANGED,
    CERTIFICATE_EXPIRING,
    COMMAND_FAILED,
    CONNECTION_REFUSED,
    CONNECTOR_STATUS,
    FIRMWARE_UPDATE,
    METER_READINGS,
    SECURITY_EVENT,
    SESSION_ENDED,
    SESSION_STARTED,
    SESSION_UPDATED,
    STATION_BOOTED,
    STATION_CONNECTION,
    STATION_DESCRIBED,
    STATION_DEVIATED,
    STATION_EVENT,
    Alert,
    CertificateExpiring,
    CommandFailed,
    ConnectionRefused,
    ConnectorStatus,
    FirmwareUpdate,
    MeterReadings,
    SecurityEvent,
    Session,
    StationBooted,
    StationConnection,
    StationDescribed,
    StationDeviated,
    StationEvent,
)
from chargebus_events.record import Received, Record
from chargebus_events.topics import (
    ALERT_EVENTS,
    FIRMWARE_EVENTS,
    METER_VALUES,
    SECURITY_EVENTS,
    SESSION_EVENTS,
    STATION_EVENTS,
)
from chargebus_runtime.batch import Batch

from chargebus_notification.names import SOURCE
from chargebus_notification.stations.domain import folding
from chargebus_notification.stations.domain.station import (
    ADDRESS,
    CERTIFICATE,
    Monitored,
    Station,
    Told,
    Update,
    is_fact,
)
from chargebus_notification.stations.store import stations

TOPICS: Final = (STATION_EVENTS, SESSION_EVENTS, METER_VALUES, FIRMWARE_EVENTS, SECURITY_EVENTS, ALERT_EVENTS)
"""What is read; each record has as key what it is told of, so that all of a station is in partitions of one number."""

_WAIT_S: Final = 0.3
_ACCEPTED: Final = "accepted"
_ALERTING: Final = "Alerting"
_USUAL_SEVERITY: Final = 4  # OCPP 2.0.1 tells none
_LATER: Final = timedelta(days=1)
_DETAIL_LIMIT: Final = 300

Fold = Callable[[Station, Received], Station]


class StationNews:
    """A part of the consumer: follows the stations through all topics that tell of them."""

    topics = TOPICS
    rests: Mapping[str, float] = {}
    patient = True

    def may_wait_s(self, _record: Received) -> float:
        """Return how long a record may wait for others, in seconds."""
        return _WAIT_S

    def refuse(self, _record: Received, _reason: str) -> Sequence[Record]:
        """Tell nobody of a record that is parked: nobody waits for it."""
        return ()

    async def apply(self, batch: Batch, records: Sequence[Received]) -> None:
        """Add up what a batch tells; rules look soon at the stations of which something changed that they do not await.

        Readings alone make nobody look: a rule that waits for some looks by itself.
        """
        read = [(_told_of(record), record) for record in records if _is_news(record)]
        before = await stations.lock(batch.connection, {key for key, _ in read})
        after: dict[str, Station] = {}
        due: set[str] = set()
        for key, record in read:
            station = after.get(key) or before.get(key) or Station(key)
            after[key] = changed = _FOLDS[record.type](station, record)
            if record.type != METER_READINGS and changed != station:
                due.add(key)
        news = [
            (station, batch.now if key in due else _unless_new(before, key, batch.now))
            for key, station in after.items()
            if station != before.get(key)
        ]
        await stations.keep(batch.connection, news, batch.now)


def _is_news(record: Received) -> bool:
    """Tell whether a record tells of what rules see; of alerts, those alone of others that a rule of ours tells of."""
    if record.type not in _FOLDS or record.value is None:
        return False
    if record.type != ALERT_CHANGED:
        return True
    told = _alert_of(record.value)
    return record.text("ce_source") != SOURCE and is_fact(told.rule, told.station_id)


def _told_of(record: Received) -> str:
    """Return what a record tells of: its station, or else a certificate or an address, under a name that none has."""
    name = _OF_NO_STATION.get(record.type)
    return record.key if name is None else name(record)


def _unless_new(before: Mapping[str, Station], key: str, now: datetime) -> datetime:
    return now + _LATER if key in before else now


def _reading(kind: type[Any], fold: Callable[[Station, Any], Station]) -> Fold:
    decode = msgspec.json.Decoder(kind).decode

    def read(station: Station, record: Received) -> Station:
        return fold(station, decode(record.value or b""))

    return read


def _booted(station: Station, told: StationBooted) -> Station:
    return folding.booted(station, told) if told.registration == _ACCEPTED else station


def _updated(station: Station, told: FirmwareUpdate) -> Station:
    reason = ": ".join(part for part in (told.reason, told.detail) if part)
    return folding.update_told(station, Update(told.update_id, told.state, told.at, told.version, reason))


def _of_security(station: Station, told: SecurityEvent) -> Station:
    return folding.security_told(station, Told(told.event_id, told.type, _at(told), told.tech_info))


def _deviated(station: Station, told: StationDeviated) -> Station:
    what = f"{told.action}: {told.kind} at {told.path or 'no member'}. {told.detail}".strip()
    event_id = f"{told.action}/{told.kind}/{told.path}/{told.refused}/{told.at.timestamp()}"
    kind = told.action or told.kind
    return folding.breach_told(station, Told(event_id, kind, told.at, what, grave=told.refused))


def _failed(station: Station, told: CommandFailed) -> Station:
    how = told.error_code or "no answer"
    return folding.failure_told(station, Told(told.command_id, told.action, told.at, f"{told.action}: {how}."))


def _monitored(station: Station, told: StationEvent) -> Station:
    """Take what a monitor tells of its condition; what is told now and then, or at each change, is none."""
    if not told.cleared and told.trigger != _ALERTING:
        return station
    names = (told.component, told.component_instance, told.variable, told.variable_instance)
    place = f" at EVSE {told.evse_id}" if told.evse_id else ""
    at = _at(told)
    severity = _USUAL_SEVERITY if told.severity is None else told.severity
    detail = " ".join(part for part in (f"It is {told.value}." if told.value else "", told.tech_info) if part)
    monitored = Monitored(at, severity, active=not told.cleared, since=at, detail=detail[:_DETAIL_LIMIT])
    return folding.monitor_told(station, ".".join(name for name in names if name) + place, monitored)


def _at(told: SecurityEvent | StationEvent) -> datetime:
    """Return when something happened: what a clock says that is ahead counts as of its arrival."""
    return min(told.at, told.received_at)


_alert_of: Final = msgspec.json.Decoder(Alert).decode
_certificate_of: Final = msgspec.json.Decoder(CertificateExpiring).decode
_refused_of: Final = msgspec.json.Decoder(ConnectionRefused).decode


def _certificate(record: Received) -> str:
    told = _certificate_of(record.value or b"")
    return told.station_id or f"{CERTIFICATE}{told.certificate_id}"


def _address(record: Received) -> str:
    told = _refused_of(record.value or b"")
    return told.station_id or f"{ADDRESS}{told.address}"


_OF_NO_STATION: Final[Mapping[str, Callable[[Received], str]]] = {
    CERTIFICATE_EXPIRING: _certificate,
    CONNECTION_REFUSED: _address,
}
"""What need not be told of a station: how it is named then."""

_session: Final = _reading(Session, folding.session_told)

_FOLDS: Final[Mapping[str, Fold]] = {
    STATION_BOOTED: _reading(StationBooted, _booted),
    STATION_CONNECTION: _reading(StationConnection, folding.connected),
    CONNECTOR_STATUS: _reading(ConnectorStatus, folding.status_told),
    STATION_EVENT: _reading(StationEvent, _monitored),
    SECURITY_EVENT: _reading(SecurityEvent, _of_security),
    COMMAND_FAILED: _reading(CommandFailed, _failed),
    STATION_DEVIATED: _reading(StationDeviated, _deviated),
    STATION_DESCRIBED: _reading(StationDescribed, folding.described),
    SESSION_STARTED: _session,
    SESSION_UPDATED: _session,
    SESSION_ENDED: _session,
    METER_READINGS: _reading(MeterReadings, folding.metered),
    FIRMWARE_UPDATE: _reading(FirmwareUpdate, _updated),
    CERTIFICATE_EXPIRING: _reading(CertificateExpiring, folding.certificate_told),
    CONNECTION_REFUSED: _reading(ConnectionRefused, folding.refusals_told),
    ALERT_CHANGED: _reading(Alert, folding.disobedience_told),
}
"""What each type of event adds; of a type that is not here nothing is wanted."""

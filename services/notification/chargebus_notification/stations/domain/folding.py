"""How what is told of a station adds up, event by event; what is older than what is known is not news."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec
from chargebus_events.public import (
    Alert,
    CertificateExpiring,
    ConnectionRefused,
    ConnectorStatus,
    MeterReadings,
    Reading,
    Session,
    StationBooted,
    StationConnection,
    StationDescribed,
)

from chargebus_notification.stations.domain.station import (
    Boot,
    Certificate,
    Disobedience,
    EndedSession,
    Meter,
    Monitored,
    Place,
    Refusals,
    Skew,
    Station,
    Told,
    Update,
)

BOOTS_KEPT: Final = 20
ENDED_OF_EVSE_KEPT: Final = 20
ENDED_KEPT: Final = 100
DAYS_KEPT: Final = 35
SKEWS_KEPT: Final = 4
TOLD_KEPT: Final = 30
KINDS_KEPT: Final = 30
MONITORED_KEPT: Final = 100
CERTIFICATES_KEPT: Final = 50
REFUSALS_KEPT: Final = 100
PLACES_KEPT: Final = 200
"""Connectors, and meters, that are kept of a station: one may name any number."""

_ACTIVE_KEPT: Final = 50
_SKEW_EVERY: Final = timedelta(minutes=5)
_OTHER_LOG: Final = timedelta(hours=1)  # an older epoch so much later counts in the log of another Kafka cluster
_ROOT: Final = ("Energy.Active.Import.Register", "Outlet")
_WATTS: Final = "Power.Active.Import"
_ENDED: Final = "ended"

T = TypeVar("T")
_replace = msgspec.structs.replace


def described(station: Station, told: StationDescribed) -> Station:
    """Take what an operator says of a station; one that is removed keeps nothing but that it was."""
    if station.described_at is not None and told.at < station.described_at:
        return station
    if told.removed:
        return Station(station.station_id, described_at=told.at, removed=True)
    return _replace(
        station,
        name=told.name,
        labels=dict(told.labels),
        time_zone=told.time_zone,
        described_at=told.at,
        removed=False,
    )


def connected(station: Station, told: StationConnection) -> Station:
    """Take that its socket opened or closed: connections are ordered by epochs, news of one by time."""
    known_at = station.connection_at
    if known_at is not None:
        older = told.epoch < station.epoch and told.at < known_at + _OTHER_LOG
        if older or (told.epoch == station.epoch and told.at < known_at):
            return station
    if told.connected is station.connected and told.epoch == station.epoch:
        return station
    since = known_at if told.connected is False and station.connected is False else told.at
    return _replace(
        station,
        connected=told.connected,
        epoch=told.epoch,
        connection_at=since,
        version=told.version or station.version,
    )


def booted(station: Station, told: StationBooted) -> Station:
    """Take a boot; one that repeats what is known is not counted twice."""
    if any(boot.at == told.at for boot in station.boots):
        return station
    newest = station.booted_at is None or told.at >= station.booted_at
    boots = sorted((*station.boots, Boot(told.at, told.reason)), key=lambda boot: boot.at)[-BOOTS_KEPT:]
    if not newest:
        return _replace(station, boots=tuple(boots))
    return _replace(
        station,
        boots=tuple(boots),
        vendor=told.vendor or station.vendor,
        model=told.model or station.model,
        serial_number=told.serial_number,
        firmware_version=told.firmware_version,
        version=told.version or station.version,
    )


def status_told(station: Station, told: ConnectorStatus) -> Station:
    """Take the status of a place."""
    key = f"{told.evse_id}/{told.connector_id}"
    known = station.places.get(key)
    if known is None and len(station.places) >= PLACES_KEPT:
        return station
    if known is not None and told.at < known.at:
        return station
    since = known.since if known is not None and known.status == told.status else told.at
    error = ", ".join(part for part in (told.error_code, told.vendor_error_code, told.info) if part)
    return _replace(station, places={**station.places, key: Place(told.status, told.at, since, error)})


def session_told(station: Station, told: Session) -> Station:
    """Take how a session stands now; one that is over stays so, unless its end is told anew."""
    ended = {each.session_id: each for each in station.ended}
    if told.state == _ENDED:
        at = min(told.ended_at or told.updated_at, told.updated_at)
        each = EndedSession(told.session_id, told.evse_id, at, told.energy_wh, told.flags)
        ended[told.session_id] = each
        active = {key: since for key, since in station.active.items() if key != told.session_id}
        station = _replace(station, ended=_newest_of_each(ended.values()), active=active)
    elif told.session_id not in station.active and told.session_id not in ended:
        active = {**station.active, told.session_id: _began(told)}
        station = _replace(station, active=dict(sorted(active.items(), key=lambda each: each[1])[-_ACTIVE_KEPT:]))
    return _charged_on(station, _began(told))


def _newest_of_each(ended: Iterable[EndedSession]) -> tuple[EndedSession, ...]:
    """Return sessions in order: the newest of each EVSE, so that a busy one does not push those of others out."""
    counts: Counter[int] = Counter()
    kept: list[EndedSession] = []
    in_order = sorted(ended, key=lambda session: session.at)
    for each in reversed(in_order):
        counts[each.evse_id] += 1
        if counts[each.evse_id] <= ENDED_OF_EVSE_KEPT:
            kept.append(each)
    return tuple(reversed(kept[:ENDED_KEPT]))


def _began(told: Session) -> datetime:
    return min(told.started_at or told.updated_at, told.updated_at)


def _charged_on(station: Station, at: datetime) -> Station:
    day = at.toordinal()
    days = station.charging_days
    if day not in days:
        days = tuple(sorted((*days, day))[-DAYS_KEPT:])
    last = at if station.last_session_at is None else max(at, station.last_session_at)
    if last == station.last_session_at and days == station.charging_days:
        return station
    return _replace(station, charging_days=days, last_session_at=last)


def metered(station: Station, told: MeterReadings) -> Station:
    """Take readings of an EVSE: its register, what flows there, and how far the station's clock is from ours.

    What a clock says that is ahead counts as of its arrival: once it is right, its readings are not older.
    """
    station = _clocked(station, told)
    many = told.evse_id not in station.meters and len(station.meters) >= PLACES_KEPT
    if told.evse_id <= 0 or many:
        return station
    by_time: dict[datetime, list[Reading]] = {}
    for reading in told.readings:
        by_time.setdefault(min(reading.sampled_at, told.received_at), []).append(reading)
    meter = station.meters.get(told.evse_id)
    for at, readings in sorted(by_time.items()):
        meter = _metered(meter, at, readings)
    return station if meter is None else _replace(station, meters={**station.meters, told.evse_id: meter})


def _metered(meter: Meter | None, at: datetime, readings: list[Reading]) -> Meter | None:
    if meter is not None and at <= meter.at:
        return meter
    registers = [one.value for one in readings if (one.measurand, one.location) == _ROOT and not one.phase]
    flowing = _flowing(readings)
    if not registers and flowing is None:
        return meter
    before = meter or Meter(at)
    register = registers[-1] if registers else before.register_wh
    watts = before.flowing_w if flowing is None else flowing
    moved = bool(registers) and register != before.register_wh
    if moved or watts <= 0 or register is None:
        return Meter(at, register, watts)
    if before.standing_since is None:
        return Meter(at, register, watts, at, watts)
    return Meter(at, register, watts, before.standing_since, min(watts, before.watts))


def _flowing(readings: list[Reading]) -> float | None:
    found = [one for one in readings if one.measurand == _WATTS and one.location == "Outlet"]
    whole = [one.value for one in found if not one.phase]
    if whole:
        return whole[-1]
    phases = {one.phase: one.value for one in found if one.phase in ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")}
    return sum(phases.values()) if phases else None


def _clocked(station: Station, told: MeterReadings) -> Station:
    own = [each.sampled_at for each in told.readings if not each.quality and each.context == "Sample.Periodic"]
    last = station.skews[-1].at if station.skews else None
    if not own or (last is not None and told.received_at < last + _SKEW_EVERY):
        return station
    skew = Skew(told.received_at, round((max(own) - told.received_at).total_seconds(), 1))
    return _replace(station, skews=(*station.skews, skew)[-SKEWS_KEPT:])


def security_told(station: Station, told: Told) -> Station:
    """Take a security event, once."""
    return _replace(station, security=_with(station.security, told))


def breach_told(station: Station, told: Told) -> Station:
    """Take a way in which it breaks the specification, once."""
    return _replace(station, breaches=_with(station.breaches, told))


def failure_told(station: Station, told: Told) -> Station:
    """Take that it failed at a command, once."""
    return _replace(station, failures=_with(station.failures, told))


def _with(known: tuple[Told, ...], told: Told) -> tuple[Told, ...]:
    """Return the newest, and the newest of each kind that has none among them: many of one push no other out."""
    if any(each.event_id == told.event_id for each in known):
        return known
    in_order = sorted((*known, told), key=lambda each: each.at)
    older, newest = in_order[:-TOLD_KEPT], in_order[-TOLD_KEPT:]
    shown = {(each.kind, each.grave) for each in newest}
    last = {(each.kind, each.grave): each for each in older if (each.kind, each.grave) not in shown}
    kinds = sorted(last.values(), key=lambda each: each.at)
    return (*kinds[-KINDS_KEPT:], *newest)


def monitor_told(station: Station, key: str, told: Monitored) -> Station:
    """Take what a monitor says; of many monitors those that said something last are kept."""
    known = station.monitored.get(key)
    if known is not None and told.at < known.at:
        return station
    if known is not None and known.active and told.active:
        told = _replace(told, since=known.since)
    newest = sorted({**station.monitored, key: told}.items(), key=lambda each: (each[1].active, each[1].at))
    return _replace(station, monitored=dict(newest[-MONITORED_KEPT:]))


def update_told(station: Station, told: Update) -> Station:
    """Take how an update of its firmware stands."""
    if station.update is not None and told.at < station.update.at:
        return station
    return _replace(station, update=told)


def certificate_told(station: Station, told: CertificateExpiring) -> Station:
    """Take that a certificate runs out, or is needed no more; of many those are kept that are needed, and told last."""
    known = station.certificates.get(told.certificate_id)
    if known is not None and told.at < known.at:
        return station
    certificate = Certificate(
        told.kind, told.expires_at, told.at, told.subject, told.serial_number, told.issuer, told.replaced
    )
    all_of_them = {**station.certificates, told.certificate_id: certificate}
    newest = sorted(all_of_them.items(), key=lambda each: (not each[1].replaced, each[1].at))
    return _replace(station, certificates=dict(newest[-CERTIFICATES_KEPT:]))


def refusals_told(station: Station, told: ConnectionRefused) -> Station:
    """Take connections that were refused, once."""
    refusals = Refusals(told.reason, told.count, told.first_at, told.last_at, told.address, told.detail)
    if refusals in station.refusals:
        return station
    in_order = sorted((*station.refusals, refusals), key=lambda each: each.last_at)
    return _replace(station, refusals=tuple(in_order[-REFUSALS_KEPT:]))


def disobedience_told(station: Station, told: Alert) -> Station:
    """Take that an EVSE draws more than it may, or does no more."""
    known = station.disobeyed.get(told.evse_id)
    if known is None and len(station.disobeyed) >= PLACES_KEPT:
        return station
    if known is not None and told.at < known.at:
        return station
    active = told.state == "open"
    since = known.since if known is not None and known.active and active else told.at
    each = Disobedience(told.at, since, active, told.alert_id, told.title, told.detail, told.site_id)
    return _replace(station, disobeyed={**station.disobeyed, told.evse_id: each})

"""The kinds of rules: what each looks at, and when it says that somebody should look.

A judgement is pure: it sees the facts of a station and the time, up to which all news was read. What it does not name,
or names as not open, is over.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import accumulate, groupby
from typing import Any, Final

import msgspec

from chargebus_notification.alerts.domain import parameters as of
from chargebus_notification.alerts.domain.parameters import Parameters
from chargebus_notification.alerts.domain.rule import Rule, Verdict
from chargebus_notification.alerts.domain.times import shifted
from chargebus_notification.stations.domain.station import (
    ADDRESS,
    DISOBEYED,
    FAULTED,
    FOUR_WEEKS,
    Certificate,
    EndedSession,
    Station,
    Told,
)

Judge = Callable[[Any, Station, datetime], Iterable[Verdict]]

OFFLINE: Final = "station_offline"
NO_SESSION: Final = "no_session"
_SKEWS: Final = 3
_AGAIN: Final = timedelta(minutes=1)
_NEWEST: Final = timedelta(minutes=30)  # what a meter said so long ago says nothing of now
_OF_EDGES: Final = frozenset({"server", "client authority"})  # kinds of certificates in files of edges
_UNTOLD: Final = timedelta(days=2)  # an edge tells each day of one that it uses; started anew without it, never again
_FAILED: Final = "failed"
_SHOWN: Final = 3


class Span(msgspec.Struct, frozen=True):
    """How far apart what has one cause begins at most; `words` say it."""

    length: timedelta
    words: str


class Kind(msgspec.Struct, frozen=True):
    """A kind of rule: what it can be told, how it judges, and when what it tells of at many stations has one cause."""

    parameters: type[Parameters]
    judge: Judge
    together: Span


def verdicts(rule: Rule, station: Station, now: datetime) -> list[Verdict]:
    """Return what a rule says of a station now; of one that it is not for, or that is no more, nothing."""
    if not rule.enabled or station.removed or not rule.concerns(station.labels):
        return []
    return list(KINDS[rule.kind].judge(rule.parameters, station, now))


def _offline(wanted: of.StationOffline, station: Station, now: datetime) -> Iterator[Verdict]:
    since = station.offline_since
    if since is None:
        return
    title = f"{station.station_id} is offline"
    yield _lasting(Verdict(since, title=title), wanted.minutes, now, _AGAIN)


def _faulted(wanted: of.EvseFaulted, station: Station, now: datetime) -> Iterator[Verdict]:
    for key, place in sorted(station.places.items()):
        if place.status != FAULTED:
            continue
        evse_id, connector_id = (int(number) for number in key.split("/"))
        where = f"EVSE {evse_id} of {station.station_id}" if evse_id else station.station_id
        if connector_id > 1:
            where = f"Connector {connector_id} of {where}"
        told = Verdict(place.since, key, title=f"{where} is faulted", detail=place.error, evse_id=evse_id)
        yield _lasting(told, wanted.minutes, now)


def _no_session(wanted: of.NoSession, station: Station, now: datetime) -> Iterator[Verdict]:
    last = station.last_session_at
    if last is None or station.charging or not station.online:
        return
    usual = station.usual_days
    if usual < wanted.usual_days:
        return
    title = f"Nobody charges at {station.station_id}"
    detail = f"Nobody has since {_when(last)}; before, somebody did on {usual} of {FOUR_WEEKS} days."
    yield _lasting(Verdict(last, title=title, detail=detail), wanted.days * 1440, now)


def _zero_energy(wanted: of.ZeroEnergy, station: Station, _now: datetime) -> Iterator[Verdict]:
    by_evse = sorted(station.ended, key=lambda session: (session.evse_id, session.at))
    for evse_id, sessions in groupby(by_evse, key=lambda session: session.evse_id):
        run = _without_energy(list(sessions), wanted.below_wh)
        if len(run) >= wanted.sessions:
            yield Verdict(
                run[0].at,
                f"{evse_id}",
                happened=tuple(session.at for session in run[wanted.sessions - 1 :]),
                title=f"Sessions at EVSE {evse_id} of {station.station_id} end without energy",
                detail=f"The last {len(run)} took less than {wanted.below_wh:g} Wh each.",
                evse_id=evse_id,
            )


def _without_energy(sessions: list[EndedSession], below_wh: float) -> list[EndedSession]:
    """Return the newest sessions that follow each other without energy; unknown energy breaks nothing."""
    run: list[EndedSession] = []
    for session in reversed(sessions):
        if session.energy_wh is None:
            continue
        if session.energy_wh >= below_wh:
            break
        run.insert(0, session)
    return run


def _repeated_boots(wanted: of.RepeatedBoots, station: Station, now: datetime) -> Iterator[Verdict]:
    window = timedelta(minutes=wanted.within_minutes)
    recent = [boot.at for boot in station.boots if boot.at > now - window]
    if len(recent) < wanted.boots:
        return
    reasons = sorted({boot.reason for boot in station.boots if boot.reason and boot.at > now - window})
    yield Verdict(
        recent[0],
        happened=tuple(recent[wanted.boots - 1 :]),
        look_again_at=shifted(recent[-wanted.boots], window),
        title=f"{station.station_id} boots again and again",
        detail=f"{len(recent)} times within {wanted.within_minutes:g} minutes"
        + (f" ({', '.join(reasons)})." if reasons else "."),
    )


def _commands_failing(wanted: of.CommandsFailing, station: Station, now: datetime) -> Iterator[Verdict]:
    window = timedelta(minutes=wanted.within_minutes)
    recent = [failure for failure in station.failures if failure.at > now - window]
    if len(recent) < wanted.commands:
        return
    yield Verdict(
        recent[0].at,
        happened=tuple(failure.at for failure in recent[wanted.commands - 1 :]),
        look_again_at=shifted(recent[-wanted.commands].at, window),
        title=f"{station.station_id} fails at commands",
        detail=f"{len(recent)} within {wanted.within_minutes:g} minutes. {recent[-1].detail}",
    )


def _security(wanted: of.SecurityEvents, station: Station, now: datetime) -> Iterator[Verdict]:
    any_of = "*" in wanted.events
    told = [each for each in station.security if any_of or each.kind in wanted.events]
    yield from _events(told, wanted.quiet_minutes, now, f"{station.station_id} tells of ")


def _breaches(wanted: of.BreaksSpecification, station: Station, now: datetime) -> Iterator[Verdict]:
    told = [each for each in station.breaches if each.grave or not wanted.refused_only]
    yield from _events(told, wanted.quiet_minutes, now, f"{station.station_id} breaks the specification: ")


def _events(told: list[Told], quiet_minutes: float, now: datetime, title: str) -> Iterator[Verdict]:
    quiet = timedelta(minutes=quiet_minutes)
    by_kind = sorted((each for each in told if each.at > now - quiet), key=lambda each: (each.kind, each.at))
    for kind, events in groupby(by_kind, key=lambda each: each.kind):
        listed = list(events)
        yield Verdict(
            listed[0].at,
            kind,
            happened=tuple(each.at for each in listed),
            look_again_at=shifted(listed[-1].at, quiet),
            title=f"{title}{kind}",
            detail=listed[-1].detail,
        )


def _monitored(wanted: of.MonitoredVariables, station: Station, _now: datetime) -> Iterator[Verdict]:
    for key, monitored in sorted(station.monitored.items()):
        if monitored.active and monitored.severity <= wanted.severity:
            yield Verdict(
                monitored.since,
                key,
                title=f"{station.station_id} reports {key}",
                detail=f"Severity {monitored.severity}. {monitored.detail}".strip(),
            )


def _firmware(_wanted: of.FirmwareFailed, station: Station, _now: datetime) -> Iterator[Verdict]:
    update = station.update
    if update is not None and update.state == _FAILED:
        title = f"The update of {station.station_id} failed"
        version = f"Version {update.version}: " if update.version else ""
        yield Verdict(update.at, title=title, detail=f"{version}{update.reason}")


def _clock(wanted: of.ClockWrong, station: Station, _now: datetime) -> Iterator[Verdict]:
    skews = station.skews[-_SKEWS:]
    ahead = all(skew.seconds > wanted.seconds for skew in skews)
    behind = all(skew.seconds < -wanted.seconds for skew in skews)
    if len(skews) < _SKEWS or not (ahead or behind):
        return
    seconds = min((abs(skew.seconds) for skew in skews), default=0.0)
    yield Verdict(
        skews[0].at,
        title=f"The clock of {station.station_id} is wrong",
        detail=f"It is at least {seconds:.0f} s {'ahead' if ahead else 'behind'}, by its readings' times.",
    )


def _meter_stuck(wanted: of.MeterStuck, station: Station, now: datetime) -> Iterator[Verdict]:
    for evse_id, meter in sorted(station.meters.items()):
        since = meter.standing_since
        if since is None or meter.watts < wanted.at_least_w or now - meter.at > _NEWEST:
            if station.charging:
                yield Verdict(now, f"{evse_id}", is_open=False, look_again_at=now + _AGAIN)
            continue
        lasted = meter.at - since >= timedelta(minutes=wanted.minutes)
        yield Verdict(
            since,
            f"{evse_id}",
            is_open=lasted,
            look_again_at=now + _AGAIN,
            title=f"The meter of EVSE {evse_id} of {station.station_id} stands still",
            detail=f"Its register stays at {meter.register_wh:g} Wh while it reports {meter.watts:g} W or more.",
            evse_id=evse_id,
        )


def _certificates(wanted: of.CertificateExpiring, station: Station, now: datetime) -> Iterator[Verdict]:
    for certificate_id, each in sorted(station.certificates.items()):
        if each.replaced or not ("*" in wanted.kinds or each.kind in wanted.kinds):
            continue
        over_at = shifted(each.at, _UNTOLD) if each.kind in _OF_EDGES and not station.is_station else None
        if over_at is not None and now >= over_at:
            continue
        since = shifted(each.expires_at, -timedelta(days=wanted.days))
        has_run_out = now >= each.expires_at
        whose = f" of {station.station_id}" if station.is_station else ""
        name = f"The {each.kind}{whose}" if whose or not each.subject else f"The {each.kind} {each.subject}"
        yield Verdict(
            since,
            certificate_id,
            is_open=now >= since,
            happened=(since, each.expires_at) if has_run_out else (since,),
            look_again_at=min((at for at in (since, each.expires_at, over_at) if at and now < at), default=None),
            title=f"{name} {'has run out' if has_run_out else 'runs out before long'}",
            detail=_described(each),
        )


def _described(certificate: Certificate) -> str:
    parts = (
        f"It is valid until {_when(certificate.expires_at)}.",
        f"Subject {certificate.subject}." if certificate.subject else "",
        f"Serial number {certificate.serial_number}." if certificate.serial_number else "",
        f"Issuer {certificate.issuer}." if certificate.issuer else "",
    )
    return " ".join(part for part in parts if part)


def _refused(wanted: of.ConnectionsRefused, station: Station, now: datetime) -> Iterator[Verdict]:
    window = timedelta(minutes=wanted.within_minutes)
    any_of = "*" in wanted.reasons
    recent = [
        each for each in station.refusals if each.last_at > now - window and (any_of or each.reason in wanted.reasons)
    ]
    count = sum(each.count for each in recent)
    if count < wanted.connections:
        return
    enough = list(accumulate(each.count for each in recent))
    spare = [each for each, left in zip(recent, enough, strict=True) if count - left < wanted.connections]
    reasons = Counter[str]()
    for each in recent:
        reasons[each.reason] += each.count
    addresses = sorted({each.address for each in recent if each.address})
    why = ", ".join(f"{reason} ({times})" for reason, times in reasons.most_common())
    where = f" From {', '.join(addresses[:_SHOWN])}{' and others' if len(addresses) > _SHOWN else ''}."
    address = station.station_id.removeprefix(ADDRESS)
    whose = f"of {station.station_id}" if station.is_station else f"from {address or 'many addresses'}"
    yield Verdict(
        recent[0].first_at,
        happened=tuple(each.last_at for each, sofar in zip(recent, enough, strict=True) if sofar >= wanted.connections),
        look_again_at=shifted(spare[0].last_at, window),
        title=f"Connections {whose} are refused",
        detail=f"{count} within {wanted.within_minutes:g} minutes: {why}."
        + (where if addresses and station.is_station else "")
        + (f" {recent[-1].detail}" if recent[-1].detail else ""),
    )


def _disobeyed(wanted: of.LimitDisobeyed, station: Station, now: datetime) -> Iterator[Verdict]:
    for evse_id, each in sorted(station.disobeyed.items()):
        if each.active:
            told = Verdict(
                each.since,
                f"{evse_id}",
                title=each.title,
                detail=each.detail,
                evse_id=evse_id,
                site_id=each.site_id,
                told_id=each.told_id,
            )
            yield _lasting(told, wanted.minutes, now)


def _lasting(told: Verdict, minutes: float, now: datetime, again: timedelta | None = None) -> Verdict:
    """Return a verdict that holds once it has lasted for so long; `again`: look again so often while it does."""
    from_then = shifted(told.since, timedelta(minutes=minutes))
    if now < from_then:
        return msgspec.structs.replace(told, is_open=False, look_again_at=from_then)
    return msgspec.structs.replace(told, look_again_at=None if again is None else now + again)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


_AT_ONCE: Final = Span(timedelta(minutes=1), "a minute")
_BY_AND_BY: Final = Span(timedelta(hours=1), "an hour")  # each station comes to it in its own time
_IN_A_DAY: Final = Span(timedelta(days=1), "a day")

KINDS: Final[Mapping[str, Kind]] = {
    OFFLINE: Kind(of.StationOffline, _offline, _AT_ONCE),
    "evse_faulted": Kind(of.EvseFaulted, _faulted, _AT_ONCE),
    NO_SESSION: Kind(of.NoSession, _no_session, _IN_A_DAY),
    "zero_energy": Kind(of.ZeroEnergy, _zero_energy, _BY_AND_BY),
    "repeated_boots": Kind(of.RepeatedBoots, _repeated_boots, _BY_AND_BY),
    "commands_failing": Kind(of.CommandsFailing, _commands_failing, _BY_AND_BY),
    "security_event": Kind(of.SecurityEvents, _security, _BY_AND_BY),
    "monitored_variable": Kind(of.MonitoredVariables, _monitored, _BY_AND_BY),
    "firmware_failed": Kind(of.FirmwareFailed, _firmware, _BY_AND_BY),
    "clock_wrong": Kind(of.ClockWrong, _clock, _BY_AND_BY),
    "meter_stuck": Kind(of.MeterStuck, _meter_stuck, _BY_AND_BY),
    "breaks_specification": Kind(of.BreaksSpecification, _breaches, _BY_AND_BY),
    "certificate_expiring": Kind(of.CertificateExpiring, _certificates, _IN_A_DAY),
    "connections_refused": Kind(of.ConnectionsRefused, _refused, _BY_AND_BY),
    DISOBEYED: Kind(of.LimitDisobeyed, _disobeyed, _BY_AND_BY),
}

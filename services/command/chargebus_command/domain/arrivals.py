"""What an event changes: the newest connection wins, a report ends or returns the one command in flight."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from chargebus_command.domain.decision import (
    CONNECTION_LOST,
    NOT_WRITTEN,
    PENDING,
    REFUSED,
    Decision,
    fault_of,
    no_answer,
)
from chargebus_command.domain.events import (
    Asked,
    Connected,
    Delivered,
    Disconnected,
    Event,
    Registered,
)
from chargebus_command.domain.state import Avoided, Command, Ended, Rules, Station, StationConnection


def arrive(decision: Decision, event: Event, rules: Rules, now: datetime) -> Decision:
    """Apply one event."""
    station = decision.station
    match event:
        case Asked():
            return _ask(decision, event, rules, now)
        case Connected(connection):
            return replace(decision, station=_connect(station, connection))
        case Disconnected(epoch):
            return replace(decision, station=_disconnect(station, epoch))
        case Registered(registered):
            return replace(decision, station=_tried_anew(replace(station, registered=registered)))
        case Delivered():
            return _deliver(decision, event, rules, now)


def _ask(decision: Decision, asked: Asked, rules: Rules, now: datetime) -> Decision:
    command, waiting = asked.command, decision.station.waiting
    if asked.refused:
        return decision.ending(Ended(command, "undeliverable", now, REFUSED, told=True))
    if len(waiting) >= rules.max_waiting:
        reason = f"{rules.max_waiting} commands already wait for this station"
        return decision.ending(Ended(command, "undeliverable", now, reason))
    return decision.queueing((*waiting, command))


def _connect(station: Station, connection: StationConnection) -> Station:
    known = station.connection
    if known is not None and connection.epoch < known.epoch:
        return station
    return _tried_anew(replace(station, connection=connection))


def _disconnect(station: Station, epoch: int) -> Station:
    known = station.connection
    if known is None or known.epoch != epoch:
        return station
    return replace(station, connection=replace(known, connected=False))


def _deliver(decision: Decision, report: Delivered, rules: Rules, now: datetime) -> Decision:
    command = decision.station.in_flight
    if command is None or not _concerns(report, command):
        return replace(decision, ignored=decision.ignored + 1)
    freed = decision.landed()
    match report.result:
        case "answered" | "refused":
            fault = fault_of(report.reply) if report.result == "answered" else ""
            return freed.ending(Ended(command, report.result, now, fault, report.reply))
        case "timed_out":
            return freed.ending(Ended(command, "timed_out", now, no_answer(command)))
        case "connection_lost":
            return freed.ending(Ended(command, "timed_out", now, CONNECTION_LOST))
        case "pending":
            return _hold(freed, replace(command, sent=None), rules, now)
        case "undeliverable":
            avoided = Avoided(report.epoch, now + timedelta(seconds=rules.avoid_s))
            reason = report.reply.error_description or NOT_WRITTEN
            unsent = replace(command, sent=None)
            return _return_to_queue(
                replace(freed, station=replace(freed.station, avoided=avoided)), unsent, reason, now
            )


def _concerns(report: Delivered, command: Command) -> bool:
    sent = command.sent
    return (
        sent is not None
        and report.command_id == command.command_id
        and report.epoch == sent.epoch
        and report.sent_at in {None, sent.sent_at}
    )


def _hold(freed: Decision, command: Command, rules: Rules, now: datetime) -> Decision:
    """Let a command wait until its station is accepted, if it may wait at all; others may pass it."""
    if command.ttl_s <= 0 or now >= command.expires_at:
        return freed.ending(Ended(command, "undeliverable", now, PENDING))
    held = replace(command, held_until=now + rules.hold(now - command.requested_at))
    return freed.queueing((held, *freed.station.waiting))


def _tried_anew(station: Station) -> Station:
    """Return a station whose held commands are tried again: it may have been accepted."""
    return replace(station, waiting=tuple(replace(each, held_until=None) for each in station.waiting))


def _return_to_queue(freed: Decision, command: Command, reason: str, now: datetime) -> Decision:
    if now >= command.expires_at:
        return freed.ending(Ended(command, "undeliverable", now, reason))
    return freed.queueing((command, *freed.station.waiting))

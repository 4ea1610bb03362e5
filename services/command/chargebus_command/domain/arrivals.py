"""What an event changes: the newest connection wins, a report ends or returns the one command in flight."""

from dataclasses import replace
from datetime import datetime

from chargebus_command.domain.decision import CONNECTION_LOST, NOT_WRITTEN, Decision, no_answer
from chargebus_command.domain.events import (
    Asked,
    Connected,
    Delivered,
    Disconnected,
    EdgeChanged,
    Event,
    Registered,
)
from chargebus_command.domain.state import Command, Connection, Ended, Rules, Station


def arrive(decision: Decision, event: Event, rules: Rules, now: datetime) -> Decision:
    """Apply one event."""
    station = decision.station
    match event:
        case Asked(command):
            return _ask(decision, command, rules, now)
        case Connected(connection):
            return replace(decision, station=_connect(station, connection))
        case Disconnected(epoch):
            return replace(decision, station=_disconnect(station, epoch))
        case Registered(registered):
            return replace(decision, station=replace(station, registered=registered))
        case Delivered():
            return _deliver(decision, event, now)
        case EdgeChanged():
            return decision


def _ask(decision: Decision, command: Command, rules: Rules, now: datetime) -> Decision:
    waiting = decision.station.waiting
    if len(waiting) >= rules.max_waiting:
        reason = f"{rules.max_waiting} commands already wait for this station"
        return decision.ending(Ended(command, "undeliverable", now, reason))
    return decision.queueing((*waiting, command))


def _connect(station: Station, connection: Connection) -> Station:
    known = station.connection
    if known is not None and connection.epoch < known.epoch:
        return station
    return replace(station, connection=connection)


def _disconnect(station: Station, epoch: int) -> Station:
    known = station.connection
    if known is None or known.epoch != epoch:
        return station
    return replace(station, connection=replace(known, connected=False))


def _deliver(decision: Decision, report: Delivered, now: datetime) -> Decision:
    command = decision.station.in_flight
    if command is None or not _concerns(report, command):
        return replace(decision, ignored=decision.ignored + 1)
    freed = decision.landed()
    match report.result:
        case "answered" | "refused":
            return freed.ending(Ended(command, report.result, now, reply=report.reply))
        case "timed_out":
            return freed.ending(Ended(command, "timed_out", now, no_answer(command)))
        case "connection_lost":
            return freed.ending(Ended(command, "timed_out", now, CONNECTION_LOST))
        case "undeliverable":
            return _return_to_queue(freed, command, report, now)


def _concerns(report: Delivered, command: Command) -> bool:
    return command.sent is not None and report.command_id == command.command_id and report.epoch == command.sent.epoch


def _return_to_queue(freed: Decision, command: Command, report: Delivered, now: datetime) -> Decision:
    void = replace(freed, station=replace(freed.station, void_epoch=report.epoch))
    if now >= command.expires_at:
        return void.ending(Ended(command, "undeliverable", now, report.reply.error_description or NOT_WRITTEN))
    return void.queueing((replace(command, sent=None), *void.station.waiting))

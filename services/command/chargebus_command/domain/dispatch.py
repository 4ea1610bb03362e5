"""What time and the connection ask for: deadlines, expiry, and the next command to send."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from chargebus_events.commands import CommandForm
from msgspec.structs import replace

from chargebus_command.domain.decision import (
    CONNECTION_LOST,
    PENDING,
    Decision,
    Surroundings,
    connection_lost,
    no_answer,
    offline_reason,
)
from chargebus_command.domain.forms import choose
from chargebus_command.domain.state import Command, Ended, Sent, StationConnection


def settle(decision: Decision, around: Surroundings) -> Decision:
    """End what is over, then send the next command if nothing is in flight and the station is online."""
    decision = _watch_flight(decision, around)
    if not decision.station.waiting:
        return decision
    offline = offline_reason(decision.station, around)
    decision = _drop_hopeless(decision, around, offline)
    if offline or decision.station.in_flight is not None:
        return decision
    return _send_next(decision, around)


def _watch_flight(decision: Decision, around: Surroundings) -> Decision:
    """End what is in flight past its deadline; a lost connection brings the deadline near.

    The edge's own report may still be on its way when presence already tells of the loss, so it gets a short grace.
    """
    command = decision.station.in_flight
    if command is None or command.sent is None:
        return decision
    sent, reason = command.sent, no_answer(command)
    if connection_lost(decision.station.connection, sent.epoch, around):
        nearer_at = around.now + timedelta(seconds=around.rules.lost_grace_s)
        sent, reason = replace(sent, deadline_at=min(sent.deadline_at, nearer_at)), CONNECTION_LOST
    command = replace(command, sent=sent)
    if sent.deadline_at <= around.now:
        return decision.landed().ending(Ended(command, "timed_out", around.now, reason))
    return replace(decision, station=replace(decision.station, in_flight=command))


def _drop_hopeless(decision: Decision, around: Surroundings, offline: str) -> Decision:
    """End what waits in vain: of a station that is no more, too old, or not to wait while the station is away."""
    kept = []
    for waiting in decision.station.waiting:
        command = _impatient(waiting, around)
        ended = _hopeless(command, decision, around, offline)
        if ended is None:
            kept.append(command)
        else:
            decision = decision.ending(ended)
    return decision.queueing(tuple(kept))


def _impatient(command: Command, around: Surroundings) -> Command:
    """Return a command without its grace for an absent station, once that is over."""
    over = command.absent_until is not None and command.absent_until <= around.now
    return replace(command, absent_until=None) if over else command


def _hopeless(command: Command, decision: Decision, around: Surroundings, offline: str) -> Ended | None:
    patient = command.absent_until is not None
    too_old = command.expires_at <= around.now
    if not decision.station.known and (too_old or not patient):
        return Ended(command, "undeliverable", around.now, "there is no such station")
    if too_old:
        return Ended(command, "expired", around.now, _too_old(command, offline))
    if offline and command.ttl_s <= 0 and not patient:
        return Ended(command, "undeliverable", around.now, offline)
    return None


def _too_old(command: Command, offline: str) -> str:
    """Say what a command waited for in vain."""
    if offline or command.held_until is not None:
        return f"{offline or PENDING}; it waited for {command.ttl_s or command.timeout_s:g} s"
    if command.ttl_s > 0:
        return f"the station was not free for it within {command.ttl_s:g} s"
    return f"its turn did not come within {command.timeout_s:g} s"


def _send_next(decision: Decision, around: Surroundings) -> Decision:
    connection = decision.station.connection
    while connection is not None and (command := _next(decision.station.waiting, around.now)) is not None:
        decision = decision.queueing(tuple(each for each in decision.station.waiting if each is not command))
        form = choose(command.forms, connection.version, around.misfit)
        if isinstance(form, CommandForm):
            sent = _sent(command, form, connection, around)
            return _send(decision, replace(command, held_until=None, sent=sent))
        decision = decision.ending(Ended(command, "undeliverable", around.now, form))
    return decision


def _next(waiting: Iterable[Command], now: datetime) -> Command | None:
    return next((each for each in waiting if each.held_until is None or each.held_until <= now), None)


def _send(decision: Decision, command: Command) -> Decision:
    return replace(decision, station=replace(decision.station, in_flight=command), sent=command)


def _sent(command: Command, form: CommandForm, connection: StationConnection, around: Surroundings) -> Sent:
    # Whole milliseconds: on its way the time is text, and the edge's report names it again.
    sent_at = around.kafka_now.replace(microsecond=around.kafka_now.microsecond // 1000 * 1000)
    deadline_at = around.now + timedelta(seconds=command.timeout_s + around.rules.answer_grace_s)
    return Sent(connection.slot, connection.epoch, connection.version, form, sent_at, deadline_at)

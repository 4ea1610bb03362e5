"""What the records of other services mean for a queue, and the records that a decision sends."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec
from chargebus_events import commands
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.record import Received, Record
from chargebus_events.registry import ONBOARDING_KEY
from chargebus_events.topics import ASKING_SERVICES, COMMANDS, DELIVERIES, EDGES, PRESENCE, REGISTRY
from chargebus_runtime.parking import is_replay

from chargebus_command.domain.decision import REFUSED, Decision
from chargebus_command.domain.events import Asked, Connected, Delivered, Disconnected, Event, Registered
from chargebus_command.domain.state import Command, Connection, Edge, Ended, Reply, Rules, expiry
from chargebus_command.ledger import forms_of

TOPICS = (COMMANDS, DELIVERIES, PRESENCE, EDGES, REGISTRY)


class RequestOrigin(msgspec.Struct, frozen=True):
    """What must be read of a request to tell who asked that it has ended."""

    command_id: str
    requester: str
    requested_at: datetime
    intent: str = ""
    subject: str = ""


_origin = msgspec.json.Decoder(RequestOrigin).decode
_request = msgspec.json.Decoder(commands.CommandRequested).decode
_delivery = msgspec.json.Decoder(commands.Delivery).decode
_presence = msgspec.json.Decoder(Presence).decode
_heartbeat = msgspec.json.Decoder(EdgeHeartbeat).decode


def read_event(record: Received, rules: Rules, now: datetime) -> Event | None:
    """Return what a record tells about its station, or None where it tells nothing.

    Raises:
        ValueError: the record is not what its topic promises.
    """
    return _READERS[record.topic](record, rules, now)


def read_edge(record: Received, now: datetime) -> Edge | None:
    """Return what a heartbeat tells of its slot; a clock that is ahead of ours does not keep an edge alive for longer.

    Raises:
        ValueError: the record is not a heartbeat.
    """
    if record.value is None:
        return None
    beat = _heartbeat(record.value)
    return Edge(beat.slot, beat.epoch_at(record.offset), min(beat.at, now), beat.stopped)


def outgoing(decision: Decision) -> Iterator[Record]:
    """Yield what a decision sends: the outcomes to the services that asked, then the next command."""
    for ended in decision.ended:
        if ended.command.requester in ASKING_SERVICES and not ended.told:
            yield _outcome(ended)
    if decision.sent is not None and decision.sent.sent is not None:
        yield _down(decision.sent)


def refusal(record: Received, now: datetime) -> Record | None:
    """Return the outcome of a request that could not be handled and is parked, if it can be read who asked.

    It has ended then: replayed, it is neither carried out nor told of again.
    """
    if record.topic != COMMANDS or is_replay(record):
        return None
    try:
        asked = _origin(record.value or b"")
    except msgspec.MsgspecError:
        return None
    if asked.requester not in ASKING_SERVICES:
        return None
    return commands.CommandOutcome(
        command_id=asked.command_id,
        station_id=record.key,
        requester=asked.requester,
        outcome="undeliverable",
        requested_at=asked.requested_at,
        ended_at=now,
        intent=asked.intent,
        subject=asked.subject,
        reason=REFUSED,
    ).record()


def _asked(record: Received, rules: Rules, now: datetime) -> Event | None:
    if record.value is None:
        return None
    request = _request(record.value)
    timeout_s, ttl_s = rules.timeout_s(request.timeout_s), rules.ttl_s(request.ttl_s)
    requested_at = min(request.requested_at, now)
    command = Command(
        command_id=request.command_id,
        station_id=record.key,
        forms=forms_of(request.forms),
        requester=request.requester,
        requested_at=requested_at,
        expires_at=expiry(requested_at, timeout_s, ttl_s),
        timeout_s=timeout_s,
        ttl_s=ttl_s,
        intent=request.intent,
        subject=request.subject,
    )
    return Asked(command, refused=is_replay(record))


def _delivered(record: Received, _rules: Rules, _now: datetime) -> Event | None:
    if record.value is None:
        return None
    report = _delivery(record.value)
    reply = Reply(_raw(report.payload), report.error_code, report.error_description, _raw(report.error_details))
    return Delivered(report.command_id, report.epoch, report.result, reply, report.sent_at)


def _presence_event(record: Received, _rules: Rules, _now: datetime) -> Event | None:
    if record.value is None:
        return None
    presence = _presence(record.value)
    epoch = presence.epoch_at(record.offset)
    if not presence.connected:
        return Disconnected(epoch)
    return Connected(Connection(epoch, presence.slot, presence.edge_epoch, presence.version))


def _registered(record: Received, _rules: Rules, _now: datetime) -> Event | None:
    return None if record.key == ONBOARDING_KEY else Registered(record.value is not None)


_READERS: Mapping[str, Callable[[Received, Rules, datetime], Event | None]] = {
    COMMANDS: _asked,
    DELIVERIES: _delivered,
    PRESENCE: _presence_event,
    REGISTRY: _registered,
}


def _down(command: Command) -> Record:
    sent = command.sent
    if sent is None:
        raise ValueError(f"command {command.command_id} is not sent")
    return commands.Command(
        command_id=command.command_id,
        station_id=command.station_id,
        action=sent.form.action,
        payload=sent.form.payload,
        slot=sent.slot,
        epoch=sent.epoch,
        timeout_s=command.timeout_s,
        sent_at=sent.sent_at,
        expires_at=command.expires_at,
    ).record()


def _outcome(ended: Ended) -> Record:
    command, reply = ended.command, ended.reply
    return commands.CommandOutcome(
        command_id=command.command_id,
        station_id=command.station_id,
        requester=command.requester,
        outcome=ended.outcome,
        requested_at=command.requested_at,
        ended_at=ended.ended_at,
        intent=command.intent,
        subject=command.subject,
        action="" if command.sent is None else command.sent.form.action,
        version="" if command.sent is None else command.sent.version,
        payload=None if reply.payload is None else msgspec.Raw(reply.payload),
        error_code=reply.error_code,
        error_description=reply.error_description,
        error_details=None if reply.error_details is None else msgspec.Raw(reply.error_details),
        reason=ended.reason,
    ).record()


def _raw(json: msgspec.Raw | None) -> bytes | None:
    return None if json is None else bytes(json)

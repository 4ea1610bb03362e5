"""What the records of other services mean for a queue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from chargebus_events import commands
from chargebus_events.presence import Presence
from chargebus_events.record import Received, Record
from chargebus_events.registry import POLICY_KEYS
from chargebus_events.topics import ASKING_SERVICES, COMMANDS, DELIVERIES, PRESENCE, REGISTRY
from chargebus_runtime.parking import is_replay

from chargebus_command.domain.decision import REFUSED
from chargebus_command.domain.events import Asked, Connected, Delivered, Disconnected, Event, Registered
from chargebus_command.domain.state import Command, Reply, Rules, StationConnection, expiry
from chargebus_command.payload import AS_IT_IS, Keeping

_request = msgspec.json.Decoder(commands.CommandRequested).decode
_delivery = msgspec.json.Decoder(commands.Delivery).decode
_presence = msgspec.json.Decoder(Presence).decode


class RequestOrigin(msgspec.Struct, frozen=True):
    """What must be read of a request to tell who asked that it has ended."""

    command_id: str
    requester: str
    requested_at: datetime
    intent: str = ""
    subject: str = ""


_origin = msgspec.json.Decoder(RequestOrigin).decode


@dataclass(frozen=True)
class Reading:
    """What records are read with; our clock is `skew_s` ahead of Kafka's."""

    rules: Rules
    now: datetime
    skew_s: float = 0.0
    keeping: Keeping = AS_IT_IS


def read_event(record: Received, reading: Reading) -> Event | None:
    """Return what a record tells about its station, or None where it tells nothing.

    Raises:
        ValueError: the record is not what its topic promises.
    """
    if record.value is None and record.topic != REGISTRY:
        return None
    return _READERS[record.topic](record, reading)


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


def _asked(record: Received, reading: Reading) -> Event:
    request, rules = _request(record.value or b""), reading.rules
    timeout_s, ttl_s = rules.timeout_s(request.timeout_s), rules.ttl_s(request.ttl_s)
    requested_at = min(request.requested_at + timedelta(seconds=reading.skew_s), reading.now)
    command = Command(
        command_id=request.command_id,
        station_id=record.key,
        forms=reading.keeping.opened(request.forms, request.command_id, record.key, reading.now),
        requester=request.requester,
        requested_at=requested_at,
        expires_at=expiry(requested_at, timeout_s, ttl_s),
        timeout_s=timeout_s,
        ttl_s=ttl_s,
        intent=request.intent,
        subject=request.subject,
        absent_until=reading.now + timedelta(seconds=rules.absent_grace_s),
    )
    return Asked(command, refused=is_replay(record))


def _delivered(record: Received, _reading: Reading) -> Event:
    report = _delivery(record.value or b"")
    reply = Reply(_raw(report.payload), report.error_code, report.error_description, _raw(report.error_details))
    return Delivered(report.command_id, report.epoch, report.result, reply, report.sent_at)


def _presence_event(record: Received, _reading: Reading) -> Event:
    presence = _presence(record.value or b"")
    epoch = presence.epoch_at(record.offset)
    if not presence.connected:
        return Disconnected(epoch)
    return Connected(StationConnection(epoch, presence.slot, presence.edge_epoch, presence.version))


def _registered(record: Received, _reading: Reading) -> Event | None:
    return None if record.key in POLICY_KEYS else Registered(record.value is not None)


_READERS: Mapping[str, Callable[[Received, Reading], Event | None]] = {
    COMMANDS: _asked,
    DELIVERIES: _delivered,
    PRESENCE: _presence_event,
    REGISTRY: _registered,
}


def _raw(json: msgspec.Raw | None) -> bytes | None:
    return None if json is None else bytes(json)

"""The CSMS's calls to a station: one in flight, a few waiting, each reported once."""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import cast

import msgspec
from chargebus_events.commands import DeliveryResult
from chargebus_events.frames import RpcError
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.frames import MESSAGE_ID_LIMIT, Call, CallError, CallResult, CallResultError, MessageId, encode
from chargebus_ocppj.mending import without_nul
from chargebus_ocppj.schemas import validate_result
from chargebus_ocppj.versions import Version

from chargebus_edge.log.commands import Report, StationCommand
from chargebus_edge.rpc.effects import Effect, Note, SendText
from chargebus_edge.rpc.limits import ProtocolLimits

_REMEMBERED = 64

# Versions in which a CALLRESULT can be refused. Spec: OCPP 2.1 Part 4, 4.2.3 (CALLRESULTERROR)
_REFUSES_RESULTS: frozenset[Version] = frozenset({"2.1"})


class _Waiting(msgspec.Struct, frozen=True):
    command: StationCommand
    until: float


class _InFlight(msgspec.Struct, frozen=True):
    command: StationCommand
    message_id: str
    deadline: float


class _Seen(msgspec.Struct):
    sent_at: datetime
    kept: bool  # waiting or written: a further record with this id cannot be meant


class CsmsCalls:
    """What the CSMS asks of one station. A command is never written twice, nor after it was meant to be."""

    __slots__ = ("_in_flight", "_limits", "_seen", "_version", "_waiting")

    def __init__(self, version: Version, limits: ProtocolLimits) -> None:
        self._version = version
        self._limits = limits
        self._in_flight: _InFlight | None = None
        self._waiting: deque[_Waiting] | None = None
        self._seen: dict[str, _Seen] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight or waiting."""
        return self._in_flight is None and not self._waiting

    def expects(self, message_id: MessageId) -> bool:
        """Tell whether the call in flight has this message id."""
        return self._in_flight is not None and self._in_flight.message_id == message_id

    def offer(self, command: StationCommand, now: float) -> list[Effect]:
        """Take a command to wait; one that was taken before is dropped, a late one or one too many is undeliverable."""
        if not self._remember(command):
            return [Note("repeated_command", command.command_id)]
        if command.write_until <= now:
            return [self._undelivered(command, "it came too late")]
        waiting = self._waiting = self._waiting or deque()
        if len(waiting) >= self._limits.max_waiting_commands:
            return [self._undelivered(command, "too many commands wait for the station")]
        waiting.append(_Waiting(command, min(now + self._limits.command_wait_s, command.write_until)))
        return []

    def refuse(self, command: StationCommand, reason: str) -> list[Effect]:
        """Report a command as undeliverable at once, unless it was taken before."""
        if not self._remember(command):
            return [Note("repeated_command", command.command_id)]
        return [self._undelivered(command, reason)]

    def withdraw(self, spared: Callable[[str], bool], reason: str) -> list[Effect]:
        """Report those that wait and must not be called now as pending: they may be sent again."""
        withdrawn = [each for each in self._waiting or () if spared(each.command.action)]
        for each in withdrawn:
            cast(deque[_Waiting], self._waiting).remove(each)
        return [self._undelivered(each.command, reason, "pending") for each in withdrawn]

    def next_call(self, now: float) -> tuple[StationCommand, SendText] | None:
        """Take the next command into flight if none is; return it with the frame to write.

        One that has waited too long is passed over: `expire` reports it.
        """
        if self._in_flight is not None or not self._waiting:
            return None
        waiting = next((each for each in self._waiting if now < each.until), None)
        if waiting is None:
            return None
        self._waiting.remove(waiting)
        command = waiting.command
        message_id = _message_id(command.command_id)
        self._in_flight = _InFlight(command, message_id, self._deadline(command, now))
        return command, SendText(encode(Call(message_id, command.action, command.payload)), is_command=True)

    def result(self, result: CallResult) -> list[Effect]:
        """Take a CALLRESULT; one that breaks its schema ends the command too, with the error beside it.

        Control characters are taken out: nobody can keep a NUL, and an answer is not lost for one.
        """
        command = self._land(result.message_id)
        if command is None:
            return [Note("unknown_answer", f"CALLRESULT {result.message_id}")]
        breach = _breach(self._version, command.action, result.payload)
        if breach is None:
            return [Report(command, "answered", result.payload)]
        payload = without_nul(result.payload)
        if payload != result.payload and _breach(self._version, command.action, payload) is None:
            return [Report(command, "answered", payload), Note("deviating", f"{command.action}: {breach}")]
        return self._bad_result(command, CallResult(result.message_id, payload), breach)

    def error(self, error: CallError) -> list[Effect]:
        """Take a CALLERROR."""
        command = self._land(error.message_id)
        if command is None:
            # Without its words: they may repeat a secret, and what was asked is not known any more.
            return [Note("unknown_answer", f"CALLERROR {error.message_id}: {error.code}")]
        details = msgspec.Raw(error.details)
        return [Report(command, "refused", None, RpcError(error.code, error.description, details))]

    def unwritten(self) -> list[Effect]:
        """Take that the call in flight was never written: its command may be sent again."""
        flight, self._in_flight = self._in_flight, None
        return [] if flight is None else [self._undelivered(flight.command, "the connection is closing")]

    def unreadable(self, message_id: MessageId, result: DeliveryResult, error: RpcError) -> list[Effect]:
        """Take an answer of which nothing could be read but its message id, and whether it refuses the call."""
        command = self._land(message_id)
        return [] if command is None else [Report(command, result, None, error)]

    def expire(self, now: float) -> list[Effect]:
        """Report what has been in flight, or waiting, for too long."""
        effects: list[Effect] = []
        if self._in_flight is not None and self._in_flight.deadline <= now:
            effects.append(Report(self._in_flight.command, "timed_out"))
            self._in_flight = None
        if self._waiting:
            for waiting in [each for each in self._waiting if each.until <= now]:
                self._waiting.remove(waiting)
                effects.append(self._undelivered(waiting.command, "the station was busy"))
        return effects

    def end(self) -> list[Effect]:
        """Report all that is left: the connection is over."""
        effects: list[Effect] = []
        if self._in_flight is not None:
            effects.append(Report(self._in_flight.command, "connection_lost"))
            self._in_flight = None
        while self._waiting:
            effects.append(self._undelivered(self._waiting.popleft().command, "the connection ended"))
        return effects

    def next_deadline(self) -> float | None:
        """Return when `expire` may have something to do, or None."""
        deadlines = [] if self._in_flight is None else [self._in_flight.deadline]
        deadlines += [waiting.until for waiting in self._waiting or ()]
        return min(deadlines, default=None)

    def _deadline(self, command: StationCommand, now: float) -> float:
        # A report of a later answer would come when the command has ended.
        return min(now + command.timeout_s, command.answer_due + self._limits.answer_grace_s)

    def _land(self, message_id: MessageId) -> StationCommand | None:
        if self._in_flight is None or self._in_flight.message_id != message_id:
            return None
        command = self._in_flight.command
        self._in_flight = None
        return command

    def _bad_result(self, command: StationCommand, result: CallResult, error: OcppError) -> list[Effect]:
        reason = RpcError(error.code, error.description)
        effects: list[Effect] = [
            Report(command, "answered", _if_json(result.payload), reason),
            Note("result_refused", self._words(command, result, error)),
        ]
        if self._version in _REFUSES_RESULTS:
            refusal = CallResultError(result.message_id, error.code, error.description, error.details)
            effects.append(SendText(encode(refusal)))
        return effects

    @staticmethod
    def _words(command: StationCommand, result: CallResult, error: OcppError) -> str:
        """Return what is wrong with an answer, as the log may have it."""
        about = f"{command.action}: {error}"
        return command.secrets.purged_text(command.action, command.payload, about, result.payload)

    def _remember(self, command: StationCommand) -> bool:
        seen = self._seen = {} if self._seen is None else self._seen
        known = seen.pop(command.command_id, None)
        fresh = known is None or not (known.kept or known.sent_at == command.sent_at)
        seen[command.command_id] = _Seen(command.sent_at, kept=True) if known is None or fresh else known
        if len(seen) > _REMEMBERED:
            del seen[next(iter(seen))]
        return fresh

    def _undelivered(self, command: StationCommand, reason: str, result: DeliveryResult = "undeliverable") -> Report:
        if self._seen is not None and command.command_id in self._seen:
            self._seen[command.command_id].kept = False
        return Report(command, result, None, RpcError("", reason))


def _breach(version: Version, action: str, payload: bytes) -> OcppError | None:
    try:
        validate_result(version, action, payload)
    except OcppError as error:
        return error
    return None


def _message_id(command_id: str) -> str:
    # A command's own id, so that a frame on the wire can be found by it; a stand-in for one that does not fit.
    fits = 0 < len(command_id) <= MESSAGE_ID_LIMIT and command_id.isprintable()
    return command_id if fits else blake2b(command_id.encode(), digest_size=16).hexdigest()


def _if_json(payload: bytes) -> bytes | None:
    # A report carries the payload inside of its own JSON, which must stay readable.
    try:
        msgspec.json.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return payload

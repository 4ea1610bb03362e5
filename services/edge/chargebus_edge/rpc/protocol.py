"""OCPP-J on one connection: what came in goes through here, and what is to be done comes out. No I/O, no clock.

Times are seconds of any one monotonic clock.
"""

from collections import deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import inf
from typing import Any, ClassVar, Final, cast

import msgspec
from chargebus_events.commands import DeliveryResult
from chargebus_events.frames import RpcError
from chargebus_events.registry import Registration
from chargebus_ocppj.actions import ABOUT_TRANSACTIONS, require_call, require_send
from chargebus_ocppj.deviations import Deviation
from chargebus_ocppj.errors import (
    GenericRpcError,
    NotSupportedRpcError,
    OcppError,
    SecurityRpcError,
)
from chargebus_ocppj.frames import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    Frame,
    FrameError,
    MessageId,
    Send,
    encode,
    parse,
)
from chargebus_ocppj.recovery import recover
from chargebus_ocppj.salvage import Head, read_head
from chargebus_ocppj.versions import Version

from chargebus_edge.door.tolerance import LENIENT
from chargebus_edge.log.commands import StationCommand
from chargebus_edge.log.frames import Answer, Publish
from chargebus_edge.log.routes import BOOT, Route, route
from chargebus_edge.rpc.breaches import BreachError, accepts, check, in_words
from chargebus_edge.rpc.csms_calls import CsmsCalls
from chargebus_edge.rpc.effects import Deviating, Effect, Note, SendText
from chargebus_edge.rpc.limits import ProtocolLimits
from chargebus_edge.rpc.registration import Permits
from chargebus_edge.rpc.station_calls import StationCalls

_CALL: Final = 2
_CALL_ERROR: Final = 4
_MOST_KEPT: Final = 1024
"""Refused frames of one connection that are kept: more than the longest queue, less than what a mad station sends."""
PENDING: Final = "the station is pending: it must not be asked to start or stop"


class OcppProtocol:
    """One connection's calls in both directions.

    Every input returns what is to be done, in order. After `end` nothing is done any more.
    """

    __slots__ = (
        "_boot",
        "_calls",
        "_csms",
        "_ended",
        "_kept",
        "_limits",
        "_number",
        "_permits",
        "_settled_at",
        "_waiting",
        "tolerance",
        "version",
        "waiting_bytes",
    )

    def __init__(self, version: Version, registration: Registration, limits: ProtocolLimits, now: float) -> None:
        self.version = version
        self.tolerance = LENIENT
        self._limits = limits
        self._calls = StationCalls(limits)
        self._csms = CsmsCalls(version, limits)
        self._permits = Permits(registration)
        self._number = 0
        self._boot = 0  # the frame number of a BootNotification without an answer
        self._waiting: deque[Call | Send] | None = None  # what came while too many calls were open
        self._kept: set[bytes] | None = None  # digests of what was refused and kept
        self.waiting_bytes = 0
        self._settled_at: float | None = now + limits.settle_s
        self._ended = False

    @property
    def registration(self) -> Registration:
        """How the station is registered, as far as this connection was told."""
        return self._permits.registration

    @property
    def busy(self) -> bool:
        """Whether a call is open in either direction, or waits."""
        return bool(self._calls) or bool(self._waiting) or not self._csms.idle

    @property
    def waiting(self) -> int:
        """How many frames of the station wait until answers make room: it should be read no further."""
        return len(self._waiting) if self._waiting else 0

    def register(self, registration: Registration) -> None:
        """Take a new registration status: it counts for the next call."""
        self._permits.registration = registration

    def received(self, data: bytes, now: float) -> list[Effect]:
        """Take a text message from the station."""
        if self._ended:
            return []
        self._settled_at = None
        try:
            frame = parse(data, self.version)
        except FrameError as error:
            return self._recovered(data, error, now)
        return self._parsed(frame, now)

    def oversized(self, head: bytes, size: int, now: float) -> list[Effect]:
        """Take the beginning of a message from the station that was too large to be read.

        Args:
            head: what was kept of it.
            size: how many bytes it had.
            now: the time.
        """
        if self._ended:
            return []
        self._settled_at = None
        read = read_head(head)
        error = GenericRpcError(self.version, f"the message has {size} bytes, which is more than is taken")
        note = Note("oversized", f"{error.description}: {head[:64]!r}", "" if read is None else read.action)
        if read is None:
            return [note]
        if self._csms.expects(read.message_id):
            return [*self._lost_answer(read, error), note, *self._advance(now)]
        return [note, *self._refused_unread(read, error, head, now)] if read.message_type == _CALL else [note]

    def answer(self, number: int, answer: Answer, now: float, registration: Registration | None = None) -> list[Effect]:
        """Take the answer to the call with a frame number; the first one counts, and only if the call is open.

        Args:
            number: the frame number of the `Publish` that it answers.
            answer: what to say.
            now: the time.
            registration: the status that a BootNotification's answer gives; it counts from here on.
        """
        if self._ended:
            return []
        message_id = self._calls.message_id(number)
        if message_id is None:
            return [Note("repeated_answer", f"frame {number}")]
        if registration is not None:
            self._permits.tell(registration)
        effects = self._answer(number, _answer_frame(message_id, answer), now)
        if self._waiting:
            effects += self._catch_up(now)
        if number == self._boot:
            self._boot = 0
            effects += self._advance(now)
        return effects

    def kept(self, frame: Publish, now: float) -> list[Effect]:
        """Take that Kafka has a frame that could not be understood: now it may be refused."""
        self._kept = self._kept or set()
        self._kept.add(_digest(frame.payload))
        return self.answer(frame.number, cast(RpcError, frame.refusal), now)

    def abandon(self, number: int) -> None:
        """Give up a call whose frame Kafka did not take: an answer would be a lie. Its room is filled by `tick`."""
        self._calls.forget(number)
        if number == self._boot:
            self._boot = 0

    def command(self, command: StationCommand, now: float) -> list[Effect]:
        """Take a command for the station: it is written, waits, or is reported as undeliverable.

        Spec: OCPP 1.6 4.2, OCPP 2.0.1 B03: nothing is sent to a rejected station
        """
        if self._ended:
            return self.refuse(command, "the connection ended")
        if self._permits.registration == "rejected":
            return self.refuse(command, "the station is rejected")
        return self._csms.offer(command, now) + self._advance(now)

    def unwritten(self) -> list[Effect]:
        """Take that the command that was to be written was not, since the socket is closing: it is undeliverable."""
        return self._csms.unwritten()

    def refuse(self, command: StationCommand, reason: str) -> list[Effect]:
        """Report a command as undeliverable, unless it was taken before."""
        return self._csms.refuse(command, reason)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due at `now`."""
        if self._ended:
            return []
        effects: list[Effect] = [SendText(text) for text in self._calls.release(now)]
        forgotten = self._calls.expire(now)
        if forgotten:
            effects.append(Note("forgotten", f"{forgotten} calls"))
        if self._boot and self._boot not in self._calls:
            self._boot = 0
        return effects + self._catch_up(now) + self._csms.expire(now) + self._advance(now)

    def next_deadline(self) -> float | None:
        """Return when `tick` may have something to do, or None while nothing is open."""
        if self._waiting and not self._calls.full:
            return -inf
        deadlines = [self._calls.next_deadline(), self._csms.next_deadline()]
        if not self._csms.idle:
            deadlines.append(self._settled_at)  # a command may be waiting for that
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def end(self) -> list[Effect]:
        """Take the end of the connection: nothing is written any more, each command left is reported."""
        self._ended = True
        self._waiting = None
        self.waiting_bytes = 0
        return self._csms.end()

    def _request(self, frame: Call | Send, now: float) -> list[Effect]:
        """Take a CALL or SEND in its turn: not before one that waits, nor a CALL while too many are unanswered."""
        if self._waiting or (self._calls.full and isinstance(frame, Call)):
            return self._wait(frame)
        return self._take(frame, now)

    def _wait(self, frame: Call | Send) -> list[Effect]:
        waiting = self._waiting = self._waiting or deque()
        if len(waiting) < self._limits.max_waiting_calls:
            waiting.append(frame)
            self.waiting_bytes += len(frame.payload)
            return []
        overflow = GenericRpcError(self.version, "too many calls are unanswered")
        note = Note("overflow", overflow.description, frame.action)
        return [note] if isinstance(frame, Send) else [SendText(encode(_refusal(frame.message_id, overflow))), note]

    def _catch_up(self, now: float) -> list[Effect]:
        """Take what waits, as far as there is room."""
        effects: list[Effect] = []
        while self._waiting and not self._calls.full:
            frame = self._waiting.popleft()
            self.waiting_bytes -= len(frame.payload)
            effects += self._take(frame, now)
        return effects

    def _take(self, frame: Call | Send, now: float) -> list[Effect]:
        return self._call(frame, now) if isinstance(frame, Call) else self._send(frame)

    def _call(self, call: Call, now: float) -> list[Effect]:
        self._number += 1
        number = self._number
        self._calls.open(number, call.message_id, now)
        try:
            way = self._admit(call)
            deviations = check(self.version, self.tolerance, call)
            self._require_support(way)
        except BreachError as breach:
            told: list[Effect] = [
                Deviating(call.action, breach.deviations, refused=True),
                Note("refused", str(breach), call.action),
            ]
            return [*told, *self._refuse(number, call, breach, now)]
        except OcppError as error:
            effects = self._answer(number, _refusal(call.message_id, error), now)
            return [*effects, Note("refused", str(error), call.action, _fault(error))]
        if way.action == BOOT:
            self._boot = number
        publish = Publish(number, way, call.message_id, call.payload, deviations)
        return [publish, *_told(call.action, deviations)] if deviations else [publish]

    def _admit(self, call: Call) -> Route:
        require_call(self.version, call.action)
        if not self._permits.allows(call.action):
            raise SecurityRpcError(
                self.version, f"the station is {self.registration}: {call.action} is not allowed yet"
            )
        return cast(Route, route(self.version, call.action))

    def _require_support(self, way: Route) -> None:
        if not way.supported:
            raise NotSupportedRpcError(self.version, f"{way.action} is not supported here yet")

    def _refuse(self, number: int, call: Call, breach: BreachError, now: float) -> list[Effect]:
        """Refuse a call that breaks its schema, once it is kept if it is about a transaction."""
        if call.action not in ABOUT_TRANSACTIONS or self._is_kept(call.payload):
            return self._answer(number, _refusal(call.message_id, breach.error), now)
        way = cast(Route, route(self.version, call.action))
        refusal = _rpc_error(breach.error)
        return [Publish(number, way, call.message_id, call.payload, breach.deviations, refusal)]

    def _is_kept(self, payload: bytes) -> bool:
        """Tell whether a text need not be kept: it is already, or so much is that no more tells anything new."""
        kept = self._kept
        return kept is not None and (len(kept) >= _MOST_KEPT or _digest(payload) in kept)

    def _send(self, send: Send) -> list[Effect]:
        try:
            require_send(self.version, send.action)
            if not self._permits.allows(send.action):
                raise SecurityRpcError(self.version, f"the station is {self.registration}")
            deviations = check(self.version, self.tolerance, send)
        except BreachError as breach:  # a SEND has no answer, so nobody can be told
            told = Deviating(send.action, breach.deviations, refused=True)
            return [told, Note("send_dropped", str(breach), send.action)]
        except OcppError as error:
            return [Note("send_dropped", str(error), send.action, _fault(error))]
        self._number += 1
        way = cast(Route, route(self.version, send.action))
        publish = Publish(self._number, way, send.message_id, send.payload, deviations)
        return [publish, *_told(send.action, deviations)] if deviations else [publish]

    def _result(self, result: CallResult, _now: float) -> list[Effect]:
        return self._csms.result(result)

    def _error(self, error: CallError, _now: float) -> list[Effect]:
        return self._csms.error(error)

    def _result_error(self, error: CallResultError, _now: float) -> list[Effect]:
        # The station could not read our answer. It is durable here all the same, and nothing can be said again.
        about = f"CALLRESULTERROR {error.message_id}: {error.code} {error.description}"
        return [Note("unknown_answer", about)]

    _TAKE: ClassVar[Mapping[type[Frame], Callable[["OcppProtocol", Any, float], list[Effect]]]] = {
        Call: _request,
        Send: _request,
        CallResult: _result,
        CallError: _error,
        CallResultError: _result_error,
    }

    def _parsed(self, frame: Frame, now: float) -> list[Effect]:
        effects = self._TAKE[type(frame)](self, frame, now)
        return effects if self._csms.idle else effects + self._advance(now)

    def _recovered(self, data: bytes, error: FrameError, now: float) -> list[Effect]:
        """Take a message that is no frame by the letter: as the frame that it is meant to be, if that can be told."""
        recovered = None if self.tolerance.strict else recover(data, self.version)
        if recovered is None:
            return self._unreadable(data, error, now)
        action = getattr(recovered.frame, "action", "")
        if not all(accepts(self.tolerance, action, each.kind) for each in recovered.deviations):
            return self._unreadable(data, error, now)
        effects = self._parsed(recovered.frame, now)
        return effects if action else [Note("deviating", in_words(recovered.deviations)), *effects]

    def _unreadable(self, data: bytes, error: FrameError, now: float) -> list[Effect]:
        note = Note("unreadable", f"{error}", code=error.code)
        if error.message_id is not None and self._csms.expects(error.message_id):
            result: DeliveryResult = "refused" if error.refuses_call else "answered"
            effects = self._csms.unreadable(error.message_id, result, RpcError(error.code, error.description))
            return [*effects, *_texts(error.answer), note, *self._advance(now)]
        head = read_head(data)
        answered = error.message_id is not None and isinstance(error.answer, CallError)
        if (answered or self._asks_by_number(head)) and not self._calls.full:
            return [*self._refused_unread(head, error, data, now), note]
        return [*_texts(error.answer), note]

    def _asks_by_number(self, head: Head | None) -> bool:
        """Tell whether a message is a call by a number as its id, of a station that is forgiven that."""
        if head is None or head.message_type != _CALL or isinstance(head.message_id, str):
            return False
        return not self.tolerance.strict and accepts(self.tolerance, head.action, "frame")

    def _lost_answer(self, head: Head, error: OcppError) -> list[Effect]:
        result: DeliveryResult = "refused" if head.message_type == _CALL_ERROR else "answered"
        return self._csms.unreadable(head.message_id, result, _rpc_error(error))

    def _refused_unread(
        self, head: Head | None, error: OcppError | FrameError, text: bytes, now: float
    ) -> list[Effect]:
        """Refuse a call of which only its beginning was read, once its text is kept if it is about a transaction."""
        by_frame = error.message_id if isinstance(error, FrameError) else None
        message_id: MessageId = cast(Head, head).message_id if by_frame is None else by_frame
        refusal = RpcError(error.code, error.description)
        self._number += 1
        self._calls.open(self._number, message_id, now)
        way = None if head is None or head.action not in ABOUT_TRANSACTIONS else route(self.version, head.action)
        if way is None or not self._permits.allows(way.action) or self._is_kept(text):
            return self._answer(self._number, _answer_frame(message_id, refusal), now)
        return [Publish(self._number, way, message_id, text, (), refusal)]

    def _answer(self, number: int, frame: Frame, now: float) -> list[Effect]:
        return [SendText(text) for text in self._calls.answer(number, encode(frame), now)]

    def _advance(self, now: float) -> list[Effect]:
        """Write the next command if there is one and the station may be called."""
        if self._boot or not self._is_settled(now):
            return []
        spared = self._csms.withdraw(self._permits.spares, PENDING)
        call = self._csms.next_call(now)
        if call is None:
            return spared
        command, text = call
        self._permits.instruct(command.action, command.payload)
        return [*spared, text]

    def _is_settled(self, now: float) -> bool:
        if self._settled_at is not None and now >= self._settled_at:
            self._settled_at = None
        return self._settled_at is None


def _answer_frame(message_id: MessageId, answer: Answer) -> Frame:
    if isinstance(answer, RpcError):
        return CallError(message_id, answer.code, answer.description, bytes(answer.details))
    return CallResult(message_id, answer)


def _fault(error: OcppError) -> str:
    """Return the code of an error that is the station's fault, and not that something is not supported here."""
    return "" if isinstance(error, NotSupportedRpcError) else error.code


def _refusal(message_id: MessageId, error: OcppError) -> CallError:
    return CallError(message_id, error.code, error.description, error.details)


def _rpc_error(error: OcppError) -> RpcError:
    return RpcError(error.code, error.description, msgspec.Raw(error.details))


def _told(action: str, deviations: tuple[Deviation, ...]) -> list[Effect]:
    return [Deviating(action, deviations), Note("deviating", in_words(deviations), action)]


def _digest(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=16).digest()


def _texts(frame: Frame | None) -> list[Effect]:
    return [] if frame is None else [SendText(encode(frame))]

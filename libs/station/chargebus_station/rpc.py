"""The RPC state of one connection, without I/O: one CALL in flight, answers matched, the CSMS's calls read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chargebus_ocppj.actions import require_call
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.frames import Call, CallError, CallResult, CallResultError, Frame, FrameError, Send, parse
from chargebus_ocppj.schemas import decode, encode_call, validate_call, validate_result
from chargebus_ocppj.versions import Version


@dataclass(frozen=True)
class Answer:
    """The CALL was answered."""

    payload: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """The CALL was answered with a CALLERROR, or with something that is no answer to it."""

    code: str
    description: str


class Why(StrEnum):
    """Why there is no answer."""

    TIMEOUT = "no answer in time"
    CONNECTION_LOST = "the connection was lost"
    OFFLINE = "the station is offline"


@dataclass(frozen=True)
class NoAnswer:
    """The CALL was not answered, as far as the station knows; `lost` is an answer that a fault made it miss."""

    why: Why
    lost: Answer | Refusal | None = None


CallOutcome = Answer | Refusal | NoAnswer


@dataclass(frozen=True)
class Concluded:
    """The CALL in flight came to its end; `reply` refuses the answer itself (2.1)."""

    outcome: Answer | Refusal
    reply: Frame | None = None


@dataclass(frozen=True)
class Requested:
    """The CSMS wants something, and its payload is valid."""

    call: Call
    payload: dict[str, Any]


@dataclass(frozen=True)
class Malformed:
    """The CSMS sent something wrong; `reply` is what the version answers to it."""

    code: str
    description: str
    call: Call | None = None
    reply: Frame | None = None


@dataclass(frozen=True)
class ResultRejected:
    """The CSMS could not use our answer to its call (2.1)."""

    message_id: str
    code: str


@dataclass(frozen=True)
class StrayAnswer:
    """An answer that nobody waits for (any more), or a message that wants none."""

    message_id: str


Received = Concluded | Requested | Malformed | ResultRejected | StrayAnswer


class Rpc:
    """The state of one connection.

    Spec: OCPP-J 1.6 4.1.1 (one CALL at a time in each direction), 4.2; OCPP 2.0.1 and 2.1 Part 4, 4.1, 4.2
    """

    def __init__(self, version: Version) -> None:
        self._version = version
        self._in_flight: Call | None = None

    def call(self, message_id: str, action: str, payload: Mapping[str, Any]) -> Call:
        """Begin a CALL.

        Raises:
            RuntimeError: another one is in flight.
        """
        if self._in_flight is not None:
            message = f"{self._in_flight.action} is in flight"
            raise RuntimeError(message)
        self._in_flight = Call(message_id, action, encode_call(self._version, action, payload))
        return self._in_flight

    def give_up(self) -> None:
        """Wait for the answer no longer; should it come, it is a stray."""
        self._in_flight = None

    def receive(self, message: str | bytes) -> Received:
        """Read one WebSocket message."""
        try:
            frame = parse(message, self._version)
        except FrameError as error:
            return Malformed(error.code, error.description, reply=error.answer)
        match frame:
            case Call():
                return self._requested(frame)
            case CallResult() | CallError():
                return self._concluded(frame)
            case CallResultError(message_id, code):
                return ResultRejected(str(message_id), code)
            case Send(message_id):
                return StrayAnswer(str(message_id))

    def _requested(self, call: Call) -> Received:
        try:
            require_call(self._version, call.action, "csms")
            validate_call(self._version, call.action, call.payload)
        except OcppError as error:
            reply = CallError(call.message_id, error.code, error.description, error.details)
            return Malformed(error.code, error.description, call, reply)
        return Requested(call, decode(call.payload))

    def _concluded(self, frame: CallResult | CallError) -> Received:
        call = self._in_flight
        if call is None or call.message_id != frame.message_id:
            return StrayAnswer(str(frame.message_id))
        self._in_flight = None
        if isinstance(frame, CallError):
            return Concluded(Refusal(frame.code, frame.description))
        try:
            validate_result(self._version, call.action, frame.payload)
        except OcppError as error:
            return Concluded(Refusal(error.code, error.description), _RESULT_REPLIES[self._version](frame, error))
        return Concluded(Answer(decode(frame.payload)))


def _none(_frame: CallResult, _error: OcppError) -> Frame | None:
    return None


def _result_error(frame: CallResult, error: OcppError) -> Frame | None:
    return CallResultError(frame.message_id, error.code, error.description, error.details)


_RESULT_REPLIES: Mapping[Version, Callable[[CallResult, OcppError], Frame | None]] = {
    "1.6": _none,
    "2.0.1": _none,
    "2.1": _result_error,
}

"""The frames of OCPP-J: read once and strictly, written compactly, their payload untouched in between."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from chargebus_ocppj.deviations import Deviation
from chargebus_ocppj.errors import CODE_LIMIT, error_code, shorten
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.salvage import MESSAGE_ID_LIMIT, Wreck, inspect, is_message_id
from chargebus_ocppj.versions import Version

__all__ = [
    "MESSAGE_ID_LIMIT",
    "UNREADABLE_MESSAGE_ID",
    "Call",
    "CallError",
    "CallResult",
    "CallResultError",
    "Frame",
    "FrameError",
    "MessageId",
    "Send",
    "encode",
    "parse",
]

UNREADABLE_MESSAGE_ID: Final = "-1"
"""The message id of a CALLERROR to something whose id could not be read. Spec: OCPP 2.0.1 and 2.1 Part 4, 4.2.3"""

_CALL_ERROR: Final = 4


MessageId: TypeAlias = str | int | float
"""A text; a number only of a CALL that was recovered, and of the answer to it."""


class Call(msgspec.Struct, frozen=True):
    """A request that wants an answer; `payload` is the JSON object as it was sent.

    `deviations` say in what it was no frame by the letter, if it was recovered.
    """

    message_id: MessageId
    action: str
    payload: bytes
    deviations: tuple[Deviation, ...] = ()


class CallResult(msgspec.Struct, frozen=True):
    """The answer to a CALL; `payload` is the JSON object as it was sent."""

    message_id: MessageId
    payload: bytes


class CallError(msgspec.Struct, frozen=True):
    """The refusal of a CALL; `details` is JSON, an object unless the sender did not care.

    The code and description of one that was read have no control characters, and 50 and 255 characters at most.
    """

    message_id: MessageId
    code: str
    description: str
    details: bytes = b"{}"


class CallResultError(msgspec.Struct, frozen=True):
    """The refusal of a CALLRESULT (2.1); what is said of the members of `CallError` goes for its own."""

    message_id: MessageId
    code: str
    description: str
    details: bytes = b"{}"


class Send(msgspec.Struct, frozen=True):
    """A message that wants no answer (2.1); `deviations` as of a `Call`."""

    message_id: MessageId
    action: str
    payload: bytes
    deviations: tuple[Deviation, ...] = ()


Frame = Call | CallResult | CallError | CallResultError | Send


class FrameError(Exception):
    """What came is not a frame of the version.

    Attributes:
        code: the version's RPC error code.
        description: at most 255 characters.
        details: a JSON object.
        message_type: the message type number, if it could be read; the version may not know it.
        message_id: the id, if it could be read (a frame of any type may carry it).
        answer: the frame to send back, or None where the version says nothing or forbids it.
    """

    def __init__(self, code: str, description: str, wreck: Wreck, answer: Frame | None) -> None:
        self.code = code
        self.description = description
        self.details = b"{}"
        self.message_type = wreck.message_type
        self.message_id = wreck.message_id
        self.answer = answer
        super().__init__(f"{code}: {description}")

    @property
    def refuses_call(self) -> bool:
        """Whether this was to be a CALLERROR."""
        return self.message_type == _CALL_ERROR

    @property
    def answerable(self) -> bool:
        """Whether the version gives an answer to this."""
        return self.answer is not None


class _Request(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag_field="type", tag=2):
    message_id: str
    action: str
    payload: msgspec.Raw

    def frame(self) -> Frame:
        return Call(self.message_id, self.action, _payload(self.payload))


class _Result(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag_field="type", tag=3):
    message_id: str
    payload: msgspec.Raw

    def frame(self) -> Frame:
        return CallResult(self.message_id, _payload(self.payload))


# A refusal ends an exchange: refusing it in turn for its looks helps nobody. So what a person reads may be missing,
# and the details may be any JSON (stations send strings). What a person reads may be a piece of memory, too: it is
# cleaned, and cut to what an answer may hold.
class _Refusal(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag_field="type", tag=_CALL_ERROR):
    message_id: str
    code: str
    description: str | None = ""
    details: msgspec.Raw = msgspec.Raw(b"{}")

    def frame(self) -> Frame:
        return CallError(self.message_id, _code(self.code), _description(self.description), _details(self.details))


class _ResultRefusal(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag_field="type", tag=5):
    message_id: str
    code: str
    description: str | None = ""
    details: msgspec.Raw = msgspec.Raw(b"{}")

    def frame(self) -> Frame:
        code, description = _code(self.code), _description(self.description)
        return CallResultError(self.message_id, code, description, _details(self.details))


class _Unconfirmed(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag_field="type", tag=6):
    message_id: str
    action: str
    payload: msgspec.Raw

    def frame(self) -> Frame:
        return Send(self.message_id, self.action, _payload(self.payload))


_V16_WIRE = msgspec.json.Decoder(_Request | _Result | _Refusal)
_V21_WIRE = msgspec.json.Decoder(_Request | _Result | _Refusal | _ResultRefusal | _Unconfirmed)
_WIRE: Final[Mapping[Version, msgspec.json.Decoder[Any]]] = {"1.6": _V16_WIRE, "2.0.1": _V16_WIRE, "2.1": _V21_WIRE}

_TYPES: Final[Mapping[Version, frozenset[int]]] = {
    "1.6": frozenset({2, 3, 4}),
    "2.0.1": frozenset({2, 3, 4}),
    "2.1": frozenset({2, 3, 4, 5, 6}),
}

# How a broken message is answered, by its type; None is a type that is unknown or could not be read.
# 1.6 4.1.3 has us ignore an unknown type; 2.0.1 Part 4, 4.4 has us answer it, and 2.1 keeps the code for it (table 9).
_ANSWERS: Final[Mapping[Version, Mapping[int | None, Callable[[str, str, str], Frame]]]] = {
    "1.6": {2: CallError},
    "2.0.1": {2: CallError, None: CallError},
    "2.1": {2: CallError, 3: CallResultError, None: CallError},
}

# The id to answer to when none could be read: 1.6 knows no such thing, so there is nothing to answer to.
_STAND_IN: Final[Mapping[Version, str | None]] = {
    "1.6": None,
    "2.0.1": UNREADABLE_MESSAGE_ID,
    "2.1": UNREADABLE_MESSAGE_ID,
}


def parse(message: str | bytes, version: Version) -> Frame:
    """Read one WebSocket message as a frame of `version`; the payload stays raw and is not yet checked.

    A payload of `null` is the other notation of an empty one and becomes `{}`.

    Raises:
        FrameError: and nothing else, whatever the message is.

    Spec: OCPP-J 1.6 4.1, 4.2; OCPP 2.0.1 and 2.1 Part 4, 4.1, 4.2
    """
    try:
        wire = _WIRE[version].decode(message)
        frame: Frame = wire.frame()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _refuse(inspect(message, _TYPES[version]), version) from None
    if isinstance(frame.message_id, str) and not is_message_id(frame.message_id):
        raise _refuse(inspect(message, _TYPES[version]), version)
    return frame


def _payload(raw: msgspec.Raw) -> bytes:
    payload = bytes(raw)
    if payload.startswith(b"{"):
        return payload
    if payload == b"null":
        return b"{}"
    raise ValueError


def _code(text: str) -> str:
    return clean(text)[:CODE_LIMIT]


def _description(text: str | None) -> str:
    return shorten(clean(text))


def _details(raw: msgspec.Raw) -> bytes:
    details = bytes(raw)
    msgspec.json.decode(details)  # skipped over until now, and what is not UTF-8 must not travel on
    return details


def _refuse(wreck: Wreck, version: Version) -> FrameError:
    code, description = error_code(version, wreck.meaning), shorten(wreck.reason)
    known_type = wreck.message_type if wreck.message_type in _TYPES[version] else None
    answer = _ANSWERS[version].get(known_type)
    answer_to = wreck.message_id or _STAND_IN[version]
    if answer is None or answer_to is None:
        return FrameError(code, description, wreck, None)
    return FrameError(code, description, wreck, answer(answer_to, code, description))


def encode(frame: Frame) -> str:
    """Return the frame as compact JSON, its payload or details as they are.

    Spec: OCPP-J 1.6 4.2; OCPP 2.0.1 and 2.1 Part 4, 4.2
    """
    return msgspec.json.encode(_ELEMENTS[type(frame)](frame)).decode()


_ELEMENTS: Final[Mapping[type[Frame], Callable[[Any], tuple[object, ...]]]] = {
    Call: lambda call: (2, call.message_id, call.action, msgspec.Raw(call.payload)),
    CallResult: lambda result: (3, result.message_id, msgspec.Raw(result.payload)),
    CallError: lambda error: (4, error.message_id, error.code, error.description, msgspec.Raw(error.details)),
    CallResultError: lambda error: (5, error.message_id, error.code, error.description, msgspec.Raw(error.details)),
    Send: lambda send: (6, send.message_id, send.action, msgspec.Raw(send.payload)),
}

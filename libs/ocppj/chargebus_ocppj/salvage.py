"""What can still be told of a message that is not a frame: its type, its id, and what is wrong with it."""

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, TypeVar

import msgspec

from chargebus_ocppj.errors import Meaning

MESSAGE_ID_LIMIT: Final = 36
"""Characters in a message id. Spec: OCPP-J 1.6 table 3; OCPP 2.0.1 and 2.1 Part 4 table 4"""

_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_INTEGER: Final = msgspec.json.Decoder(int)
_TEXT: Final = msgspec.json.Decoder(str)
_ANY: Final = msgspec.json.Decoder()
_ID: Final = msgspec.json.Decoder(str | int | float)

_HEAD: Final = re.compile(rb'\s*\[\s*(?P<type>[0-9]{1,4})\s*,\s*(?P<id>"[^"\\\x00-\x1f]*")')

_REQUEST_HEAD: Final = re.compile(
    rb'\s*\[\s*(?P<type>[0-9]{1,4})\s*,\s*(?P<id>"[^"\\\x00-\x1f]{1,255}"|[0-9]{1,18}(?:\.[0-9]{1,18})?)'
    rb'(?:\s*,\s*"(?P<action>[A-Za-z0-9]{1,64})")?'
)

_REQUEST_ELEMENTS: Final = 4
_RESULT_ELEMENTS: Final = 3
_REFUSAL_ELEMENTS: Final = 5

_T = TypeVar("_T")


class Wreck(msgspec.Struct, frozen=True):
    """A message that is not a frame.

    `message_type` and `message_id` are None where they could not be read; the id is never empty, but may be too long.
    """

    meaning: Meaning
    reason: str
    message_type: int | None = None
    message_id: str | None = None


class Head(msgspec.Struct, frozen=True):
    """The beginning of a message that could not be read, or not as a whole; `action` is empty if there is none."""

    message_type: int
    message_id: str | int | float
    action: str


def read_head(message: bytes) -> Head | None:
    """Return the beginning of a message, None if its type and id cannot be told."""
    match = _REQUEST_HEAD.match(message)
    message_id = None if match is None else _read(_ID, match["id"])
    if match is None or message_id is None or (isinstance(message_id, str) and not message_id.isprintable()):
        return None
    return Head(int(match["type"]), message_id, (match["action"] or b"").decode())


def is_message_id(text: str) -> bool:
    """Return whether the text can be a message id: 1 to 36 characters, none of them a control character."""
    return 0 < len(text) <= MESSAGE_ID_LIMIT and text.isprintable()


def inspect(message: str | bytes, types: AbstractSet[int]) -> Wreck:
    """Return what is wrong with a message that was refused, and what could be read of it.

    Args:
        message: as it came from the socket.
        types: the message types of the version.
    """
    data = message.encode(errors="replace") if isinstance(message, str) else message
    try:
        elements = _ELEMENTS.decode(data)
    except msgspec.ValidationError:
        return Wreck("rpc_framework", "the message is not a JSON array")
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return _not_json(data, f"the message is not valid JSON: {error}")
    return _inspect_elements([bytes(element) for element in elements], types)


def _not_json(data: bytes, reason: str) -> Wreck:
    # A station that waits for an answer to a mangled call is helped by one that names the call.
    head = _HEAD.match(data)
    message_id = None if head is None else _answerable(_read(_TEXT, head["id"]))
    if head is None or message_id is None:
        return Wreck("rpc_framework", reason)
    return Wreck("format", reason, int(head["type"]), message_id)


def _inspect_elements(elements: list[bytes], types: AbstractSet[int]) -> Wreck:
    message_type = _read(_INTEGER, elements[0]) if elements else None
    message_id = _read(_TEXT, elements[1]) if len(elements) > 1 else None
    meaning, reason = _fault(elements, message_type, message_id, types)
    return Wreck(meaning, reason, message_type, _answerable(message_id))


def _answerable(message_id: str | None) -> str | None:
    # An id that is too long is still the one that the station waits for; one of control characters is noise.
    return message_id if message_id and message_id.isprintable() else None


def _fault(
    elements: list[bytes], message_type: int | None, message_id: str | None, types: AbstractSet[int]
) -> tuple[Meaning, str]:
    if message_type is None:
        return "rpc_framework", "the message type number could not be read"
    if message_type not in types:
        return "message_type", f"the message type number {message_type} is not known"
    if message_id is None:
        return "rpc_framework", "the message id could not be read: it must be a string"
    if not is_message_id(message_id):
        return "rpc_framework", f"the message id must have 1 to {MESSAGE_ID_LIMIT} printable characters"
    return _SHAPES[message_type](elements)


def _request_fault(elements: list[bytes]) -> tuple[Meaning, str]:
    if len(elements) != _REQUEST_ELEMENTS:
        return _wrong_length(elements, _REQUEST_ELEMENTS)
    if _read(_TEXT, elements[2]) is None:
        return "rpc_framework", "the action must be a string"
    return _payload_fault(elements[3])


def _result_fault(elements: list[bytes]) -> tuple[Meaning, str]:
    if len(elements) != _RESULT_ELEMENTS:
        return _wrong_length(elements, _RESULT_ELEMENTS)
    return _payload_fault(elements[2])


def _refusal_fault(elements: list[bytes]) -> tuple[Meaning, str]:
    if not _RESULT_ELEMENTS <= len(elements) <= _REFUSAL_ELEMENTS:
        return _wrong_length(elements, _REFUSAL_ELEMENTS)
    return "rpc_framework", "the error code and description must be strings, the details valid JSON"


def _wrong_length(elements: list[bytes], expected: int) -> tuple[Meaning, str]:
    return "rpc_framework", f"the message must have {expected} elements, not {len(elements)}"


def _payload_fault(payload: bytes) -> tuple[Meaning, str]:
    if _read(_ANY, payload) is None:
        return "format", "the payload is not valid JSON"
    return "structure", "the payload must be a JSON object"


_SHAPES: Final[Mapping[int, Callable[[list[bytes]], tuple[Meaning, str]]]] = {
    2: _request_fault,
    3: _result_fault,
    4: _refusal_fault,
    5: _refusal_fault,
    6: _request_fault,
}


def _read(decoder: "msgspec.json.Decoder[_T]", data: bytes) -> _T | None:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None

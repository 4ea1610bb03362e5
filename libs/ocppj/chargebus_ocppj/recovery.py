"""What is no frame by the letter and can be read as one: its id is a number, it has no payload, a raw NUL in a text."""

from collections.abc import Mapping
from typing import Final

import msgspec

from chargebus_ocppj.deviations import Deviation, Kind
from chargebus_ocppj.frames import Call, CallResult, Frame, FrameError, MessageId, Send, parse
from chargebus_ocppj.mending import without_controls
from chargebus_ocppj.salvage import is_message_id
from chargebus_ocppj.versions import Version

LONGEST_MESSAGE_ID: Final = 255
"""Characters of a message id with which it is still answered."""

_ID, _ACTION, _PAYLOAD = "message id", "action", "payload"

_RESULT: Final = 3
_REQUESTS: Final[Mapping[Version, Mapping[int, type[Call | Send]]]] = {
    "1.6": {2: Call},
    "2.0.1": {2: Call},
    "2.1": {2: Call, 6: Send},
}
_NOTHING: Final = frozenset({b"null", b"[]", b'""'})

_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ID_DECODER: Final = msgspec.json.Decoder(str | int | float)
_TYPE_DECODER: Final = msgspec.json.Decoder(int, strict=False)
_TEXT_DECODER: Final = msgspec.json.Decoder(str)


class Recovered(msgspec.Struct, frozen=True):
    """A frame, and what was wrong with it; the payload of a frame with raw control characters is without them."""

    frame: Frame
    deviations: tuple[Deviation, ...]


def recover(message: bytes, version: Version) -> Recovered | None:
    """Read a message that `parse` refused, if it can be told what is meant; None if not.

    A CALL with a number as its id has that number as `message_id`: the answer has to bear it.
    """
    clean = without_controls(message)
    control = [Deviation("control_character", "")] if clean != message else []
    try:
        return _of(parse(clean, version), control)
    except FrameError:
        pass
    try:
        elements = [bytes(element) for element in _ELEMENTS.decode(clean)]
        frame, deviations = _read(elements, version)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return _of(frame, [*control, *deviations])


def _of(frame: Frame, deviations: list[Deviation]) -> Recovered:
    if isinstance(frame, Call | Send):
        frame = msgspec.structs.replace(frame, deviations=tuple(deviations))
    return Recovered(frame, tuple(deviations))


def _read(elements: list[bytes], version: Version) -> tuple[Frame, list[Deviation]]:
    """Read a frame of its elements.

    Raises:
        msgspec.MsgspecError, ValueError: it cannot be told what is meant.
    """
    found: list[Deviation] = []
    message_type = _TYPE_DECODER.decode(b"".join(elements[:1]))
    if elements[0].startswith(b'"'):
        found.append(_wrong("message type", elements[0]))
    message_id = _message_id(elements[1:2], found)
    request = _REQUESTS[version].get(message_type)
    if request is not None:
        action = _TEXT_DECODER.decode(b"".join(elements[2:3]))
        payload = _payload(elements[3:], found)
        return request(message_id, action, payload), found
    if message_type == _RESULT and isinstance(message_id, str):
        return CallResult(message_id, _payload(elements[2:], found)), found
    raise ValueError(message_type)


def _message_id(elements: list[bytes], found: list[Deviation]) -> MessageId:
    message_id: MessageId = _ID_DECODER.decode(b"".join(elements))
    if not isinstance(message_id, str):
        found.append(_wrong(_ID, elements[0]))
    elif not is_message_id(message_id):
        if not message_id.isprintable() or not 0 < len(message_id) <= LONGEST_MESSAGE_ID:
            raise ValueError(message_id)
        found.append(_wrong(_ID, elements[0]))
    return message_id


def _payload(elements: list[bytes], found: list[Deviation]) -> bytes:
    """Return the payload that is the first of the elements, if there is one; more than one are too many."""
    if len(elements) != 1 or elements[0] in _NOTHING:
        found.append(Deviation("frame", "", f"{_PAYLOAD}: {len(elements)} elements"))
    payload = elements[0] if elements and elements[0] not in _NOTHING else b"{}"
    if not payload.startswith(b"{"):
        raise ValueError(payload[:64])
    return payload


def _wrong(what: str, said: bytes) -> Deviation:
    kind: Kind = "frame"
    return Deviation(kind, "", f"{what}: {said.decode('utf-8', 'replace')}")

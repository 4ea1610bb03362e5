"""OCPP 2.0.1: display messages, in its words."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader
from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp

from chargebus_notification.displays.domain.limits import Limits
from chargebus_notification.displays.domain.message import Face, Text
from chargebus_notification.displays.domain.reports import Part

STATES: Final = frozenset({"", "Charging", "Faulted", "Idle", "Unavailable"})
FORMATS: Final = frozenset({"ASCII", "HTML", "URI", "UTF8"})
LONGEST: Final = 512

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Content(Payload, frozen=True, rename="camel"):
    """MessageContentType."""

    format: str
    content: str
    language: str | None = None


class MessageInfo(Payload, frozen=True, rename="camel"):
    """MessageInfoType; 2.1 adds the extra messages, which no station of 2.0.1 has."""

    id: Whole
    priority: str
    message: Content
    state: str | None = None
    start_date_time: str | None = None
    end_date_time: str | None = None
    transaction_id: str | None = None
    message_extra: tuple[Content, ...] = ()


class _NotifyDisplayMessages(Payload, frozen=True, rename="camel"):
    request_id: Whole
    tbc: bool = False
    message_info: tuple[MessageInfo, ...] = ()


_read: Final = reader(_NotifyDisplayMessages)


def part(frame: Frame) -> Part:
    """Read a NotifyDisplayMessages.

    Raises:
        UnusableCallError: it cannot be read.

    Spec: OCPP 2.0.1 O03.FR.03 to FR.06
    """
    try:
        said = _read(frame.payload)
    except msgspec.ValidationError as error:
        raise UnusableCallError(str(error)) from error
    found = tuple((each.id, _face(each)) for each in said.message_info)
    return Part(frame.station_id, said.request_id, found, not said.tbc)


def why_not(face: Face) -> str:
    """Return why a station of 2.0.1 cannot be told a message; empty if it can."""
    text = face.texts[0]
    if face.state not in STATES:
        return f"state {face.state} needs OCPP 2.1"
    if text.format not in FORMATS:
        return f"format {text.format} needs OCPP 2.1"
    return f"more than {LONGEST} characters need OCPP 2.1" if len(text.content) > LONGEST else ""


def told(face: Face) -> Face:
    """Return what of a message is told: the first text."""
    return msgspec.structs.replace(face, texts=face.texts[:1])


def set_message(number: int, face: Face) -> dict[str, object]:
    """Return SetDisplayMessage. Spec: OCPP 2.0.1 O01, O02, O06."""
    return {"message": message(number, face)}


def message(number: int, face: Face) -> dict[str, object]:
    """Return a MessageInfoType."""
    members: Mapping[str, object] = {
        "id": number,
        "priority": face.priority,
        "state": face.state or None,
        "startDateTime": _written(face.starts_at),
        "endDateTime": _written(face.ends_at),
        "transactionId": face.transaction_id or None,
        "message": content(face.texts[0]),
    }
    return {name: value for name, value in members.items() if value is not None}


def content(text: Text) -> dict[str, object]:
    """Return a MessageContentType."""
    language = {"language": text.language} if text.language else {}
    return {"format": text.format, **language, "content": text.content}


def clear_message(number: int) -> dict[str, object]:
    """Return ClearDisplayMessage. Spec: OCPP 2.0.1 O05."""
    return {"id": number}


def get_messages(request_id: int) -> dict[str, object]:
    """Return GetDisplayMessages for all of them. Spec: OCPP 2.0.1 O03.FR.01."""
    return {"requestId": request_id}


MOST: Final = "NumberDisplayMessages"
VARIABLES: Final = ("Available", MOST, "SupportedFormats", "SupportedPriorities", "SupportedStates")
_COMPONENT: Final = "DisplayMessageCtrlr"
_LARGEST: Final = "MaxSet"
_MOST_DIGITS: Final = 9


def get_limits(variables: Iterable[str] = VARIABLES, most: str = MOST) -> dict[str, object]:
    """Return GetVariables of what a display takes; how many messages it holds is the largest value of how many it has.

    Spec: OCPP 2.0.1 B06.FR.01, Part 2, appendix 3 (DisplayMessageCtrlr)
    """
    return {
        "getVariableData": [
            {
                "component": {"name": _COMPONENT},
                "variable": {"name": name},
                **({"attributeType": _LARGEST} if name == most else {}),
            }
            for name in variables
        ]
    }


def limits(answer: Mapping[str, Any], most: str = MOST) -> Limits:
    """Return what a station says that its display takes; what cannot be read was not said."""
    values = dict(_values(answer.get("getVariableResult")))
    largest = values.get(most, "").strip()
    return Limits(
        available=_truth(values.get("Available")),
        most=_count(largest),
        formats=_members(values.get("SupportedFormats")),
        priorities=_members(values.get("SupportedPriorities")),
        states=_members(values.get("SupportedStates")),
        qr_codes=_truth(values.get("QRCodeDisplayCapable")),
    )


def _values(results: object) -> Iterable[tuple[str, str]]:
    for result in results if isinstance(results, list) else ():
        if not isinstance(result, dict) or result.get("attributeStatus") != "Accepted":
            continue
        variable, value = result.get("variable"), result.get("attributeValue")
        if isinstance(variable, dict) and isinstance(value, str):
            yield str(variable.get("name")), clean(value)


def _count(value: str) -> int | None:
    """Return how many; what is none, or more than any display holds, says nothing."""
    if len(value) > _MOST_DIGITS or not (value.isascii() and value.isdigit()):
        return None
    return int(value) or None


def _members(value: str | None) -> tuple[str, ...] | None:
    """Return the members of a list; one that is empty says nothing."""
    found = tuple(filter(None, (each.strip() for each in (value or "").split(","))))
    return found or None


def _truth(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").strip().lower())


def _face(said: MessageInfo) -> Face:
    texts = (said.message, *said.message_extra)
    return Face(
        priority=clean(said.priority),
        texts=tuple(Text(clean(each.format), _kept(each.content), clean(each.language)) for each in texts),
        state=clean(said.state),
        starts_at=_time(said.start_date_time),
        ends_at=_time(said.end_date_time),
        transaction_id=clean(said.transaction_id),
    )


def _kept(text: str) -> str:
    """Return a text as it is, but for what PostgreSQL cannot hold."""
    return text.replace("\0", "")


def _time(text: str | None) -> datetime | None:
    try:
        return parse_timestamp(text or "")
    except ValueError:
        return None


def _written(at: datetime | None) -> str | None:
    return None if at is None else format_timestamp(at)

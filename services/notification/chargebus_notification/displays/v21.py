"""OCPP 2.1: what it adds to display messages: other languages beside the first, QR codes, longer texts, more states."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_notification.displays import v201
from chargebus_notification.displays.domain.limits import Limits
from chargebus_notification.displays.domain.message import Face

LONGEST: Final = 1024
MOST: Final = "DisplayMessages"
VARIABLES: Final = (*(MOST if name == v201.MOST else name for name in v201.VARIABLES), "QRCodeDisplayCapable")


def why_not(_face: Face) -> str:
    """Return that a station of 2.1 can be told any message."""
    return ""


def told(face: Face) -> Face:
    """Return what of a message is told: all of it."""
    return face


def set_message(number: int, face: Face) -> dict[str, object]:
    """Return SetDisplayMessage. Spec: OCPP 2.1 O01, MessageInfoType.messageExtra."""
    _, *others = face.texts
    extra = {"messageExtra": [v201.content(text) for text in others]} if others else {}
    return {"message": v201.message(number, face) | extra}


def get_limits() -> dict[str, object]:
    """Return GetVariables of what a display takes. Spec: OCPP 2.1 Part 2, appendix 3 (DisplayMessageCtrlr)."""
    return v201.get_limits(VARIABLES, MOST)


def limits(answer: Mapping[str, Any]) -> Limits:
    """Return what a station says that its display takes; what cannot be read was not said."""
    return v201.limits(answer, MOST)

"""The tables: how reports are read, in which words each version is told a message, and what its answers mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Outcome

from chargebus_notification.displays import v21, v201
from chargebus_notification.displays.block import Reports
from chargebus_notification.displays.domain.limits import Limits
from chargebus_notification.displays.domain.message import Face
from chargebus_notification.displays.domain.shown import Ending, Order

_REPORT: Final[Row[Any, None]] = Row(v201.part, Reports)

ROUTES: Final[Routes] = {
    ("2.0.1", "NotifyDisplayMessages"): _REPORT,
    ("2.1", "NotifyDisplayMessages"): _REPORT,
}


@dataclass(frozen=True)
class Words:
    """How a version is told a message, why it cannot be, what of it is told, and how it says what its display takes."""

    set_message: Callable[[int, Face], dict[str, object]]
    why_not: Callable[[Face], str]
    told: Callable[[Face], Face]
    get_limits: Callable[[], dict[str, object]]
    limits: Callable[[Mapping[str, Any]], Limits]


WORDS: Final[Mapping[str, Words]] = {
    "2.0.1": Words(v201.set_message, v201.why_not, v201.told, v201.get_limits, v201.limits),
    "2.1": Words(v21.set_message, v21.why_not, v21.told, v21.get_limits, v21.limits),
}
_V2: Final = tuple(WORDS)
_TAKEN: Final[Mapping[Order, frozenset[str]]] = {
    "tell": frozenset({"Accepted"}),
    "clear": frozenset({"Accepted", "Unknown"}),  # what it does not have need not be cleared
}
_UNSUPPORTED: Final = frozenset({"NotImplemented", "NotSupported"})


def why_not(version: str, face: Face) -> str:
    """Return why a station of a version cannot be told a message; empty if it can, or its version is not known."""
    if not version:
        return "" if any(not words.why_not(face) for words in WORDS.values()) else "no version has words for it"
    words = WORDS.get(version)
    return f"OCPP {version} has no display messages" if words is None else words.why_not(face)


def told(version: str, face: Face) -> Face:
    """Return what of a message a station of a version is told."""
    words = WORDS.get(version)
    return face if words is None else words.told(face)


def set_forms(number: int, face: Face) -> tuple[Form, ...]:
    """Return the forms of a message: one for each version that has words for it."""
    return tuple(
        Form.of((version,), "SetDisplayMessage", words.set_message(number, face))
        for version, words in WORDS.items()
        if not words.why_not(face)
    )


def clear_forms(number: int) -> tuple[Form, ...]:
    """Return the forms that take a message away."""
    return (Form.of(_V2, "ClearDisplayMessage", v201.clear_message(number)),)


def report_forms(request_id: int) -> tuple[Form, ...]:
    """Return the forms that have a station report all its messages."""
    return (Form.of(_V2, "GetDisplayMessages", v201.get_messages(request_id)),)


def limits_forms() -> tuple[Form, ...]:
    """Return the forms that ask a station what its display takes."""
    return tuple(Form.of((version,), "GetVariables", words.get_limits()) for version, words in WORDS.items())


def limits_of(outcome: Outcome) -> Limits | None:
    """Return what a station said that its display takes; None: it said nothing."""
    words = WORDS.get(outcome.version)
    return words.limits(outcome.members) if words is not None and outcome.name == "answered" else None


def ending(order: Order, outcome: Outcome) -> Ending:
    """Return what the outcome of a command means."""
    if outcome.name == "answered" and outcome.status in _TAKEN[order]:
        return Ending("accepted")
    if outcome.name == "answered" and not outcome.broken:
        return Ending("refused", outcome.status, outcome.status_info)
    if outcome.name == "refused":
        kind = outcome.error_code in _UNSUPPORTED
        return Ending("unsupported" if kind else "refused", outcome.error_code, outcome.error_description)
    return Ending("away" if outcome.name in ("undeliverable", "expired") else "unknown", detail=outcome.why)

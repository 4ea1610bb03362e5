"""The tables: in which words each version is asked about variables, what its answers mean, and what it reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Outcome
from chargebus_events.frames import Frame

from chargebus_device.ratings import v201 as ratings
from chargebus_device.variables import v16, v21, v201
from chargebus_device.variables.block import DeviceReport, Reports
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.request import Item, Request, Told
from chargebus_device.variables.domain.variable import Reported

REPORT_S: Final = 0.25
"""Nobody waits for what becomes of a report."""

ItemsForm = Callable[[Sequence[Item]], dict[str, object]]


@dataclass(frozen=True)
class Asking:
    """How something is asked of some versions: the action, its payload, and where the station says how much it takes.

    `most`: how many items it ever takes; None: as the station says.
    """

    action: str
    payload: ItemsForm
    items: Place
    bytes: Place | None = None
    most: int | None = None


@dataclass(frozen=True)
class Words:
    """The words of some versions.

    Attributes:
        all: the form that asks for all variables, or for a report.
        is_reported: what it asks for comes in a report, and not in the answer.
        expected: what a station has that says nothing else.
        longest: how many characters a value may have, by version.
        reported_items: where a station says how many components a report may be asked of.
    """

    versions: tuple[str, ...]
    own: Callable[[Place], Place | None]
    all: Callable[[Request], tuple[str, dict[str, object]]]
    is_reported: bool
    expected: Callable[[], list[Place]]
    named: Asking
    change: Asking
    told: Callable[[Mapping[str, Any]], list[tuple[Reported, str]]]
    unread: Callable[[Mapping[str, Any]], int]
    changed: Callable[[Mapping[str, Any], Sequence[Item]], list[tuple[Place, str, str]]]
    longest: Mapping[str, int]
    reported_items: Place | None = None

    def asking(self, request: Request) -> Asking:
        """Return how a request's items are asked."""
        return self.change if request.kind == "change" else self.named

    @property
    def limits(self) -> tuple[Place, ...]:
        """Where a station says how much it takes."""
        places = (self.named.items, self.named.bytes, self.change.items, self.change.bytes)
        return tuple(dict.fromkeys(place for place in places if place is not None))


def _all_16(_request: Request) -> tuple[str, dict[str, object]]:
    return "GetConfiguration", v16.get_all()


def _all_201(request: Request) -> tuple[str, dict[str, object]]:
    if request.kind == "report":
        return "GetReport", v201.get_report(request.report_id, request.criteria, request.items)
    return "GetBaseReport", v201.get_base_report(request.report_id, request.base)


_V16: Final = Words(
    versions=("1.6",),
    own=v16.own,
    all=_all_16,
    is_reported=False,
    expected=v16.expected,
    named=Asking("GetConfiguration", v16.get, v16.MOST_KEYS),
    change=Asking("ChangeConfiguration", v16.change, v16.MOST_KEYS, most=1),
    told=v16.told,
    unread=v16.unread,
    changed=v16.changed,
    longest={"1.6": v16.LONGEST},
)
_V201: Final = Words(
    versions=("2.0.1", "2.1"),
    own=v201.own,
    all=_all_201,
    is_reported=True,
    expected=list,
    named=Asking(
        "GetVariables",
        v201.get,
        v201.limit("ItemsPerMessage", "GetVariables"),
        v201.limit("BytesPerMessage", "GetVariables"),
    ),
    change=Asking(
        "SetVariables",
        v201.change,
        v201.limit("ItemsPerMessage", "SetVariables"),
        v201.limit("BytesPerMessage", "SetVariables"),
    ),
    told=v201.told,
    unread=v201.unread,
    changed=v201.changed,
    longest={"2.0.1": v201.LONGEST, "2.1": v21.LONGEST},
    reported_items=v201.limit("ItemsPerMessage", "GetReport"),
)
WORDS: Final[Mapping[str, Words]] = {version: words for words in (_V16, _V201) for version in words.versions}

_TOO_MUCH: Final = frozenset(
    {
        "FormationViolation",
        "FormatViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "RpcFrameworkError",
    }
)
_UNSUPPORTED: Final = frozenset({"NotImplemented", "NotSupported"})
_NAMES: Final[Mapping[str, Told]] = {
    "answered": "answered",
    "timed_out": "unknown",
    "undeliverable": "away",
    "expired": "away",
}


def all_form(words: Words, request: Request) -> Form:
    """Return the form that asks for all variables, or for a report."""
    action, payload = words.all(request)
    return Form.of(words.versions, action, payload)


def items_form(words: Words, request: Request, piece: Sequence[int]) -> Form:
    """Return the form that asks for a piece of what is read or changed."""
    asking = words.asking(request)
    return Form.of(words.versions, asking.action, asking.payload([request.items[number] for number in piece]))


def sizes(words: Words, request: Request) -> list[int]:
    """Return how many bytes each item takes in a message."""
    asking = words.asking(request)
    return [len(Form.of(words.versions, asking.action, asking.payload([item])).payload) for item in request.items]


def told_of(outcome: Outcome) -> Told:
    """Return what the end of a command means."""
    if outcome.name == "refused":
        if outcome.error_code in _TOO_MUCH:
            return "too_much"
        return "unsupported" if outcome.error_code in _UNSUPPORTED else "refused"
    return _NAMES.get(outcome.name, "unknown")


def report(frame: Frame) -> DeviceReport:
    """Read a NotifyReport: its variables, and what they say of what EVSEs are built for.

    Raises:
        UnusableCallError: it cannot be read.
    """
    return DeviceReport(v201.part(frame), ratings.report(frame))


_REPORT: Final[Row[DeviceReport, None]] = Row(report, Reports, wait_s=REPORT_S)

ROUTES: Final[Routes] = {("2.0.1", "NotifyReport"): _REPORT, ("2.1", "NotifyReport"): _REPORT}

"""The tables: in which words each version is told what an EVSE is to do, what an answer means, what stations report."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Outcome

from chargebus_smart_charging.steering import v16, v21, v201
from chargebus_smart_charging.steering.block import Pulls, Reports
from chargebus_smart_charging.steering.domain.held import Asking, Order
from chargebus_smart_charging.steering.domain.pieces import MessageLimit, entries_of, pieces
from chargebus_smart_charging.steering.domain.pulls import Pull
from chargebus_smart_charging.steering.domain.reports import ProfileReport
from chargebus_smart_charging.steering.domain.said import Said
from chargebus_smart_charging.steering.domain.steered import Answer, Steerable

COMPOSITE_S: Final = 3600
"""How far ahead a station is asked what it allows."""

REPORTING: Final = frozenset({"2.0.1", "2.1"})
"""The versions in which a station can report its profiles."""

_V16: Final = ("1.6",)
_V201: Final = ("2.0.1",)
_V21: Final = ("2.1",)
_V2: Final = ("2.0.1", "2.1")


def _always(_order: Order) -> bool:
    return True


@dataclass(frozen=True)
class _Words:
    """How an order is said in some versions, and whether it can be."""

    versions: tuple[str, ...]
    action: str
    members: Callable[[Order, Steerable], dict[str, object]]
    is_sayable: Callable[[Order], bool] = _always


_SET: Final = (
    _Words(_V16, "SetChargingProfile", v16.limit, v16.is_told),
    _Words(_V201, "SetChargingProfile", v201.limit),
    _Words(_V21, "SetChargingProfile", v21.limit),
)
_SET_DYNAMIC: Final = (_Words(_V21, "SetChargingProfile", v21.limit),)
_UPDATE: Final = (_Words(_V21, "UpdateDynamicSchedule", v21.update),)
_KEY: Final = (_Words(_V16, "ChangeConfiguration", v16.limit_key),)

_WORDS: Final[dict[Asking, tuple[_Words, ...]]] = {
    "limit": _SET,
    "default": _SET,
    "clear": (_Words(_V16, "ClearChargingProfile", v16.clear), _Words(_V2, "ClearChargingProfile", v201.clear)),
    "suspend": (
        _Words(_V16, "RemoteStopTransaction", v16.suspend, v16.is_told),
        _Words(_V2, "RequestStopTransaction", v201.suspend),
    ),
    "resume": (
        _Words(_V16, "RemoteStartTransaction", v16.resume),
        _Words(_V2, "RequestStartTransaction", v201.resume),
    ),
    "disable": (_Words(_V16, "ChangeAvailability", v16.disable), _Words(_V2, "ChangeAvailability", v201.disable)),
    "enable": (_Words(_V16, "ChangeAvailability", v16.enable), _Words(_V2, "ChangeAvailability", v201.enable)),
}


def forms_of(order: Order, steerable: Steerable) -> tuple[Form, ...]:
    """Return the forms of an order: one for each version that has words for it."""
    if order.asking == "verify":
        return composite_forms(steerable.evse.evse_id, steerable.habits.unit or "A")
    return tuple(
        Form.of(each.versions, each.action, each.members(order, steerable))
        for each in _words_of(order)
        if each.is_sayable(order)
    )


def _words_of(order: Order) -> tuple[_Words, ...]:
    if order.dynamic:
        return _SET_DYNAMIC if order.set_at is None else _UPDATE
    return _KEY if order.rung == "configuration key" and order.asking == "limit" else _WORDS[order.asking]


def composite_forms(evse_id: int, unit: str) -> tuple[Form, ...]:
    """Return the forms that ask what an EVSE is allowed."""
    return (
        Form.of(_V16, "GetCompositeSchedule", v16.composite_schedule(evse_id, COMPOSITE_S, unit)),
        Form.of(_V2, "GetCompositeSchedule", v201.composite_schedule(evse_id, COMPOSITE_S, unit)),
    )


class _Asked(NamedTuple):
    """How stations of a version are asked of themselves: by what action, in which list, and in which they answer."""

    action: str
    asked: str
    answered: str
    limit: Callable[[], dict[str, object]]
    limit_said: Callable[[Mapping[str, Any]], MessageLimit]
    habits: Callable[[Collection[int], Collection[str]], dict[str, object]]
    said: Callable[[Mapping[str, Any], Collection[str]], Said]


def _variables(habits: Callable[[Collection[int]], Any], said: Callable[[Mapping[str, Any]], Said]) -> _Asked:
    """Return how stations with a device model are asked; none has vendors' keys for its limit."""
    return _Asked(
        "GetVariables",
        "getVariableData",
        "getVariableResult",
        v201.ask_limit,
        v201.limit_said,
        lambda evse_ids, _keys: habits(evse_ids),
        lambda members, _keys: said(members),
    )


_ASKED: Final[dict[str, _Asked]] = {
    "1.6": _Asked(
        "GetConfiguration",
        "key",
        "configurationKey",
        v16.ask_limit,
        v16.limit_said,
        lambda _evse_ids, keys: v16.ask_habits(keys),
        v16.said,
    ),
    "2.0.1": _variables(v201.ask_habits, v201.said),
    "2.1": _variables(v21.ask_habits, v21.said),
}


def limit_forms() -> tuple[Form, ...]:
    """Return the forms that ask a station how much it may be asked at once."""
    return tuple(Form.of((version,), each.action, each.limit()) for version, each in _ASKED.items())


def limit_said(outcome: Outcome) -> MessageLimit:
    """Return how much a station may be asked at once, by what came of asking it."""
    asked = _ASKED.get(outcome.version)
    return MessageLimit() if asked is None else asked.limit_said(outcome.members)


def habits_forms(
    version: str, evse_ids: Collection[int], limit_keys: Collection[str], most: MessageLimit
) -> list[tuple[tuple[Form, ...], int]]:
    """Return the forms that ask a station what it can take, piece by piece, and how many questions are in each.

    None where its version is not known.
    """
    asked = _ASKED.get(version)
    if asked is None:
        return []
    found = pieces(asked.habits(evse_ids, limit_keys)[asked.asked], most)  # type: ignore[arg-type]
    return [((Form.of((version,), asked.action, {asked.asked: piece}),), len(piece)) for piece in found]


_TOO_MUCH: Final = frozenset(
    {
        "FormatViolation",
        "FormationViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
    }
)
"""How a station refuses that is asked more at once than it takes, in the spellings of all versions."""


def is_too_much(outcome: Outcome) -> bool:
    """Tell whether a station has refused as it was asked too much at once. Spec: OCPP 2.0.1 B06.FR.16, B06.FR.17."""
    return outcome.name == "refused" and outcome.error_code in _TOO_MUCH


def measurands_forms(measurands: Collection[str]) -> tuple[Form, ...]:
    """Return the forms that have a station sample what tells how much it draws."""
    return (
        Form.of(_V16, "ChangeConfiguration", v16.set_measurands(measurands)),
        Form.of(_V2, "SetVariables", v201.set_measurands(measurands)),
    )


def profiles_forms(request_id: int) -> tuple[Form, ...]:
    """Return the forms that have a station report its profiles; OCPP 1.6 has no words for it."""
    return (
        Form.of(_V201, "GetChargingProfiles", v201.get_profiles(request_id)),
        Form.of(_V21, "GetChargingProfiles", v21.get_profiles(request_id)),
    )


def entries_said(outcome: Outcome) -> tuple[dict[str, Any], ...]:
    """Return the values in what a station says of itself, as it writes them."""
    return entries_of(outcome.members.get(_ASKED[outcome.version].answered))


def said_by(version: str, entries: Sequence[dict[str, Any]], limit_keys: Collection[str] = ()) -> Said:
    """Return what a station says of itself by its values; only 1.6 has keys for its limit."""
    asked = _ASKED[version]
    return asked.said({asked.answered: list(entries)}, limit_keys)


_OF_STATUS: Final[dict[str, Answer]] = {
    "Accepted": "accepted",
    "Scheduled": "accepted",
    "Unknown": "accepted",  # ClearChargingProfile: it holds no such profile
    "NotSupported": "unsupported",
    "Rejected": "refused",
}
_OF_ERROR: Final[dict[str, Answer]] = {
    "NotImplemented": "unsupported",
    "NotSupported": "unsupported",
    "InternalError": "unknown",
    "GenericError": "unknown",
}
_OF_REASON: Final[dict[str, Answer]] = {
    "RateLimitExceeded": "limited",
    "NotEnabled": "unsupported",
    "TxNotFound": "absent",
    "UnsupportedPurpose": "unsupported",
    "UnsupportedRequest": "unsupported",
}


def answer_of(outcome: Outcome) -> Answer:
    """Return what an outcome says of an order. A refusal is believed even where its answer breaks the schema.

    Spec: OCPP 2.0.1 StatusInfoType.reasonCode (appendix 5); OCPP 2.1 K01 (RateLimitExceeded)
    """
    if outcome.name in ("undeliverable", "expired"):
        return "undelivered"
    if outcome.name == "timed_out":
        return "unknown"
    if outcome.name == "refused":
        return _OF_ERROR.get(outcome.error_code, "refused")
    answer = _OF_STATUS.get(outcome.status, "unknown")
    if answer == "refused":
        return _OF_REASON.get(outcome.reason_code, "refused")
    return "unknown" if outcome.broken else answer


_PULL: Final[Row[Pull, float | None]] = Row(v21.pull, Pulls, v21.pull_answer)
_REPORTED: Final[Row[ProfileReport, None]] = Row(v201.reported_profiles, Reports)

ROUTES: Final[Routes] = {
    ("2.0.1", "ReportChargingProfiles"): _REPORTED,
    ("2.1", "PullDynamicScheduleUpdate"): _PULL,
    ("2.1", "ReportChargingProfiles"): _REPORTED,
}

"""Habits of stations in the field that break the schemas, and what they make of a message."""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any


class Habit(StrEnum):
    """What a station does otherwise than the specification has it, in every message that gives it the chance."""

    ZONELESS_TIMES = "times without a zone, meaning UTC"
    EXTRA_MEMBERS = "members of its own in what it tells of connectors and transactions"
    LONG_SERIAL_NUMBER = "a serial number of 26 characters in OCPP 1.6"
    LONG_TOKENS = "tokens of 21 characters in OCPP 1.6, filled up with blanks"


def written(action: str, payload: Mapping[str, Json], habits: Collection[Habit]) -> dict[str, Json]:
    """Return the payload of a CALL as a station of these habits writes it."""
    meant = dict(payload)
    for habit in sorted(habits):
        meant = _WAYS[habit](action, meant)
    return meant


def _zoneless(_action: str, payload: Json) -> Json:
    if isinstance(payload, list):
        return [_zoneless(_action, each) for each in payload]
    if not isinstance(payload, Mapping):
        return payload
    return {
        name: value.removesuffix("Z") if name == "timestamp" and isinstance(value, str) else _zoneless(_action, value)
        for name, value in payload.items()
    }


def _extra(action: str, payload: Json) -> Json:
    return payload | {"vendorNote": "ok"} if action in _EXTENDED else payload


def _long_serial_number(_action: str, payload: Json) -> Json:
    serial = payload.get("chargePointSerialNumber")
    return payload if serial is None else payload | {"chargePointSerialNumber": f"{serial:0>26}"}


def _long_tokens(_action: str, payload: Json) -> Json:
    return payload | {"idTag": f"{payload['idTag']:<21}"} if "idTag" in payload else payload


_EXTENDED: Final = frozenset({"StatusNotification", "StartTransaction", "StopTransaction", "TransactionEvent"})
_WAYS: Final[Mapping[Habit, Callable[[str, Json], Json]]] = {
    Habit.ZONELESS_TIMES: _zoneless,
    Habit.EXTRA_MEMBERS: _extra,
    Habit.LONG_SERIAL_NUMBER: _long_serial_number,
    Habit.LONG_TOKENS: _long_tokens,
}

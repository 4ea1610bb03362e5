"""OCPP 2.0.1 and 2.1: the device model."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, Final

import msgspec
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_device.payload import time
from chargebus_device.variables.domain.place import ACTUAL, ATTRIBUTES, LARGEST_ID, NAME_LIMIT, Place
from chargebus_device.variables.domain.report import Part
from chargebus_device.variables.domain.request import Item
from chargebus_device.variables.domain.variable import READ_WRITE, VALUE_LIMIT, Reported

LONGEST: Final = 1000
"""Spec: OCPP 2.0.1 SetVariableDataType.attributeValue."""

_CONTROLLER: Final = "DeviceDataCtrlr"
_UNKNOWN: Final = frozenset({"UnknownVariable", "UnknownComponent"})

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


def limit(variable: str, action: str) -> Place:
    """Return where a station says how much of an action's request it takes.

    Spec: OCPP 2.0.1 Part 2 appendix 3 (DeviceDataCtrlr.ItemsPerMessage, BytesPerMessage)
    """
    return Place(component=_CONTROLLER, variable=variable, variable_instance=action)


def own(place: Place) -> Place | None:
    """Return a place in the words of 2.x, None: it has none for it."""
    return place if place.component else None


# What is asked


def get_base_report(report_id: int, base: str) -> dict[str, object]:
    """Return GetBaseReport. Spec: OCPP 2.0.1 B07."""
    return {"requestId": report_id, "reportBase": base}


def get_report(report_id: int, criteria: Sequence[str], items: Sequence[Item]) -> dict[str, object]:
    """Return GetReport. Spec: OCPP 2.0.1 B08."""
    wanted = [
        {"component": _component(item.place)} | ({"variable": _variable(item.place)} if item.place.variable else {})
        for item in items
    ]
    return {"requestId": report_id, "componentCriteria": list(criteria) or None, "componentVariable": wanted or None}


def get(items: Sequence[Item]) -> dict[str, object]:
    """Return GetVariables. Spec: OCPP 2.0.1 B06."""
    return {"getVariableData": [_named(item.place) for item in items]}


def change(items: Sequence[Item]) -> dict[str, object]:
    """Return SetVariables. Spec: OCPP 2.0.1 B05."""
    return {"setVariableData": [_set(item) for item in items]}


def _set(item: Item) -> dict[str, object]:
    return {"attributeValue": item.value, **_named(item.place)}


def _named(place: Place) -> dict[str, object]:
    kind = {} if place.attribute == ACTUAL else {"attributeType": place.attribute}
    return {**kind, "component": _component(place), "variable": _variable(place)}


def _component(place: Place) -> dict[str, object]:
    component: dict[str, object] = {"name": place.component}
    if place.component_instance:
        component["instance"] = place.component_instance
    if place.evse_id:
        connector = {"connectorId": place.connector_id} if place.connector_id else {}
        component["evse"] = {"id": place.evse_id, **connector}
    return component


def _variable(place: Place) -> dict[str, object]:
    instance = {"instance": place.variable_instance} if place.variable_instance else {}
    return {"name": place.variable, **instance}


# What is told


class _Evse(Payload, frozen=True, rename="camel"):
    id: int = 0
    connector_id: int = 0


class _Component(Payload, frozen=True, rename="camel"):
    name: str
    instance: str | None = None
    evse: _Evse | None = None


class _Variable(Payload, frozen=True, rename="camel"):
    name: str
    instance: str | None = None


class _Result(Payload, frozen=True, rename="camel"):
    """GetVariableResultType, SetVariableResultType."""

    component: _Component
    variable: _Variable
    attribute_status: str
    attribute_type: str | None = None
    attribute_value: str | None = None
    attribute_status_info: dict[str, Any] | None = None


class _Attribute(Payload, frozen=True, rename="camel"):
    """VariableAttributeType."""

    type: str | None = None
    value: str | None = None
    mutability: str | None = None
    persistent: bool | None = None
    constant: bool | None = None


class _Characteristics(Payload, frozen=True, rename="camel"):
    """VariableCharacteristicsType."""

    data_type: str | None = None
    supports_monitoring: bool | None = None
    unit: str | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    values_list: str | None = None


class _Datum(Payload, frozen=True, rename="camel"):
    """ReportDataType."""

    component: _Component
    variable: _Variable
    variable_attribute: tuple[_Attribute, ...] = ()
    variable_characteristics: _Characteristics | None = None


class _NotifyReport(Payload, frozen=True, rename="camel"):
    request_id: Whole
    seq_no: Whole = 0
    tbc: bool = False
    generated_at: str | None = None
    report_data: tuple[msgspec.Raw, ...] = ()


_read_report: Final = reader(_NotifyReport)
_read_datum: Final = reader(_Datum)


def part(frame: Frame) -> Part:
    """Read a NotifyReport; what of it cannot be read is passed over, and counted.

    Raises:
        UnusableCallError: it cannot be read at all.

    Spec: OCPP 2.0.1 B07.FR.07 to FR.10, B08.FR.09 to FR.12
    """
    try:
        said = _read_report(frame.payload)
    except msgspec.MsgspecError as error:
        raise UnusableCallError(str(error)) from error
    found: list[Reported] = []
    unread = 0
    for raw in said.report_data:
        try:
            found.extend(_variables(_read_datum(bytes(raw))))
        except (msgspec.MsgspecError, ValueError):
            unread += 1
    at = time(said.generated_at)
    return Part(frame.station_id, said.request_id, said.seq_no, not said.tbc, tuple(found), unread, at)


def _variables(datum: _Datum) -> Iterator[Reported]:
    """Spec: OCPP 2.0.1 VariableAttributeType (defaults: Actual, ReadWrite, not persistent, not constant)."""
    said = datum.variable_characteristics or _Characteristics()
    for attribute in datum.variable_attribute or (_Attribute(),):
        yield Reported(
            place=_place(datum.component, datum.variable, attribute.type),
            value=_value(attribute.value),
            mutability=_cut(attribute.mutability) or READ_WRITE,
            persistent=bool(attribute.persistent),
            constant=bool(attribute.constant),
            unit=_cut(said.unit) or None,
            data_type=_cut(said.data_type) or None,
            min_limit=_finite(said.min_limit),
            max_limit=_finite(said.max_limit),
            values_list=_value(said.values_list),
            supports_monitoring=said.supports_monitoring,
        )


def told(members: Mapping[str, Any]) -> list[tuple[Reported, str]]:
    """Return what a station answers to GetVariables, each with its status; what cannot be read is passed over."""
    found = []
    for result in _results(members.get("getVariableResult")):
        place = _place(result.component, result.variable, result.attribute_type)
        status = _cut(result.attribute_status)
        value = _value(result.attribute_value) if status == "Accepted" else None
        found.append((Reported(place=place, value=value, is_known=status not in _UNKNOWN), status))
    return found


def unread(members: Mapping[str, Any]) -> int:
    """Return how much of what a station answers to GetVariables cannot be read."""
    given = members.get("getVariableResult")
    return len(given) - len(told(members)) if isinstance(given, list) else 1


def changed(members: Mapping[str, Any], _items: Sequence[Item]) -> list[tuple[Place, str, str]]:
    """Return what became of the variables that were set, each with what the station adds."""
    return [
        (
            _place(result.component, result.variable, result.attribute_type),
            _cut(result.attribute_status),
            _info(result.attribute_status_info or {}),
        )
        for result in _results(members.get("setVariableResult"))
    ]


def _results(given: object) -> Iterator[_Result]:
    for each in given if isinstance(given, list) else ():
        try:
            result = msgspec.convert(each, _Result, strict=False)
            _place(result.component, result.variable, result.attribute_type)
        except (msgspec.ValidationError, ValueError):
            continue
        yield result


def _info(info: Mapping[str, Any]) -> str:
    """Spec: OCPP 2.0.1 StatusInfoType."""
    return ": ".join(_cut(str(info[name])) for name in ("reasonCode", "additionalInfo") if info.get(name))


def _place(component: _Component, variable: _Variable, attribute: str | None) -> Place:
    evse = component.evse or _Evse()
    name, kind = _cut(component.name), _cut(attribute) or ACTUAL
    if not name or not _cut(variable.name) or kind not in ATTRIBUTES:
        raise ValueError("no variable has such a name or attribute")
    if not (0 <= evse.id <= LARGEST_ID and 0 <= evse.connector_id <= LARGEST_ID):
        raise ValueError("no EVSE has such a number")
    return Place(
        name, _cut(component.instance), evse.id, evse.connector_id, _cut(variable.name), _cut(variable.instance), kind
    )


def _cut(text: str | None) -> str:
    return clean(text)[:NAME_LIMIT]


def _value(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "")[:VALUE_LIMIT]


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None

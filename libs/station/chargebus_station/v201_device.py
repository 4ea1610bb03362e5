"""OCPP 2.x: the commands about the device model: variables and reports."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from chargebus_ocppj.timestamps import format_timestamp

from chargebus_station import networks
from chargebus_station.commands import CommandDecider
from chargebus_station.device_model import DataType, Mutability, Setting, Variable, VariableAddress, VariableStatus
from chargebus_station.dialect import Handler
from chargebus_station.effects import Message, Reconnect, Reply, Tell, TooMuchError, status
from chargebus_station.v201_variables import ADDRESSES, most_items

Payload = dict[str, Any]

ITEMS_PER_MESSAGE: Final = 20
SUMMARY: Final = frozenset({"AvailabilityState", "Available", "Problem"})


_LARGEST: Final = "MaxSet"
_BASES: Final[Mapping[str, Callable[[VariableAddress, Variable], bool]]] = {
    "FullInventory": lambda _address, _variable: True,
    "ConfigurationInventory": lambda _address, variable: variable.mutability is not Mutability.READ_ONLY,
    "SummaryInventory": lambda address, _variable: address.variable in SUMMARY,
}


def address_of(component: Mapping[str, Any], variable: Mapping[str, Any]) -> VariableAddress:
    """Read a ComponentType and a VariableType."""
    evse = component.get("evse", {})
    return VariableAddress(
        component["name"],
        variable.get("name", ""),
        evse.get("id", 0),
        evse.get("connectorId", 0),
        component.get("instance", ""),
        variable.get("instance", ""),
    )


def component_of(address: VariableAddress) -> Payload:
    """Write a ComponentType."""
    component: Payload = {"name": address.component}
    if address.component_instance:
        component["instance"] = address.component_instance
    if address.connector_id:
        component["evse"] = {"id": address.evse_id, "connectorId": address.connector_id}
    elif address.evse_id:
        component["evse"] = {"id": address.evse_id}
    return component


def variable_of(address: VariableAddress) -> Payload:
    """Write a VariableType."""
    variable = {"name": address.variable}
    return {**variable, "instance": address.variable_instance} if address.variable_instance else variable


def get_variables(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 B06; B06.FR.16 (more items than it takes)."""
    _check(decider, "GetVariables", payload["getVariableData"])
    return Reply({"getVariableResult": [_read(decider, wanted) for wanted in payload["getVariableData"]]})


def _check(decider: CommandDecider, action: str, items: Sequence[Payload]) -> None:
    most = decider.state.device.value(most_items(action))
    if len(items) > int(most):
        raise TooMuchError(f"{action} may have {most} items")


def _read(decider: CommandDecider, wanted: Payload) -> Payload:
    result = {"component": wanted["component"], "variable": wanted["variable"]}
    attribute = wanted.get("attributeType", "Actual")
    outcome, value = decider.state.device.read(address_of(wanted["component"], wanted["variable"]))
    if outcome is VariableStatus.ACCEPTED and attribute != "Actual":
        bound = _bound(decider, wanted) if attribute == _LARGEST else None
        if bound is None:
            return {"attributeStatus": "NotSupportedAttributeType", "attributeType": attribute, **result}
        value = bound
    shown = {"attributeValue": value} if outcome is VariableStatus.ACCEPTED else {}
    return {"attributeStatus": outcome.value, "attributeType": attribute, **shown, **result}


def _bound(decider: CommandDecider, wanted: Payload) -> str | None:
    """Return the largest value of a variable that only the station sets, where it has one."""
    variable = decider.state.device.get(address_of(wanted["component"], wanted["variable"]))
    if variable is None or variable.mutability is not Mutability.READ_ONLY or math.isinf(variable.maximum):
        return None
    return f"{variable.maximum:g}"


def set_variables(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 B05; a new password makes the station connect again with it (A01.FR.10).

    B05.FR.11: more items than it takes.
    """
    _check(decider, "SetVariables", payload["setVariableData"])
    settings = decider.state.settings
    password = settings.text(Setting.PASSWORD)
    results = [_write(decider, wanted) for wanted in payload["setVariableData"]]
    return Reply({"setVariableResult": results}, () if settings.text(Setting.PASSWORD) == password else (Reconnect(),))


def _write(decider: CommandDecider, wanted: Payload) -> Payload:
    result = {"component": wanted["component"], "variable": wanted["variable"]}
    attribute = wanted.get("attributeType", "Actual")
    address = address_of(wanted["component"], wanted["variable"])
    if attribute != "Actual" and decider.state.device.get(address) is not None:
        return {"attributeType": attribute, "attributeStatus": "NotSupportedAttributeType", **result}
    is_order = address == ADDRESSES[Setting.NETWORK_PRIORITY]
    if is_order and not networks.has_all(decider, wanted["attributeValue"]):
        return {"attributeType": attribute, "attributeStatus": "Rejected", **result}
    outcome = decider.state.device.write(address, wanted["attributeValue"])
    return {"attributeType": attribute, "attributeStatus": outcome.value, **result}


def get_base_report(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 B07."""
    wanted = _BASES[payload["reportBase"]]
    found = [(address, variable) for address, variable in decider.state.device.items() if wanted(address, variable)]
    return _report(decider, payload["requestId"], found)


def get_report(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 B08; this station has no problem, and all of its components are enabled and available."""
    if payload.get("componentCriteria") == ["Problem"]:
        return status("EmptyResultSet")
    wanted = payload.get("componentVariable", [])
    _check(decider, "GetReport", wanted)
    found = [
        (address, variable)
        for address, variable in decider.state.device.items()
        if not wanted or any(_fits(address, each) for each in wanted)
    ]
    return _report(decider, payload["requestId"], found)


def _fits(address: VariableAddress, wanted: Payload) -> bool:
    sought = address_of(wanted["component"], wanted.get("variable", {}))
    return (
        sought.component == address.component
        and sought.variable in {"", address.variable}
        and sought.evse_id in {0, address.evse_id}
        and sought.connector_id in {0, address.connector_id}
    )


def _report(decider: CommandDecider, request_id: int, found: Sequence[tuple[VariableAddress, Variable]]) -> Reply:
    if not found:
        return status("EmptyResultSet")
    data = [_described(address, variable) for address, variable in found]
    return status("Accepted", in_parts(decider, "NotifyReport", "reportData", request_id, data))


def in_parts(decider: CommandDecider, action: str, member: str, request_id: int, data: Sequence[Payload]) -> Tell:
    """Return a report as messages of bounded size. Spec: OCPP 2.0.1 B07.FR.08, B08.FR.10, N02.FR.04."""
    parts = [data[start : start + ITEMS_PER_MESSAGE] for start in range(0, len(data), ITEMS_PER_MESSAGE)]
    stem = {"requestId": request_id, "generatedAt": format_timestamp(decider.now)}
    return Tell(
        tuple(
            Message(action, {**stem, "tbc": seq_no < len(parts) - 1, "seqNo": seq_no, member: part})
            for seq_no, part in enumerate(parts)
        )
    )


def _described(address: VariableAddress, variable: Variable) -> Payload:
    attribute: Payload = {"type": "Actual", "mutability": variable.mutability.value}
    if variable.mutability is not Mutability.WRITE_ONLY:
        attribute["value"] = variable.value
    characteristics: Payload = {"dataType": variable.data_type.value, "supportsMonitoring": False}
    if variable.maximum < math.inf:
        characteristics["maxLimit"] = variable.maximum
    if variable.unit:
        characteristics["unit"] = variable.unit
    if variable.data_type in {DataType.OPTION_LIST, DataType.MEMBER_LIST}:
        characteristics["valuesList"] = ",".join(variable.allowed)
    return {
        "component": component_of(address),
        "variable": variable_of(address),
        "variableAttribute": [attribute],
        "variableCharacteristics": characteristics,
    }


COMMANDS: Final[Mapping[str, Handler]] = {
    "GetBaseReport": get_base_report,
    "GetReport": get_report,
    "GetVariables": get_variables,
    "SetVariables": set_variables,
}

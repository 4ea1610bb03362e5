"""OCPP 2.0.1 and 2.1: how a station is told its password and its network, and what it says to that."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chargebus_ocppj.payloads import clean

from chargebus_security.credentials.domain.upgrade import Network

_PASSWORD: Final = ("SecurityCtrlr", "BasicAuthPassword")
_SLOT_URL: Final = ("NetworkConfiguration", "OcppCsmsUrl")
_ACCEPTED: Final = "Accepted"
_PRIORITY: Final = ("OCPPCommCtrlr", "NetworkConfigurationPriority")


def password(secret: str) -> dict[str, object]:
    """Return the new password. Spec: OCPP 2.0.1 A01.FR.01 to A01.FR.03."""
    return {"setVariableData": [_data(_PASSWORD) | {"attributeValue": secret}]}


def read_priority() -> dict[str, object]:
    """Return the question in which order a station tries its networks. Spec: OCPP 2.0.1 B09, B10."""
    return {"getVariableData": [_data(_PRIORITY)]}


def read_slots(slots: Sequence[str]) -> dict[str, object]:
    """Return the question where the networks of some slots lead. Spec: OCPP 2.1 Part 2, NetworkConfiguration."""
    return {"getVariableData": [_data(_SLOT_URL, slot) for slot in slots]}


def held_slots(members: Mapping[str, Any]) -> str:
    """Return a line for each slot that holds a network, of an answer that tells of some, or of none."""
    listed = members.get("getVariableResult")
    told = [each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)]
    found = ((_instance(each), each.get("attributeValue")) for each in told if each.get("attributeStatus") == _ACCEPTED)
    return "\n".join(f"{slot} {clean(url)}" for slot, url in found if slot and isinstance(url, str) and clean(url))


def priority(value: str) -> dict[str, object]:
    """Return the order in which a station is to try its networks. Spec: OCPP 2.0.1 B10.FR.01 to B10.FR.03."""
    return {"setVariableData": [_data(_PRIORITY) | {"attributeValue": value}]}


def network(network: Network, slot: int, profile: int, version: str | None) -> dict[str, object]:
    """Return a network with a security profile; 2.1 needs no `version`. Spec: OCPP 2.0.1 B09, A05.FR.02."""
    connection = {
        "messageTimeout": network.message_timeout_s,
        "ocppCsmsUrl": network.url,
        "ocppInterface": network.interface,
        "ocppTransport": "JSON",
        "ocppVersion": version,
        "securityProfile": profile,
    }
    told = {name: value for name, value in connection.items() if value is not None}
    return {"configurationSlot": slot, "connectionData": told}


def reset(*, at_any_time: bool) -> dict[str, object]:
    """Return how it is restarted. Spec: OCPP 2.0.1 B11, B12."""
    return {"type": "Immediate" if at_any_time else "OnIdle"}


def result(members: Mapping[str, Any], list_name: str) -> Mapping[str, Any]:
    """Return what an answer says of its one variable; empty: nothing that can be read."""
    found = members.get(list_name)
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, dict) else {}


def _instance(told: Mapping[str, Any]) -> str:
    component = told.get("component")
    instance = component.get("instance") if isinstance(component, dict) else None
    return clean(instance) if isinstance(instance, str) and clean(instance).isdigit() else ""


def _data(place: tuple[str, str], instance: str = "") -> dict[str, object]:
    component, variable = place
    named = {"name": component} | ({"instance": instance} if instance else {})
    return {"component": named, "variable": {"name": variable}}

"""OCPP 2.0.1 and 2.1: how a station is told its password and its network, and what it says to that."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_security.credentials.domain.upgrade import Network

_PASSWORD: Final = ("SecurityCtrlr", "BasicAuthPassword")
_PRIORITY: Final = ("OCPPCommCtrlr", "NetworkConfigurationPriority")


def password(secret: str) -> dict[str, object]:
    """Return the new password. Spec: OCPP 2.0.1 A01.FR.01 to A01.FR.03."""
    return {"setVariableData": [_data(_PASSWORD) | {"attributeValue": secret}]}


def read_priority() -> dict[str, object]:
    """Return the question in which order a station tries its networks. Spec: OCPP 2.0.1 B09, B10."""
    return {"getVariableData": [_data(_PRIORITY)]}


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


def _data(place: tuple[str, str]) -> dict[str, object]:
    component, variable = place
    return {"component": {"name": component}, "variable": {"name": variable}}

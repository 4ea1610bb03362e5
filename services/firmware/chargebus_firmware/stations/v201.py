"""OCPP 2.0.1 and 2.1: how a station is asked over what it transfers files."""

from collections.abc import Mapping
from typing import Any, Final

_COMPONENT: Final = "OCPPCommCtrlr"
_VARIABLE: Final = "FileTransferProtocols"


def get_variables() -> dict[str, object]:
    """Return GetVariables. Spec: OCPP 2.0.1 Part 2, 2.1.4 (FileTransferProtocols)."""
    return {"getVariableData": [{"component": {"name": _COMPONENT}, "variable": {"name": _VARIABLE}}]}


def told(members: Mapping[str, Any]) -> object:
    """Return what a station answered to it, whatever that is."""
    results = members.get("getVariableResult")
    found = [each for each in results if isinstance(each, dict)] if isinstance(results, list) else []
    return next((each.get("attributeValue") for each in found if each.get("attributeStatus") == "Accepted"), None)

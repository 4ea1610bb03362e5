"""OCPP 2.x: the commands about monitors; they are kept and reported, but nothing here ever crosses a threshold."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_station.commands import CommandDecider
from chargebus_station.device_model import VariableStatus
from chargebus_station.dialect import Handler
from chargebus_station.effects import Reply, status
from chargebus_station.v201_device import address_of, in_parts

Payload = dict[str, Any]

_CRITERIA: Final[Mapping[str, str]] = {
    "UpperThreshold": "ThresholdMonitoring",
    "LowerThreshold": "ThresholdMonitoring",
    "Delta": "DeltaMonitoring",
    "Periodic": "PeriodicMonitoring",
    "PeriodicClockAligned": "PeriodicMonitoring",
}


def set_monitoring_base(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N03."""
    return status("Accepted")


def set_monitoring_level(_decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N05.FR.03."""
    return status("Accepted" if payload["severity"] in range(10) else "Rejected")


def set_variable_monitoring(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N04."""
    return Reply({"setMonitoringResult": [_set(decider, wanted) for wanted in payload["setMonitoringData"]]})


def _set(decider: CommandDecider, wanted: Payload) -> Payload:
    told = {name: wanted[name] for name in ("type", "severity", "component", "variable")}
    outcome, _ = decider.state.device.read(address_of(wanted["component"], wanted["variable"]))
    if outcome is not VariableStatus.ACCEPTED:
        return {"status": outcome.value, **told}
    monitors = decider.state.monitors
    if "id" in wanted and wanted["id"] not in monitors:
        return {"id": wanted["id"], "status": "Rejected", **told}
    number = wanted.get("id", max(monitors, default=0) + 1)
    monitors[number] = {**wanted, "id": number}
    return {"id": number, "status": "Accepted", **told}


def clear_variable_monitoring(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N06."""
    results = [
        {"id": number, "status": "NotFound" if decider.state.monitors.pop(number, None) is None else "Accepted"}
        for number in payload["id"]
    ]
    return Reply({"clearMonitoringResult": results})


def get_monitoring_report(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N02."""
    return report(decider, payload, {})


def report(decider: CommandDecider, payload: Payload, more: Mapping[str, object]) -> Reply:
    """Report the monitors, with what a later version tells more of each."""
    criteria = payload.get("monitoringCriteria")
    data = [
        {
            "component": monitor["component"],
            "variable": monitor["variable"],
            "variableMonitoring": [
                {
                    "id": number,
                    "transaction": monitor.get("transaction", False),
                    "value": monitor["value"],
                    "type": monitor["type"],
                    "severity": monitor["severity"],
                    **more,
                }
            ],
        }
        for number, monitor in decider.state.monitors.items()
        if criteria is None or _CRITERIA.get(monitor["type"]) in criteria
    ]
    if not data:
        return status("EmptyResultSet")
    return status("Accepted", in_parts(decider, "NotifyMonitoringReport", "monitor", payload["requestId"], data))


COMMANDS: Final[Mapping[str, Handler]] = {
    "ClearVariableMonitoring": clear_variable_monitoring,
    "GetMonitoringReport": get_monitoring_report,
    "SetMonitoringBase": set_monitoring_base,
    "SetMonitoringLevel": set_monitoring_level,
    "SetVariableMonitoring": set_variable_monitoring,
}

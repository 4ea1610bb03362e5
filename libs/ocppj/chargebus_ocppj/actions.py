"""The action table: every OCPP action, who starts it, which service owns it and who answers it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

import msgspec

from chargebus_ocppj.errors import NotImplementedRpcError, NotSupportedRpcError
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import Version

Initiator = Literal["station", "csms"]

AnsweredBy = Literal["edge", "service", "station", "nobody"]
"""`edge`: the answer is fixed; `service`: the owner decides it; `nobody`: the action travels as a SEND."""


class Action(msgspec.Struct, frozen=True):
    """One action in one direction.

    `service` is the owner: it gets the station's calls, and it is the one that makes the CSMS's.
    `block` is the functional block of OCPP 2.x (for 1.6: the one where it would stand).
    """

    name: str
    versions: tuple[Version, ...]
    initiator: Initiator
    service: str
    answered_by: AnsweredBy
    block: str


_ALL: Final[tuple[Version, ...]] = ("1.6", "2.0.1", "2.1")
_V16: Final[tuple[Version, ...]] = ("1.6",)
_V2: Final[tuple[Version, ...]] = ("2.0.1", "2.1")
_V21: Final[tuple[Version, ...]] = ("2.1",)

# fmt: off
ACTIONS: Final[tuple[Action, ...]] = (
    Action("BootNotification", _ALL, "station", "device", "service", "B Provisioning"),
    Action("ClosePeriodicEventStream", _V21, "station", "device", "edge", "N Diagnostics"),
    Action("DataTransfer", _ALL, "station", "device", "service", "P DataTransfer"),
    Action("Heartbeat", _ALL, "station", "device", "edge", "G Availability"),
    Action("NotifyMonitoringReport", _V2, "station", "device", "edge", "N Diagnostics"),
    Action("NotifyPeriodicEventStream", _V21, "station", "device", "nobody", "N Diagnostics"),
    Action("NotifyReport", _V2, "station", "device", "edge", "B Provisioning"),
    Action("OpenPeriodicEventStream", _V21, "station", "device", "service", "N Diagnostics"),
    Action("StatusNotification", _ALL, "station", "device", "edge", "G Availability"),
    Action("DiagnosticsStatusNotification", _V16, "station", "firmware", "edge", "N Diagnostics"),
    Action("FirmwareStatusNotification", _ALL, "station", "firmware", "edge", "L Firmware"),
    Action("LogStatusNotification", _ALL, "station", "firmware", "edge", "N Diagnostics"),
    Action("PublishFirmwareStatusNotification", _V2, "station", "firmware", "edge", "L Firmware"),
    Action("SignedFirmwareStatusNotification", _V16, "station", "firmware", "edge", "L Firmware (security extension)"),
    Action("MeterValues", _ALL, "station", "metering", "edge", "J Metering"),
    Action("NotifyCustomerInformation", _V2, "station", "notification", "edge", "N Diagnostics"),
    Action("NotifyDisplayMessages", _V2, "station", "notification", "edge", "O Display message"),
    Action("NotifyEvent", _V2, "station", "notification", "edge", "N Diagnostics"),
    Action("SecurityEventNotification", _ALL, "station", "notification", "edge", "A Security"),
    Action("Get15118EVCertificate", _V2, "station", "security", "service", "M ISO 15118 certificates"),
    Action("GetCertificateChainStatus", _V21, "station", "security", "service", "M ISO 15118 certificates"),
    Action("GetCertificateStatus", _V2, "station", "security", "service", "M ISO 15118 certificates"),
    Action("SignCertificate", _ALL, "station", "security", "service", "A Security"),
    Action("Authorize", _ALL, "station", "session", "service", "C Authorization"),
    Action("BatterySwap", _V21, "station", "session", "edge", "S Battery swap"),
    Action("NotifySettlement", _V21, "station", "session", "service", "I Tariff and cost"),
    Action("ReservationStatusUpdate", _V2, "station", "session", "edge", "H Reservation"),
    Action("StartTransaction", _V16, "station", "session", "service", "E Transactions"),
    Action("StopTransaction", _V16, "station", "session", "service", "E Transactions"),
    Action("TransactionEvent", _V2, "station", "session", "service", "E Transactions"),
    Action("VatNumberValidation", _V21, "station", "session", "service", "I Tariff and cost"),
    Action("ClearedChargingLimit", _V2, "station", "smart-charging", "edge", "K Smart charging"),
    Action("NotifyChargingLimit", _V2, "station", "smart-charging", "edge", "K Smart charging"),
    Action("NotifyDERAlarm", _V21, "station", "smart-charging", "edge", "R DER control"),
    Action("NotifyDERStartStop", _V21, "station", "smart-charging", "edge", "R DER control"),
    Action("NotifyEVChargingNeeds", _V2, "station", "smart-charging", "service", "K Smart charging"),
    Action("NotifyEVChargingSchedule", _V2, "station", "smart-charging", "service", "K Smart charging"),
    Action("NotifyPriorityCharging", _V21, "station", "smart-charging", "edge", "K Smart charging"),
    Action("PullDynamicScheduleUpdate", _V21, "station", "smart-charging", "service", "K Smart charging"),
    Action("ReportChargingProfiles", _V2, "station", "smart-charging", "edge", "K Smart charging"),
    Action("ReportDERControl", _V21, "station", "smart-charging", "edge", "R DER control"),
    Action("AdjustPeriodicEventStream", _V21, "csms", "device", "station", "N Diagnostics"),
    Action("ChangeAvailability", _ALL, "csms", "device", "station", "G Availability"),
    Action("ChangeConfiguration", _V16, "csms", "device", "station", "B Provisioning"),
    Action("ClearVariableMonitoring", _V2, "csms", "device", "station", "N Diagnostics"),
    Action("DataTransfer", _ALL, "csms", "device", "station", "P DataTransfer"),
    Action("ExtendedTriggerMessage", _V16, "csms", "device", "station", "F Remote control (security extension)"),
    Action("GetBaseReport", _V2, "csms", "device", "station", "B Provisioning"),
    Action("GetConfiguration", _V16, "csms", "device", "station", "B Provisioning"),
    Action("GetMonitoringReport", _V2, "csms", "device", "station", "N Diagnostics"),
    Action("GetPeriodicEventStream", _V21, "csms", "device", "station", "N Diagnostics"),
    Action("GetReport", _V2, "csms", "device", "station", "B Provisioning"),
    Action("GetVariables", _V2, "csms", "device", "station", "B Provisioning"),
    Action("Reset", _ALL, "csms", "device", "station", "B Provisioning"),
    Action("SetMonitoringBase", _V2, "csms", "device", "station", "N Diagnostics"),
    Action("SetMonitoringLevel", _V2, "csms", "device", "station", "N Diagnostics"),
    Action("SetNetworkProfile", _V2, "csms", "device", "station", "B Provisioning"),
    Action("SetVariableMonitoring", _V2, "csms", "device", "station", "N Diagnostics"),
    Action("SetVariables", _V2, "csms", "device", "station", "B Provisioning"),
    Action("TriggerMessage", _ALL, "csms", "device", "station", "F Remote control"),
    Action("UnlockConnector", _ALL, "csms", "device", "station", "F Remote control"),
    Action("GetDiagnostics", _V16, "csms", "firmware", "station", "N Diagnostics"),
    Action("GetLog", _ALL, "csms", "firmware", "station", "N Diagnostics"),
    Action("PublishFirmware", _V2, "csms", "firmware", "station", "L Firmware"),
    Action("SignedUpdateFirmware", _V16, "csms", "firmware", "station", "L Firmware (security extension)"),
    Action("UnpublishFirmware", _V2, "csms", "firmware", "station", "L Firmware"),
    Action("UpdateFirmware", _ALL, "csms", "firmware", "station", "L Firmware"),
    Action("ClearDisplayMessage", _V2, "csms", "notification", "station", "O Display message"),
    Action("CustomerInformation", _V2, "csms", "notification", "station", "N Diagnostics"),
    Action("GetDisplayMessages", _V2, "csms", "notification", "station", "O Display message"),
    Action("SetDisplayMessage", _V2, "csms", "notification", "station", "O Display message"),
    Action("CertificateSigned", _ALL, "csms", "security", "station", "A Security"),
    Action("DeleteCertificate", _ALL, "csms", "security", "station", "M ISO 15118 certificates"),
    Action("GetInstalledCertificateIds", _ALL, "csms", "security", "station", "M ISO 15118 certificates"),
    Action("InstallCertificate", _ALL, "csms", "security", "station", "M ISO 15118 certificates"),
    Action("CancelReservation", _ALL, "csms", "session", "station", "H Reservation"),
    Action("ChangeTransactionTariff", _V21, "csms", "session", "station", "I Tariff and cost"),
    Action("ClearCache", _ALL, "csms", "session", "station", "C Authorization"),
    Action("ClearTariffs", _V21, "csms", "session", "station", "I Tariff and cost"),
    Action("CostUpdated", _V2, "csms", "session", "station", "I Tariff and cost"),
    Action("GetLocalListVersion", _ALL, "csms", "session", "station", "D Local authorization list"),
    Action("GetTariffs", _V21, "csms", "session", "station", "I Tariff and cost"),
    Action("GetTransactionStatus", _V2, "csms", "session", "station", "E Transactions"),
    Action("NotifyWebPaymentStarted", _V21, "csms", "session", "station", "C Authorization"),
    Action("RemoteStartTransaction", _V16, "csms", "session", "station", "F Remote control"),
    Action("RemoteStopTransaction", _V16, "csms", "session", "station", "F Remote control"),
    Action("RequestBatterySwap", _V21, "csms", "session", "station", "S Battery swap"),
    Action("RequestStartTransaction", _V2, "csms", "session", "station", "F Remote control"),
    Action("RequestStopTransaction", _V2, "csms", "session", "station", "F Remote control"),
    Action("ReserveNow", _ALL, "csms", "session", "station", "H Reservation"),
    Action("SendLocalList", _ALL, "csms", "session", "station", "D Local authorization list"),
    Action("SetDefaultTariff", _V21, "csms", "session", "station", "I Tariff and cost"),
    Action("AFRRSignal", _V21, "csms", "smart-charging", "station", "Q Bidirectional power transfer"),
    Action("ClearChargingProfile", _ALL, "csms", "smart-charging", "station", "K Smart charging"),
    Action("ClearDERControl", _V21, "csms", "smart-charging", "station", "R DER control"),
    Action("GetChargingProfiles", _V2, "csms", "smart-charging", "station", "K Smart charging"),
    Action("GetCompositeSchedule", _ALL, "csms", "smart-charging", "station", "K Smart charging"),
    Action("GetDERControl", _V21, "csms", "smart-charging", "station", "R DER control"),
    Action("NotifyAllowedEnergyTransfer", _V21, "csms", "smart-charging", "station", "Q Bidirectional power transfer"),
    Action("SetChargingProfile", _ALL, "csms", "smart-charging", "station", "K Smart charging"),
    Action("SetDERControl", _V21, "csms", "smart-charging", "station", "R DER control"),
    Action("UpdateDynamicSchedule", _V21, "csms", "smart-charging", "station", "K Smart charging"),
    Action("UsePriorityCharging", _V21, "csms", "smart-charging", "station", "K Smart charging"),
)
# fmt: on

_BY_KEY: Final[Mapping[tuple[str, str, str], Action]] = {
    (version, action.initiator, action.name): action for action in ACTIONS for version in action.versions
}
_KNOWN: Final[frozenset[tuple[str, str]]] = frozenset((version, name) for version, _, name in _BY_KEY)


ABOUT_TRANSACTIONS: Final = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent", "MeterValues"})
"""What stations say of transactions: nothing of it may be lost, not even what nobody can read."""


def lookup(version: str, action: str, initiator: Initiator = "station") -> Action | None:
    """Return the row of an action that `initiator` may start in `version`, or None."""
    return _BY_KEY.get((version, initiator, action))


def is_known(version: str, action: str) -> bool:
    """Return whether the version has the action, whoever starts it."""
    return (version, action) in _KNOWN


def require_call(version: Version, action: str, initiator: Initiator = "station") -> Action:
    """Return the row of an action that came as a CALL.

    Raises:
        NotImplementedRpcError: the version does not have the action.
        NotSupportedRpcError: it has, but it is for the other side to start, or travels as a SEND only.

    Spec: OCPP-J 1.6 4.2.3; OCPP 2.0.1 and 2.1 Part 4, 4.3
    """
    row = lookup(version, action, initiator)
    if row is not None and row.answered_by != "nobody":
        return row
    raise _stray(version, action)


def require_send(version: Version, action: str, initiator: Initiator = "station") -> Action:
    """Return the row of an action that came as a SEND.

    Raises:
        NotImplementedRpcError: the version does not have the action.
        NotSupportedRpcError: it has, but it wants an answer, so it is no SEND. (A SEND is not answered, not even so.)

    Spec: OCPP 2.1 Part 4, 4.2.4
    """
    row = lookup(version, action, initiator)
    if row is not None and row.answered_by == "nobody":
        return row
    raise _stray(version, action)


def _stray(version: Version, action: str) -> NotImplementedRpcError | NotSupportedRpcError:
    if is_known(version, action):
        return NotSupportedRpcError(version, f"{action} is not for this side to answer")
    return NotImplementedRpcError(version, f"{action!r} is not an action of OCPP {version}")


def empty_answer(version: Version, action: str, now: datetime) -> bytes:
    """Return the fixed CALLRESULT payload of an action that the edge answers by itself.

    Raises:
        KeyError: the action is not one of those.
    """
    row = _BY_KEY[version, "station", action]
    if row.answered_by != "edge":
        raise KeyError(action)
    return _ANSWERS.get(action, _nothing)(now)


def _nothing(_now: datetime) -> bytes:
    return b"{}"


def _current_time(now: datetime) -> bytes:
    return _time_answer(now.replace(microsecond=now.microsecond // 1000 * 1000))


@lru_cache(maxsize=16)  # a mass of heartbeats is answered within one millisecond
def _time_answer(millisecond: datetime) -> bytes:
    return b'{"currentTime":"%s"}' % format_timestamp(millisecond).encode()


_ANSWERS: Final[Mapping[str, Callable[[datetime], bytes]]] = {"Heartbeat": _current_time}

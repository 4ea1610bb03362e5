"""OCPP 2.1: what it adds to 2.0.1."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import Version

from chargebus_station import displays, v201_commands, v201_monitoring
from chargebus_station.commands import CommandDecider
from chargebus_station.config import StationConfig
from chargebus_station.device_model import DataType, Setting, Variable, VariableAddress, table
from chargebus_station.dialect import Handler
from chargebus_station.effects import LimitsChanged, Reply, status
from chargebus_station.profiles import Profile
from chargebus_station.v201 import V201
from chargebus_station.v201_smart_charging import profile_of
from chargebus_station.v201_variables import display_messages, fixed

Payload = dict[str, Any]


def get_monitoring_report(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 N02: a monitor says whose it is."""
    return v201_monitoring.report(decider, payload, {"eventNotificationType": "CustomMonitor"})


def set_default_tariff(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 I07."""
    if not decider.evses(payload["evseId"]):
        return status("Rejected")
    decider.state.tariffs[payload["evseId"]] = payload["tariff"]
    return status("Accepted")


def get_tariffs(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 I08."""
    wanted = payload["evseId"]
    found = [
        {"tariffId": tariff["tariffId"], "tariffKind": "DefaultTariff", **({"evseIds": [evse_id]} if evse_id else {})}
        for evse_id, tariff in decider.state.tariffs.items()
        if wanted in {0, evse_id}
    ]
    return Reply({"status": "Accepted", "tariffAssignments": found}) if found else status("NoTariff")


def clear_tariffs(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 I09; without ids, every tariff (of the EVSE) is cleared."""
    evse_id = payload.get("evseId")
    present = {tariff["tariffId"]: place for place, tariff in decider.state.tariffs.items() if evse_id in {None, place}}
    results = []
    for tariff_id in payload.get("tariffIds", list(present)):
        place = present.get(tariff_id)
        word = "NoTariff" if place is None else "Accepted"
        if place is not None:
            del decider.state.tariffs[place]
        results.append({"tariffId": tariff_id, "status": word})
    return Reply({"clearTariffsResult": results or [{"status": "NoTariff"}]})


def change_transaction_tariff(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 I11."""
    return status("TxNotFound" if decider.state.transaction(payload["transactionId"]) is None else "Accepted")


def get_periodic_event_stream(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.1 N12: no stream is open."""
    return Reply()


def notify_web_payment_started(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.1 C25: whoever pays over the web will be authorized from afar, as any other driver."""
    return Reply()


def not_supported(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Say that there is no inverter here to control."""
    return status("NotSupported")


def use_priority_charging(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 K21: of an unknown transaction it is refused; without a profile for it there is no priority."""
    transaction_id = payload["transactionId"]
    evse = decider.state.transaction(transaction_id)
    if evse is None:
        return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}})
    if not any(p.purpose == "PriorityCharging" and p.evse_id in {0, evse.id} for p in decider.state.profiles.held):
        return status("NoProfile")
    if payload["activate"]:
        decider.state.priority.add(transaction_id)
    else:
        decider.state.priority.discard(transaction_id)
    return status("Accepted", LimitsChanged())


def update_dynamic_schedule(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.1 K29: only of a profile that there is, and that is dynamic."""
    profile_id = payload["chargingProfileId"]
    profile = next((each for each in decider.state.profiles.held if each.id == profile_id and each.dynamic), None)
    if profile is None:
        return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}})
    decider.state.profiles.install(updated(profile, payload["scheduleUpdate"], decider.now), decider.now)
    return status("Accepted", LimitsChanged())


def updated(profile: Profile, update: Payload, now: datetime) -> Profile:
    """Return a dynamic profile with what a ChargingScheduleUpdateType says. Spec: OCPP 2.1 K28.FR.03, K29.FR.03."""
    schedule = profile.raw["chargingSchedule"][0]
    period = {**schedule["chargingSchedulePeriod"][0], **update}
    raw = {
        **profile.raw,
        "dynUpdateTime": format_timestamp(now),
        "chargingSchedule": [{**schedule, "chargingSchedulePeriod": [period]}],
    }
    return profile_of(profile.evse_id, raw, now)


ADDED: Final[Mapping[str, Handler]] = {
    "AFRRSignal": v201_commands.refuse,
    "AdjustPeriodicEventStream": v201_commands.refuse,
    "ChangeTransactionTariff": change_transaction_tariff,
    "ClearDERControl": not_supported,
    "ClearTariffs": clear_tariffs,
    "GetDERControl": not_supported,
    "GetMonitoringReport": get_monitoring_report,
    "GetPeriodicEventStream": get_periodic_event_stream,
    "GetTariffs": get_tariffs,
    "NotifyAllowedEnergyTransfer": v201_commands.refuse,
    "NotifyWebPaymentStarted": notify_web_payment_started,
    "RequestBatterySwap": v201_commands.refuse,
    "SetDERControl": not_supported,
    "SetDefaultTariff": set_default_tariff,
    "UpdateDynamicSchedule": update_dynamic_schedule,
    "UsePriorityCharging": use_priority_charging,
}


ADDRESSES: Final[Mapping[Setting, VariableAddress]] = {
    Setting.EXTERNAL_IDS_TO: VariableAddress("SmartChargingCtrlr", "MaxExternalConstraintsId"),
}


@dataclass(frozen=True)
class V21(V201):
    """The dialect of 2.1: its transaction messages are those of 2.0.1, and its device model has more."""

    version: ClassVar[Version] = "2.1"
    subprotocol: ClassVar[str] = "ocpp2.1"
    addresses: ClassVar[Mapping[Setting, VariableAddress]] = {**V201.addresses, **ADDRESSES}
    commands: ClassVar[Mapping[str, Handler]] = {**V201.commands, **ADDED}

    def variables(self, config: StationConfig) -> dict[VariableAddress, Variable]:
        """Return the device model. Spec: OCPP 2.1 Part 2, appendix 3 (DisplayMessageCtrlr, SmartChargingCtrlr)."""
        known = super().variables(config)
        del known[VariableAddress(displays.CONTROLLER, "NumberDisplayMessages")]
        added = {
            **table("SmartChargingCtrlr", _smart_charging()),
            **table(displays.CONTROLLER, _display()),
        }
        return known | added


def _display() -> Iterable[tuple[str, Variable]]:
    yield "DisplayMessages", display_messages()
    yield "QRCodeDisplayCapable", fixed("true", DataType.BOOLEAN)
    yield "SupportedFormats", fixed("ASCII,HTML,QRCODE,URI,UTF8", DataType.MEMBER_LIST)
    yield "SupportedStates", fixed("Charging,Discharging,Faulted,Idle,Suspended,Unavailable", DataType.MEMBER_LIST)


def _smart_charging() -> Iterable[tuple[str, Variable]]:
    yield "MaxExternalConstraintsId", fixed("0", DataType.INTEGER)
    yield "SupportsDynamicProfiles", fixed("true", DataType.BOOLEAN)
    yield "SupportsLimitAtSoC", fixed("true", DataType.BOOLEAN)
    yield "SupportsMaxOfflineDuration", fixed("true", DataType.BOOLEAN)
    yield "SupportsRandomizedDelay", fixed("true", DataType.BOOLEAN)

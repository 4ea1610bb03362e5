"""OCPP 1.6: what the charge point answers to each call of the central system."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp

from chargebus_station import breaking, certificates, networks, own_certificates
from chargebus_station.commands import CommandDecider, ListUpdate
from chargebus_station.device_model import Mutability, Setting, VariableAddress, VariableStatus
from chargebus_station.dialect import Handler
from chargebus_station.effects import (
    Announce,
    FirmwareOrder,
    LimitsChanged,
    LogOrder,
    Reconnect,
    Reply,
    Subject,
    Tell,
    TooMuchError,
    status,
)
from chargebus_station.profile_rules import Capabilities
from chargebus_station.profiles import Period, Profile, RateUnit
from chargebus_station.state import Operability, Reservation
from chargebus_station.transaction import IdToken, StopReason
from chargebus_station.transfers import Way

Payload = dict[str, Any]

_SUBJECTS: Final[Mapping[str, Subject]] = {
    "BootNotification": Subject.BOOT,
    "Heartbeat": Subject.HEARTBEAT,
    "StatusNotification": Subject.STATUS,
    "MeterValues": Subject.METER_VALUES,
}

_TOLD: Final = frozenset({"DiagnosticsStatusNotification", "FirmwareStatusNotification", "LogStatusNotification"})

_CONFIGURED: Final[Mapping[VariableStatus, str]] = {
    VariableStatus.ACCEPTED: "Accepted",
    VariableStatus.REJECTED: "Rejected",
    VariableStatus.REBOOT_REQUIRED: "RebootRequired",
    VariableStatus.UNKNOWN_COMPONENT: "NotSupported",
    VariableStatus.UNKNOWN_VARIABLE: "NotSupported",
}


def change_availability(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.2."""
    return decider.change_availability(payload["connectorId"], Operability(payload["type"]))


def change_configuration(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.3; security white paper A01 (AuthorizationKey), A05 (SecurityProfile)."""
    settings = decider.state.settings
    if payload["key"].casefold() == "securityprofile":
        return networks.set_profile_16(decider, payload["value"])
    password = settings.text(Setting.PASSWORD)
    outcome = decider.state.device.write(VariableAddress("", payload["key"]), payload["value"])
    return status(_CONFIGURED[outcome], *(() if settings.text(Setting.PASSWORD) == password else (Reconnect(),)))


def get_configuration(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.8; keys that only the central system may write are not shown."""
    most = decider.state.device.value(VariableAddress("", "GetConfigurationMaxKeys"))
    if len(payload.get("key", ())) > int(most):
        raise TooMuchError(f"GetConfiguration may have {most} keys")
    wanted = payload.get("key") or [address.variable for address, _ in decider.state.device.items()]
    shown, unknown = [], []
    for key in wanted:
        variable = decider.state.device.get(VariableAddress("", key))
        if variable is None:
            unknown.append(key)
        elif variable.mutability is not Mutability.WRITE_ONLY:
            read_only = variable.mutability is Mutability.READ_ONLY
            shown.append({"key": key, "readonly": read_only, "value": variable.value})
    return Reply({"configurationKey": shown, "unknownKey": unknown})


def clear_cache(decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.4."""
    decider.state.cache.clear()
    return status("Accepted")


def trigger_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.17; security white paper, ExtendedTriggerMessage."""
    wanted, evse_id = payload["requestedMessage"], payload.get("connectorId", 0)
    if not decider.evses(evse_id):
        return status("Rejected")
    if (subject := _SUBJECTS.get(wanted)) is not None:
        return status("Accepted", Announce(subject, evse_id))
    if wanted in _TOLD:
        return status("Accepted", Tell((decider.what_goes_on(wanted),)))
    if wanted in own_certificates.TRIGGERS:
        return own_certificates.ask(decider, wanted)
    return status("NotImplemented")


def unlock_connector(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.18."""
    connector_id = payload["connectorId"]
    if connector_id not in decider.state.evses:
        return status("NotSupported")
    return status("Unlocked", *decider.unlock(connector_id))


def reset(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.14."""
    return decider.reset_at_once(StopReason.HARD_RESET if payload["type"] == "Hard" else StopReason.SOFT_RESET)


def remote_start(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.11; a profile for the transaction is installed along."""
    raw = payload.get("chargingProfile")
    profile = None if raw is None else profile_of(payload.get("connectorId", 0), raw)
    return decider.start(payload.get("connectorId"), IdToken(payload["idTag"]), profile=profile)


def remote_stop(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.12."""
    return decider.stop(str(payload["transactionId"]))


def reserve_now(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.13; connector 0 (any) is refused: ReserveConnectorZeroSupported is false."""
    return decider.reserve(
        Reservation(
            id=payload["reservationId"],
            evse_id=payload["connectorId"],
            token=payload["idTag"],
            group=payload.get("parentIdTag", ""),
            expires_at=parse_timestamp(payload["expiryDate"]),
        )
    )


def cancel_reservation(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.1."""
    return decider.cancel_reservation(payload["reservationId"])


def get_local_list_version(decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.10."""
    return Reply({"listVersion": decider.state.local_list_version})


def send_local_list(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.15."""
    entries = {
        row["idTag"]: row["idTagInfo"]["status"] if "idTagInfo" in row else None
        for row in payload.get("localAuthorizationList", [])
    }
    return decider.update_local_list(ListUpdate(payload["updateType"]), payload["listVersion"], entries)


def profile_of(evse_id: int, raw: Payload) -> Profile:
    """Read a charging profile of 1.6."""
    schedule = raw["chargingSchedule"]
    return Profile(
        id=raw["chargingProfileId"],
        evse_id=evse_id,
        purpose=raw["chargingProfilePurpose"],
        stack_level=raw["stackLevel"],
        kind=raw["chargingProfileKind"],
        unit=RateUnit(schedule["chargingRateUnit"]),
        periods=tuple(
            Period(period["startPeriod"], period["limit"], period.get("numberPhases", math.inf))
            for period in schedule["chargingSchedulePeriod"]
        ),
        starts_at=_instant(schedule.get("startSchedule")),
        duration_s=schedule.get("duration", math.inf),
        recurrency=raw.get("recurrencyKind", ""),
        valid_from=_instant(raw.get("validFrom")),
        valid_to=_instant(raw.get("validTo")),
        transaction_id=str(raw["transactionId"]) if "transactionId" in raw else None,
        raw=raw,
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)


def _capabilities(decider: CommandDecider) -> Capabilities:
    return Capabilities.of(decider.state.settings, decider.state.charging_habits, versions_2=False)


def set_charging_profile(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.16."""
    profile = profile_of(payload["connectorId"], payload["csChargingProfiles"])
    if decider.set_profile(profile, _capabilities(decider)) is not None:
        return status("Rejected")
    return status("Accepted", LimitsChanged())


def clear_charging_profile(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.5: every field that is given must fit."""

    def wanted(profile: Profile) -> bool:
        found = {
            "id": profile.id,
            "connectorId": profile.evse_id,
            "chargingProfilePurpose": profile.purpose,
            "stackLevel": profile.stack_level,
        }
        return all(found[name] == value for name, value in payload.items())

    return decider.clear_profiles(wanted)


def get_composite_schedule(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.7."""
    connector_id, units = payload["connectorId"], _capabilities(decider).units
    unit = payload.get("chargingRateUnit", "W" if "W" in units else "A")
    if not decider.evses(connector_id) or unit not in units:
        return status("Rejected")
    periods = decider.composite(connector_id, payload["duration"], RateUnit(unit))
    schedule = {
        "duration": payload["duration"],
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": start_s, "limit": limit} for start_s, limit in periods],
    }
    answer = {"connectorId": connector_id, "scheduleStart": format_timestamp(decider.now), "chargingSchedule": schedule}
    return Reply({"status": "Accepted", **answer})


def get_diagnostics(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.9: the location is a directory."""
    name = f"{decider.state.station_id}-diagnostics.log"[:255]
    order = LogOrder(
        location=f"{payload['location'].rstrip('/')}/{quote(name)}",
        name=name,
        kind="DiagnosticsLog",
        action="GetDiagnostics",
        tells_by="DiagnosticsStatusNotification",
        way=Way.PUT,
        retries=payload.get("retries", 0),
        retry_interval_s=payload.get("retryInterval", 30),
        is_plain=True,
    )
    return Reply({"fileName": name}, (order,))


def get_log(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: security white paper, GetLog."""
    return decider.send_log(payload, Way.POST)


def update_firmware(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 1.6 5.19: there is no word for no."""
    if decider.state.firmware.installing:
        return Reply({})
    order = FirmwareOrder(
        location=payload["location"],
        tells_by="FirmwareStatusNotification",
        retrieve_at=parse_timestamp(payload["retrieveDate"]),
        retries=payload.get("retries", 0),
        retry_interval_s=payload.get("retryInterval", 30),
        is_plain=True,
    )
    return Reply({}, (order,))


def signed_update_firmware(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: security white paper, SignedUpdateFirmware."""
    return decider.update_firmware(payload, "SignedFirmwareStatusNotification")


COMMANDS: Final[Mapping[str, Handler]] = {
    **certificates.COMMANDS_16,
    "CancelReservation": cancel_reservation,
    "CertificateSigned": own_certificates.take_16,
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": clear_cache,
    "ClearChargingProfile": clear_charging_profile,
    "DataTransfer": breaking.data_transfer,
    "ExtendedTriggerMessage": trigger_message,
    "GetCompositeSchedule": get_composite_schedule,
    "GetConfiguration": get_configuration,
    "GetDiagnostics": get_diagnostics,
    "GetLocalListVersion": get_local_list_version,
    "GetLog": get_log,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "ReserveNow": reserve_now,
    "Reset": reset,
    "SendLocalList": send_local_list,
    "SetChargingProfile": set_charging_profile,
    "SignedUpdateFirmware": signed_update_firmware,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
    "UpdateFirmware": update_firmware,
}

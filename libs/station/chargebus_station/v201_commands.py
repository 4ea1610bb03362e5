"""OCPP 2.0.1: what the station answers to each call of the CSMS."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp

from chargebus_station import v201_device, v201_monitoring, v201_smart_charging
from chargebus_station.commands import CommandDecider, ListUpdate
from chargebus_station.dialect import Handler
from chargebus_station.effects import Announce, Effect, Message, Reply, Subject, Tell, progress, status
from chargebus_station.registration import Status
from chargebus_station.state import Operability, Reservation
from chargebus_station.transaction import IdToken, StopReason
from chargebus_station.v201_smart_charging import profile_of

Payload = dict[str, Any]

_SUBJECTS: Final[Mapping[str, Subject]] = {subject.value: subject for subject in Subject}
_IDLE: Final = frozenset({"FirmwareStatusNotification", "LogStatusNotification"})


def token_of(payload: Payload) -> IdToken:
    """Read an IdTokenType."""
    return IdToken(payload["idToken"], payload["type"])


def change_availability(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 G03, G04."""
    evse_id = payload.get("evse", {}).get("id", 0)
    return decider.change_availability(evse_id, Operability(payload["operationalStatus"]))


def clear_cache(decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 C11."""
    decider.state.cache.clear()
    return status("Accepted")


def data_transfer(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 P01.FR.02: this station has no vendor's extensions."""
    return status("UnknownVendorId")


def trigger_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 F06; an accepted station does not boot again (F06.FR.17)."""
    wanted, evse_id = payload["requestedMessage"], payload.get("evse", {}).get("id", 0)
    evses = decider.evses(evse_id)
    if wanted in _IDLE:
        return status("Accepted", Tell((Message(wanted, {"status": "Idle"}),)))
    if (subject := _SUBJECTS.get(wanted)) is None:
        return status("NotImplemented")
    booted = subject is Subject.BOOT and decider.registered is Status.ACCEPTED
    nothing = subject is Subject.TRANSACTION and all(evse.transaction is None for evse in evses)
    if booted or nothing or not evses:
        return status("Rejected")
    return status("Accepted", Announce(subject, evse_id))


def unlock_connector(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 F05."""
    evse = decider.state.evses.get(payload["evseId"])
    if evse is None or payload["connectorId"] != evse.connector_id:
        return status("UnknownConnector")
    if evse.transaction is not None and evse.transaction.token is not None:
        return status("OngoingAuthorizedTransaction")
    return status("Unlocked", *decider.unlock(evse.id))


def reset(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 B11, B12; without an EVSE the station itself restarts."""
    at_once = StopReason.IMMEDIATE_RESET if payload["type"] == "Immediate" else None
    if "evseId" in payload:
        return decider.reset_evse(payload["evseId"], at_once)
    return decider.reset_when_idle() if at_once is None else decider.reset_at_once(at_once)


def request_start(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 F01, F02; a profile for the transaction is installed along."""
    group = payload.get("groupIdToken", {}).get("idToken", "")
    raw = payload.get("chargingProfile")
    profile = None if raw is None else profile_of(payload.get("evseId", 0), raw, decider.now)
    return decider.start(payload.get("evseId"), token_of(payload["idToken"]), group, payload["remoteStartId"], profile)


def request_stop(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 F03."""
    return decider.stop(payload["transactionId"])


def get_transaction_status(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 E14."""
    transaction_id = payload.get("transactionId")
    if transaction_id is None:
        return Reply({"messagesInQueue": len(decider.queue) > 0})
    ongoing = decider.state.transaction(transaction_id) is not None
    return Reply({"ongoingIndicator": ongoing, "messagesInQueue": decider.queue.concerns(transaction_id)})


def reserve_now(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 H01; without an EVSE, the first one that is free is kept."""
    free = next((evse.id for evse in decider.state.evses.values() if evse.free), 1)
    return decider.reserve(
        Reservation(
            id=payload["id"],
            evse_id=payload.get("evseId", free),
            token=payload["idToken"]["idToken"],
            group=payload.get("groupIdToken", {}).get("idToken", ""),
            expires_at=parse_timestamp(payload["expiryDateTime"]),
        )
    )


def cancel_reservation(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 H02."""
    return decider.cancel_reservation(payload["reservationId"])


def get_local_list_version(decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 D02."""
    return Reply({"versionNumber": decider.state.local_list_version})


def send_local_list(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 D01."""
    entries = {
        row["idToken"]["idToken"]: row["idTokenInfo"]["status"] if "idTokenInfo" in row else None
        for row in payload.get("localAuthorizationList", [])
    }
    return decider.update_local_list(ListUpdate(payload["updateType"]), payload["versionNumber"], entries)


def get_log(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N01; nothing is really uploaded."""
    told = progress("LogStatusNotification", ("Uploading", "Uploaded"), requestId=payload["requestId"])
    return Reply({"status": "Accepted", "filename": f"{decider.state.station_id}.log"[:255]}, (told,))


def update_firmware(_decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 L01; nothing is really installed."""
    words = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")
    return status("Accepted", progress("FirmwareStatusNotification", words, requestId=payload["requestId"]))


def customer_information(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 N09, N10: the cache and the local list are all that this station knows of customers."""
    token = payload.get("idToken", {}).get("idToken", "")
    known = decider.state.local_list.get(token) or decider.state.cache.get(token)
    if payload["clear"]:
        decider.state.cache.pop(token, None)
    told: tuple[Effect, ...] = ()
    if payload["report"]:
        data = f"{token}: {known}" if known else "no data"
        stem = {"seqNo": 0, "generatedAt": format_timestamp(decider.now), "requestId": payload["requestId"]}
        told = (Tell((Message("NotifyCustomerInformation", {"data": data[:512], "tbc": False, **stem}),)),)
    return status("Accepted", *told)


def set_display_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 O01, O02.FR.01, O06."""
    message = payload["message"]
    transaction_id = message.get("transactionId")
    if transaction_id is not None and decider.state.transaction(transaction_id) is None:
        return status("UnknownTransaction")
    decider.state.displays[message["id"]] = message
    return status("Accepted")


def get_display_messages(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 O03, O04."""
    found = [
        message
        for number, message in decider.state.displays.items()
        if number in payload.get("id", [number])
        and all(message.get(name) == payload[name] for name in ("priority", "state") if name in payload)
    ]
    if not found:
        return status("Unknown")
    report = {"requestId": payload["requestId"], "tbc": False, "messageInfo": found}
    return status("Accepted", Tell((Message("NotifyDisplayMessages", report),)))


def clear_display_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 O05."""
    return status("Unknown" if decider.state.displays.pop(payload["id"], None) is None else "Accepted")


def cost_updated(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 I02."""
    decider.state.running_costs[payload["transactionId"]] = payload["totalCost"]
    return Reply()


def set_network_profile(_decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 B09.FR.01, B09.FR.02: the profile is taken, and never connected to."""
    return status("Accepted" if payload["connectionData"]["ocppTransport"] == "JSON" else "Rejected")


def unpublish_firmware(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 L04: this station publishes nothing."""
    return status("NoFirmware")


def refuse(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Refuse what needs a certificate store or a local controller, which this station does not have."""
    return status("Rejected")


def not_found(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Say that there is no such certificate, nor any other."""
    return status("NotFound")


COMMANDS: Final[Mapping[str, Handler]] = {
    **v201_device.COMMANDS,
    **v201_monitoring.COMMANDS,
    **v201_smart_charging.COMMANDS,
    "CancelReservation": cancel_reservation,
    "CertificateSigned": refuse,
    "ChangeAvailability": change_availability,
    "ClearCache": clear_cache,
    "ClearDisplayMessage": clear_display_message,
    "CostUpdated": cost_updated,
    "CustomerInformation": customer_information,
    "DataTransfer": data_transfer,
    "DeleteCertificate": not_found,
    "GetDisplayMessages": get_display_messages,
    "GetInstalledCertificateIds": not_found,
    "GetLocalListVersion": get_local_list_version,
    "GetLog": get_log,
    "GetTransactionStatus": get_transaction_status,
    "InstallCertificate": refuse,
    "PublishFirmware": refuse,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
    "ReserveNow": reserve_now,
    "Reset": reset,
    "SendLocalList": send_local_list,
    "SetDisplayMessage": set_display_message,
    "SetNetworkProfile": set_network_profile,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
    "UnpublishFirmware": unpublish_firmware,
    "UpdateFirmware": update_firmware,
}

"""OCPP 2.0.1: what the station answers to each call of the CSMS."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_station import (
    breaking,
    certificates,
    customer_information,
    displays,
    networks,
    own_certificates,
    v201_device,
    v201_monitoring,
    v201_smart_charging,
)
from chargebus_station.commands import CommandDecider, ListUpdate
from chargebus_station.dialect import Handler
from chargebus_station.effects import Announce, PublishOrder, Reply, Subject, Tell, status
from chargebus_station.registration import Status
from chargebus_station.state import Operability, Reservation
from chargebus_station.transaction import IdToken, StopReason
from chargebus_station.transfers import Way
from chargebus_station.v201_smart_charging import profile_of

Payload = dict[str, Any]

_SUBJECTS: Final[Mapping[str, Subject]] = {subject.value: subject for subject in Subject}
_TOLD: Final = frozenset({"FirmwareStatusNotification", "LogStatusNotification"})


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


def trigger_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 F06; an accepted station does not boot again (F06.FR.17)."""
    wanted, evse_id = payload["requestedMessage"], payload.get("evse", {}).get("id", 0)
    evses = decider.evses(evse_id)
    if wanted in _TOLD:
        return status("Accepted", Tell((decider.what_goes_on(wanted),)))
    if wanted in own_certificates.TRIGGERS:
        return own_certificates.ask(decider, wanted)
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
    """Spec: OCPP 2.0.1 N01."""
    return decider.send_log(payload, Way.PUT)


def update_firmware(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 L01, L02."""
    return decider.update_firmware(payload, "FirmwareStatusNotification")


def publish_firmware(_decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 L03."""
    order = PublishOrder(
        location=payload["location"],
        checksum=payload["checksum"],
        request_id=payload["requestId"],
        retries=payload.get("retries", 0),
        retry_interval_s=payload.get("retryInterval", 30),
    )
    return status("Accepted", order)


def cost_updated(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 I02."""
    decider.state.running_costs[payload["transactionId"]] = payload["totalCost"]
    return Reply()


def unpublish_firmware(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 L04."""
    published = decider.state.published.pop(payload["checksum"].lower(), None)
    return status("NoFirmware" if published is None else "Unpublished")


def refuse(_decider: CommandDecider, _payload: Payload) -> Reply:
    """Refuse what this station does not do."""
    return status("Rejected")


COMMANDS: Final[Mapping[str, Handler]] = {
    **certificates.COMMANDS,
    **customer_information.COMMANDS,
    **displays.COMMANDS,
    **v201_device.COMMANDS,
    **v201_monitoring.COMMANDS,
    **v201_smart_charging.COMMANDS,
    "CancelReservation": cancel_reservation,
    "CertificateSigned": own_certificates.take,
    "ChangeAvailability": change_availability,
    "ClearCache": clear_cache,
    "CostUpdated": cost_updated,
    "DataTransfer": breaking.data_transfer,
    "GetLocalListVersion": get_local_list_version,
    "GetLog": get_log,
    "GetTransactionStatus": get_transaction_status,
    "PublishFirmware": publish_firmware,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
    "ReserveNow": reserve_now,
    "Reset": reset,
    "SendLocalList": send_local_list,
    "SetNetworkProfile": networks.set_network,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
    "UnpublishFirmware": unpublish_firmware,
    "UpdateFirmware": update_firmware,
}

"""OCPP 1.6: the messages that start and stop remotely."""

from chargebus_session.remote.domain import ProfileOfStart, Start, Stop
from chargebus_session.remote.payload import schedule


def remote_start(start: Start) -> dict[str, object]:
    """Return RemoteStartTransaction for a start; 1.6 has no place for its id.

    Spec: OCPP 1.6 5.11, 3.13.4
    """
    profile = {} if start.profile is None else {"chargingProfile": _profile(start.profile)}
    return {"connectorId": start.evse_id, "idTag": start.token.id_token, **profile}


def _profile(profile: ProfileOfStart) -> dict[str, object]:
    return {
        "chargingProfileId": profile.profile_id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule(profile),
    }


def remote_stop(stop: Stop) -> dict[str, object]:
    """Return RemoteStopTransaction for a stop.

    Raises:
        ValueError: the transaction id is none of OCPP 1.6.

    Spec: OCPP 1.6 5.12
    """
    return {"transactionId": int(stop.transaction_id)}

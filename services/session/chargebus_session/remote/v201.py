"""OCPP 2.0.1: the messages that start and stop remotely."""

from chargebus_session.remote.domain import ProfileOfStart, Start, Stop
from chargebus_session.remote.payload import schedule
from chargebus_session.tokens.v201 import CENTRAL


def remote_start(start: Start) -> dict[str, object]:
    """Return RequestStartTransaction for a start; a token without a type is one of ours.

    Spec: OCPP 2.0.1 F01.FR.04, F01.FR.08 to FR.11 (the profile), F02.FR.21, IdTokenEnumType.Central
    """
    token = start.token
    group = {"idToken": token.group_id, "type": CENTRAL} if token.group_id else None
    return {
        "evseId": start.evse_id,
        "groupIdToken": group,
        "idToken": {"idToken": token.id_token, "type": token.type or CENTRAL},
        "remoteStartId": start.remote_start_id,
        "chargingProfile": None if start.profile is None else _profile(start.profile),
    }


def _profile(profile: ProfileOfStart) -> dict[str, object]:
    return {
        "id": profile.profile_id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [{"id": profile.profile_id, **schedule(profile)}],
    }


def remote_stop(stop: Stop) -> dict[str, object]:
    """Return RequestStopTransaction for a stop.

    Spec: OCPP 2.0.1 F03.FR.01
    """
    return {"transactionId": stop.transaction_id}

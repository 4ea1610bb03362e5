"""OCPP 1.6: the messages that start and stop remotely."""

import math
from typing import Final

from chargebus_session.remote.domain import ProfileOfStart, Start, Stop

_ROUNDED: Final = 1e-6


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


def schedule(profile: ProfileOfStart) -> dict[str, object]:
    """Return the schedule of a profile, which 2.x writes in the same words; limits have one decimal."""
    duration = {} if profile.duration_s is None else {"duration": profile.duration_s}
    return {
        **duration,
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": [
            {"startPeriod": period.start_s, "limit": math.floor(period.limit * 10 + _ROUNDED) / 10}
            | ({} if period.phases is None else {"numberPhases": period.phases})
            for period in profile.periods
        ],
    }


def remote_stop(stop: Stop) -> dict[str, object]:
    """Return RemoteStopTransaction for a stop.

    Raises:
        ValueError: the transaction id is none of OCPP 1.6.

    Spec: OCPP 1.6 5.12
    """
    return {"transactionId": int(stop.transaction_id)}

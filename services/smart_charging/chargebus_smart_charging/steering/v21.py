"""OCPP 2.1: what it has beyond 2.0.1."""

from chargebus_smart_charging.steering import v201
from chargebus_smart_charging.steering.domain.held import MOST_OFFLINE_S, Order
from chargebus_smart_charging.steering.domain.profiles import Profile, profile_of
from chargebus_smart_charging.steering.domain.steered import Steerable


def limit(order: Order, steerable: Steerable) -> v201.Members:
    """Return SetChargingProfile for a limit or a default."""
    return set_profile(profile_of(order, steerable))


def set_profile(profile: Profile) -> v201.Members:
    """Return SetChargingProfile for a profile; a limit is over soon where its station has lost its CSMS.

    Spec: OCPP 2.1 ChargingProfileType.maxOfflineDuration, invalidAfterOfflineDuration
    """
    members = v201.charging_profile(profile)
    if profile.ends_at is not None:
        members |= {"maxOfflineDuration": MOST_OFFLINE_S, "invalidAfterOfflineDuration": True}
    return {"evseId": profile.evse_id, "chargingProfile": members}


def get_profiles(request_id: int) -> v201.Members:
    """Return GetChargingProfiles for all that a station holds: in 2.1 anybody may be a source.

    Spec: OCPP 2.1 K09.FR.01
    """
    return {"requestId": request_id, "chargingProfile": {}}

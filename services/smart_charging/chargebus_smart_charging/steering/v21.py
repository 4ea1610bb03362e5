"""OCPP 2.1: what it has beyond 2.0.1."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_smart_charging.steering import v201
from chargebus_smart_charging.steering.domain.held import MOST_OFFLINE_S, Order
from chargebus_smart_charging.steering.domain.profiles import Profile, in_unit, profile_id, profile_of
from chargebus_smart_charging.steering.domain.pulls import Pull
from chargebus_smart_charging.steering.domain.said import Said
from chargebus_smart_charging.steering.domain.steered import Steerable


def limit(order: Order, steerable: Steerable) -> v201.Members:
    """Return SetChargingProfile for a limit or a default."""
    return set_profile(profile_of(order, steerable))


def set_profile(profile: Profile) -> v201.Members:
    """Return SetChargingProfile for a profile; a limit is over soon where its station has lost its CSMS.

    Spec: OCPP 2.1 ChargingProfileType (maxOfflineDuration, invalidAfterOfflineDuration), K28.FR.01
    """
    members = v201.charging_profile(profile)
    if profile.ends_at is not None:
        members |= {"maxOfflineDuration": MOST_OFFLINE_S, "invalidAfterOfflineDuration": True}
    if profile.update_every_s:
        members |= {"chargingProfileKind": "Dynamic", "dynUpdateInterval": profile.update_every_s}
    return {"evseId": profile.evse_id, "chargingProfile": members}


def update(order: Order, steerable: Steerable) -> v201.Members:
    """Return UpdateDynamicSchedule for a limit. Spec: OCPP 2.1 K29.FR.01."""
    return {
        "chargingProfileId": profile_id(steerable.evse.evse_id, order.rung),
        "scheduleUpdate": {"limit": in_unit(order.limit_a, order.per_a)},
    }


class _PullDynamicScheduleUpdate(Payload, frozen=True):
    charging_profile_id: int


_read_pull: Final = reader(_PullDynamicScheduleUpdate)


def pull(frame: Frame) -> Pull:
    """Read PullDynamicScheduleUpdate. Spec: OCPP 2.1 K28.FR.03."""
    return Pull(frame.station_id, _read_pull(frame.payload).charging_profile_id)


def pull_answer(_request: Pull, limit: float | None) -> v201.Members:
    """Answer PullDynamicScheduleUpdate with a limit in the unit of the profile; None: there is no such dynamic one.

    Spec: OCPP 2.1 K28.FR.12
    """
    if limit is None:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}
    return {"status": "Accepted", "scheduleUpdate": {"limit": limit}}


def get_profiles(request_id: int) -> v201.Members:
    """Return GetChargingProfiles for all that a station holds: in 2.1 anybody may be a source.

    Spec: OCPP 2.1 K09.FR.01
    """
    return {"requestId": request_id, "chargingProfile": {}}


DYNAMIC: Final = v201.Variable("SmartChargingCtrlr", "SupportsDynamicProfiles")


def ask_habits(evse_ids: Iterable[int]) -> v201.Members:
    """Return GetVariables of what says what a station can take. Spec: OCPP 2.1 Part 2, appendix 3."""
    return v201.ask_habits(evse_ids, (DYNAMIC,))


def said(answer: Mapping[str, Any]) -> Said:
    """Return what a station says of itself by GetVariables; what cannot be read was not said."""
    values = dict(v201.values_of(answer.get("getVariableResult")))
    return msgspec.structs.replace(v201.said_by(values), dynamic=v201.truth(values.get(DYNAMIC)))

"""OCPP 1.6: how an EVSE is told what to do, and what a station says of itself in configuration keys."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.steering.domain.held import Order
from chargebus_smart_charging.steering.domain.pieces import MessageLimit, limit_of
from chargebus_smart_charging.steering.domain.profiles import Profile, profile_id, profile_of
from chargebus_smart_charging.steering.domain.said import Said
from chargebus_smart_charging.steering.domain.steered import Steerable

Members = dict[str, object]

PURPOSES: Final = {
    "TxProfile": "TxProfile",
    "TxDefaultProfile": "TxDefaultProfile",
    "ChargingStationMaxProfile": "ChargePointMaxProfile",
}

_UNIT: Final = "ChargingScheduleAllowedChargingRateUnit"
_MAX_PERIODS: Final = "ChargingScheduleMaxPeriods"
_MAX_STACK_LEVEL: Final = "ChargeProfileMaxStackLevel"
_MAX_PROFILES: Final = "MaxChargingProfilesInstalled"
_SWITCHES_PHASES: Final = "ConnectorSwitch3to1PhaseSupported"
MEASURANDS: Final = "MeterValuesSampledData"

MAX_KEYS: Final = "GetConfigurationMaxKeys"

KEYS: Final = (_UNIT, _MAX_PERIODS, _MAX_STACK_LEVEL, _MAX_PROFILES, _SWITCHES_PHASES, MEASURANDS)


# What it is told


def limit(order: Order, steerable: Steerable) -> Members:
    """Return SetChargingProfile for a limit or a default."""
    return set_profile(profile_of(order, steerable))


def set_profile(profile: Profile) -> Members:
    """Return SetChargingProfile for a profile.

    Spec: OCPP 1.6 5.16, 7.8 (ChargingProfile), 7.13 (ChargingSchedule)
    """
    return {
        "connectorId": profile.evse_id,
        "csChargingProfiles": {
            "chargingProfileId": profile.profile_id,
            "transactionId": int(profile.transaction_id) if profile.transaction_id else None,
            "stackLevel": profile.stack_level,
            "chargingProfilePurpose": PURPOSES[profile.purpose],
            "chargingProfileKind": "Relative" if profile.starts_at is None else "Absolute",
            "validTo": profile.ends_at,
            "chargingSchedule": {
                "duration": profile.duration_s,
                "startSchedule": profile.starts_at,
                "chargingRateUnit": profile.unit,
                "chargingSchedulePeriod": [
                    {"startPeriod": start_s, "limit": told, "numberPhases": profile.phases}
                    for start_s, told in profile.periods
                ],
            },
        },
    }


def clear(order: Order, steerable: Steerable) -> Members:
    """Return ClearChargingProfile for a profile of ours, by its id: nobody else's is touched. Spec: OCPP 1.6 5.5."""
    return {"id": profile_id(steerable.evse.evse_id, order.rung)}


def limit_key(order: Order, steerable: Steerable) -> Members:
    """Return ChangeConfiguration of the vendor's key that holds the station's largest current, in whole amperes."""
    return {"key": steerable.limit_key, "value": str(int(order.limit_a))}


def composite_schedule(evse_id: int, duration_s: int, unit: str) -> Members:
    """Return GetCompositeSchedule. Spec: OCPP 1.6 5.7."""
    return {"connectorId": evse_id, "duration": duration_s, "chargingRateUnit": unit}


def suspend(order: Order, _steerable: Steerable) -> Members:
    """Return RemoteStopTransaction. Spec: OCPP 1.6 5.12."""
    return {"transactionId": int(order.transaction_id)}


def resume(order: Order, steerable: Steerable) -> Members:
    """Return RemoteStartTransaction for who charged last. Spec: OCPP 1.6 5.11."""
    return {"connectorId": steerable.evse.evse_id, "idTag": order.id_token}


def disable(_order: Order, steerable: Steerable) -> Members:
    """Return ChangeAvailability. Spec: OCPP 1.6 5.2."""
    return {"connectorId": steerable.evse.evse_id, "type": "Inoperative"}


def enable(_order: Order, steerable: Steerable) -> Members:
    """Return ChangeAvailability. Spec: OCPP 1.6 5.2."""
    return {"connectorId": steerable.evse.evse_id, "type": "Operative"}


def is_told(order: Order) -> bool:
    """Tell whether an order can be said: transactions of 1.6 have whole numbers for ids."""
    return not order.transaction_id or _whole(order.transaction_id) is not None


# What it says


def ask_habits(limit_keys: Iterable[str] = ()) -> Members:
    """Return GetConfiguration of the keys that say what a station can take. Spec: OCPP 1.6 9.4 (Smart Charging)."""
    return {"key": [*KEYS, *limit_keys]}


def ask_limit() -> Members:
    """Return GetConfiguration of how many keys may be asked for at once. Spec: OCPP 1.6 9.1.8."""
    return {"key": [MAX_KEYS]}


def limit_said(answer: Mapping[str, Any]) -> MessageLimit:
    """Return how many keys a station takes at once, as it says."""
    found = (each for each in _entries(answer.get("configurationKey")) if each.get("key") == MAX_KEYS)
    return limit_of(next((_whole(str(each.get("value", ""))) for each in found), None), None)


def set_measurands(measurands: Iterable[str]) -> Members:
    """Return ChangeConfiguration of what is sampled in a transaction. Spec: OCPP 1.6 9.1.19."""
    return {"key": MEASURANDS, "value": ",".join(measurands)}


def said(answer: Mapping[str, Any], limit_keys: Iterable[str] = ()) -> Said:
    """Return what a station says of itself by GetConfiguration; what cannot be read was not said.

    `limit_keys` are those that vendors have for the largest current of the station in amperes.

    Spec: OCPP 1.6 9.4
    """
    values, writable = {}, set()
    for entry in _entries(answer.get("configurationKey")):
        key = str(entry.get("key", ""))
        values[key.lower()] = str(entry.get("value", ""))
        if entry.get("readonly") is not True:
            writable.add(key.lower())
    measurands = values.get(MEASURANDS.lower())
    limit_key = next((key for key in limit_keys if key.lower() in writable), "")
    largest = _number(values.get(limit_key.lower(), ""))
    return Said(
        unit=values.get(_UNIT.lower(), ""),
        max_periods=_whole(values.get(_MAX_PERIODS.lower(), "")),
        max_stack_level=_whole(values.get(_MAX_STACK_LEVEL.lower(), "")),
        max_profiles=_whole(values.get(_MAX_PROFILES.lower(), "")),
        switches_phases=_truth(values.get(_SWITCHES_PHASES.lower())),
        measurands=None
        if measurands is None
        else tuple(filter(None, (each.strip() for each in measurands.split(",")))),
        limit_key=limit_key,
        told={0: Told(max_a=largest)} if largest else {},
    )


def _entries(value: object) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else ()


def _whole(text: str) -> int | None:
    with contextlib.suppress(ValueError):
        return int(text)
    return None


def _number(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None


def _truth(text: str | None) -> bool | None:
    return None if text is None else {"true": True, "false": False}.get(text.strip().lower())

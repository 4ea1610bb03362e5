"""OCPP 2.x: the commands about charging profiles."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp

from chargebus_station.commands import CommandDecider
from chargebus_station.dialect import Handler
from chargebus_station.effects import Message, Reply, Tell, status
from chargebus_station.profiles import Profile, RateUnit

Payload = dict[str, Any]


def profile_of(evse_id: int, raw: Payload) -> Profile:
    """Read a ChargingProfileType; of several schedules (ISO 15118) the first counts here."""
    schedule = raw["chargingSchedule"][0]
    return Profile(
        id=raw["id"],
        evse_id=evse_id,
        purpose=raw["chargingProfilePurpose"],
        stack_level=raw["stackLevel"],
        kind=raw["chargingProfileKind"],
        unit=RateUnit(schedule["chargingRateUnit"]),
        periods=tuple(
            (period["startPeriod"], period["limit"])
            for period in schedule["chargingSchedulePeriod"]
            if "limit" in period  # 2.1 has periods that set something else
        ),
        starts_at=_instant(schedule.get("startSchedule")),
        duration_s=schedule.get("duration", math.inf),
        recurrency=raw.get("recurrencyKind", ""),
        valid_from=_instant(raw.get("validFrom")),
        valid_to=_instant(raw.get("validTo")),
        transaction_id=raw.get("transactionId"),
        raw=raw,
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)


def set_charging_profile(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K01."""
    profile = profile_of(payload["evseId"], payload["chargingProfile"])
    if not decider.can_take(profile) or profile.purpose == "ChargingStationExternalConstraints":
        return status("Rejected")
    decider.state.profiles.install(profile)
    return status("Accepted")


def clear_charging_profile(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K10."""
    wanted_id = payload.get("chargingProfileId")
    criteria = payload.get("chargingProfileCriteria", {})

    def wanted(profile: Profile) -> bool:
        return _fits(profile, criteria) and wanted_id in {None, profile.id}

    return status("Accepted" if decider.state.profiles.clear(wanted) else "Unknown")


def _fits(profile: Profile, criteria: Payload) -> bool:
    found = {
        "evseId": profile.evse_id,
        "chargingProfilePurpose": profile.purpose,
        "stackLevel": profile.stack_level,
    }
    return all(found[name] == value for name, value in criteria.items() if name in found)


def get_charging_profiles(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K09; every profile here came from the CSMS (chargingLimitSource CSO)."""
    criteria = payload["chargingProfile"]
    if "evseId" in payload:
        criteria = {**criteria, "evseId": payload["evseId"]}

    def wanted(profile: Profile) -> bool:
        listed = profile.id in criteria.get("chargingProfileId", [profile.id])
        return listed and "CSO" in criteria.get("chargingLimitSource", ["CSO"]) and _fits(profile, criteria)

    found = decider.state.profiles.matching(wanted)
    if not found:
        return status("NoProfiles")
    reports = tuple(
        Message(
            "ReportChargingProfiles",
            {
                "requestId": payload["requestId"],
                "chargingLimitSource": "CSO",
                "chargingProfile": [profile.raw],
                "evseId": profile.evse_id,
                "tbc": profile is not found[-1],
            },
        )
        for profile in found
    )
    return status("Accepted", Tell(reports))


def get_composite_schedule(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K08."""
    evse_id, unit = payload["evseId"], payload.get("chargingRateUnit", "W")
    if not decider.evses(evse_id):
        return status("Rejected")
    periods = decider.composite(evse_id, payload["duration"], RateUnit(unit))
    schedule = {
        "evseId": evse_id,
        "duration": payload["duration"],
        "scheduleStart": format_timestamp(decider.now),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": start_s, "limit": limit} for start_s, limit in periods],
    }
    return Reply({"status": "Accepted", "schedule": schedule})


COMMANDS: Final[Mapping[str, Handler]] = {
    "ClearChargingProfile": clear_charging_profile,
    "GetChargingProfiles": get_charging_profiles,
    "GetCompositeSchedule": get_composite_schedule,
    "SetChargingProfile": set_charging_profile,
}

"""OCPP 2.x: the commands about charging profiles."""

import math
import random
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp

from chargebus_station.commands import CommandDecider
from chargebus_station.dialect import Handler
from chargebus_station.effects import LimitsChanged, Message, Reply, Tell, status
from chargebus_station.profile_rules import Capabilities
from chargebus_station.profiles import LimitAtSoC, Period, Profile, RateUnit

Payload = dict[str, Any]

PROFILES_PER_MESSAGE: Final = 2

_ON_EACH_PHASE: Final = ("limit", "limit_L2", "limit_L3")
_SETPOINTS: Final = ("setpoint", "setpoint_L2", "setpoint_L3")


def profile_of(evse_id: int, raw: Payload, now: datetime) -> Profile:
    """Read a ChargingProfileType; of several schedules the vehicle would choose one (ISO 15118): here, the first."""
    schedule = raw["chargingSchedule"][0]
    at_soc = schedule.get("limitAtSoC")
    return Profile(
        id=raw["id"],
        evse_id=evse_id,
        purpose=raw["chargingProfilePurpose"],
        stack_level=raw["stackLevel"],
        kind=raw["chargingProfileKind"],
        unit=RateUnit(schedule["chargingRateUnit"]),
        periods=tuple(_period(period) for period in schedule["chargingSchedulePeriod"]),
        starts_at=_instant(schedule.get("startSchedule")),
        duration_s=schedule.get("duration", math.inf),
        recurrency=raw.get("recurrencyKind", ""),
        valid_from=_instant(raw.get("validFrom")),
        valid_to=_instant(raw.get("validTo")),
        transaction_id=raw.get("transactionId"),
        at_soc=None if at_soc is None else LimitAtSoC(at_soc["soc"], at_soc["limit"]),
        delay_s=_drawn_delay_s(raw["id"], schedule.get("randomizedDelay", 0)),
        max_offline_s=raw.get("maxOfflineDuration", math.inf),
        ends_offline=raw.get("invalidAfterOfflineDuration", False),
        update_every_s=raw.get("dynUpdateInterval", 0),
        updated_at=now,
        raw=raw,
    )


def _period(raw: Payload) -> Period:
    """Read a period: the least that any phase may have; what gives no number does not limit (2.1, operation modes)."""
    values = [raw[name] for name in (*_ON_EACH_PHASE, *_SETPOINTS) if name in raw]
    limit = 0.0 if raw.get("operationMode") == "Idle" else max(0.0, min(values)) if values else math.inf
    if raw.get("limit", 0) < 0:
        limit = raw["limit"]
    return Period(raw["startPeriod"], limit, raw.get("numberPhases", math.inf), raw.get("phaseToUse"))


def _drawn_delay_s(profile_id: int, longest_s: float) -> float:
    """Draw the delay of a profile by lot, always the same for the same one. Spec: OCPP 2.1 K01.FR.74."""
    return random.Random(profile_id).uniform(0, longest_s)  # noqa: S311  a station's dice


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)


def _capabilities(decider: CommandDecider) -> Capabilities:
    return Capabilities.of(decider.state.settings, decider.state.charging_habits, versions_2=True)


def set_charging_profile(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K01."""
    profile = profile_of(payload["evseId"], payload["chargingProfile"], decider.now)
    refused = decider.set_profile(profile, _capabilities(decider))
    if refused is not None:
        return Reply({"status": "Rejected", "statusInfo": {"reasonCode": refused.value}})
    return status("Accepted", LimitsChanged())


def clear_charging_profile(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K10."""
    wanted_id = payload.get("chargingProfileId")
    criteria = payload.get("chargingProfileCriteria", {})

    def wanted(profile: Profile) -> bool:
        return _fits(profile, criteria) and wanted_id in {None, profile.id}

    return decider.clear_profiles(wanted)


def _fits(profile: Profile, criteria: Payload) -> bool:
    found = {
        "evseId": profile.evse_id,
        "chargingProfilePurpose": profile.purpose,
        "stackLevel": profile.stack_level,
    }
    return all(found[name] == value for name, value in criteria.items() if name in found)


def get_charging_profiles(decider: CommandDecider, payload: Payload) -> Reply:
    """Return the profiles in reports of bounded size, each of one EVSE and one source. Spec: OCPP 2.0.1 K09."""
    criteria = payload["chargingProfile"]
    if "evseId" in payload:
        criteria = {**criteria, "evseId": payload["evseId"]}

    def wanted(profile: Profile) -> bool:
        listed = profile.id in criteria.get("chargingProfileId", [profile.id])
        return (
            listed
            and profile.source in criteria.get("chargingLimitSource", [profile.source])
            and _fits(profile, criteria)
        )

    found = sorted(decider.state.profiles.matching(wanted), key=_reported_with)
    if not found:
        return status("NoProfiles")
    parts = [
        {
            "requestId": payload["requestId"],
            "chargingLimitSource": source,
            "evseId": evse_id,
            "chargingProfile": [
                written(profile, decider.now) for profile in together[start : start + PROFILES_PER_MESSAGE]
            ],
        }
        for (evse_id, source), group in groupby(found, _reported_with)
        for together in (list(group),)
        for start in range(0, len(together), PROFILES_PER_MESSAGE)
    ]
    reports = (Message("ReportChargingProfiles", {**part, "tbc": part is not parts[-1]}) for part in parts)
    return status("Accepted", Tell(tuple(reports)))


def _reported_with(profile: Profile) -> tuple[int, str]:
    return profile.evse_id, profile.source


def written(profile: Profile, now: datetime) -> Payload:
    """Write a ChargingProfileType: as it was set, or what the station made of somebody else's limit."""
    if profile.raw:
        return profile.raw
    return {
        "id": profile.id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": profile.purpose,
        "chargingProfileKind": profile.kind,
        "chargingSchedule": [schedule_of(profile, now)],
    }


def schedule_of(profile: Profile, now: datetime) -> Payload:
    """Write the schedule of somebody else's limit."""
    return {
        "id": abs(profile.id),
        "startSchedule": format_timestamp(now),
        "chargingRateUnit": profile.unit.value,
        "chargingSchedulePeriod": [
            {"startPeriod": period.start_s, "limit": period.limit} for period in profile.periods
        ],
    }


def get_composite_schedule(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 K08; a unit that the station does not know is refused (K08.FR.07)."""
    evse_id, units = payload["evseId"], _capabilities(decider).units
    unit = payload.get("chargingRateUnit", "W" if "W" in units else "A")
    if not decider.evses(evse_id) or unit not in units:
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

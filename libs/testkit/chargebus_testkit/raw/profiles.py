"""Charging profiles in the words of each version, as an operator sends them."""

from typing import Any

from chargebus_ocppj.versions import Version

Json = dict[str, Any]


def schedule(*limits: float, unit: str = "A", step_s: int = 600, **more: object) -> Json:
    """Return a schedule whose limits follow each other every ten minutes."""
    periods = [{"startPeriod": n * step_s, "limit": limit} for n, limit in enumerate(limits)]
    return {"chargingRateUnit": unit, "chargingSchedulePeriod": periods, **more}


def profile(version: Version, number: int, *limits: float, purpose: str = "TxDefaultProfile", **more: object) -> Json:
    """Return a relative profile; `more` are other members of it."""
    stem = {"stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative"}
    if version == "1.6":
        return {"chargingProfileId": number, **stem, "chargingSchedule": schedule(*limits), **more}
    return {"id": number, **stem, "chargingSchedule": [{"id": number, **schedule(*limits)}], **more}


def setting(version: Version, evse_id: int, wanted: Json) -> Json:
    """Return the payload of SetChargingProfile."""
    if version == "1.6":
        return {"connectorId": evse_id, "csChargingProfiles": wanted}
    return {"evseId": evse_id, "chargingProfile": wanted}

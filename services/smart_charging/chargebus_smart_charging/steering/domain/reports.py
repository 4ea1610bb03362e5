"""Charging profiles as a station reports them, in parts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from chargebus_smart_charging.steering.domain.held import UNLIMITED
from chargebus_smart_charging.steering.domain.profiles import amperes_of
from chargebus_smart_charging.steering.domain.resolving import USUAL_VOLTAGE_V
from chargebus_smart_charging.steering.domain.steered import Steerable

_PHASES: Final = 3


class ReportedProfile(msgspec.Struct, frozen=True):
    """A charging profile as its station reported it, in the words of its version; `evse_id` 0 is the station."""

    station_id: str
    request_id: int
    evse_id: int
    profile_id: int
    source: str
    purpose: str
    stack_level: int
    profile: dict[str, Any]
    reported_at: datetime


class ProfileReport(msgspec.Struct, frozen=True):
    """A part of a report: the profiles of one source and EVSE."""

    station_id: str
    request_id: int
    profiles: tuple[ReportedProfile, ...]
    is_last: bool


class ReportedLimit(msgspec.Struct, frozen=True):
    """The most that a profile allows at any time, in its unit, and over how many phases."""

    limit: float
    unit: str = "A"
    phases: int = _PHASES

    def amperes(self, steerable: Steerable) -> float:
        """Return it in amperes per phase of an EVSE."""
        return amperes_of(self.limit, self.unit, self.phases, steerable.evse.voltage_v or USUAL_VOLTAGE_V)


def limit_of(profile: dict[str, Any]) -> ReportedLimit:
    """Return the most that a profile allows; one that cannot be read, or that bounds nothing, allows all.

    Spec: OCPP 2.0.1 ChargingProfileType
    """
    return max(_limits(profile), key=lambda each: each.limit, default=ReportedLimit(UNLIMITED))


def _limits(profile: dict[str, Any]) -> Iterator[ReportedLimit]:
    for schedule in _parts(profile.get("chargingSchedule")):
        for period in _parts(schedule.get("chargingSchedulePeriod")):
            limit, phases = period.get("limit"), period.get("numberPhases")
            if isinstance(limit, int | float):
                known = phases if isinstance(phases, int) and 0 < phases <= _PHASES else _PHASES
                yield ReportedLimit(float(limit), str(schedule.get("chargingRateUnit", "A")), known)


def _parts(told: object) -> Iterator[dict[str, Any]]:
    yield from (each for each in told if isinstance(each, dict)) if isinstance(told, list) else ()

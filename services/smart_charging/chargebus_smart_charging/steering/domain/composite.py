"""What a station says that it allows: its composite schedule."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from chargebus_smart_charging.steering.domain.profiles import amperes_of

_ALL: Final = 3


class Period(NamedTuple):
    """From when, how much it allows in the unit in which it says so, and over how many phases."""

    starts_at: datetime
    limit: float
    phases: int


class CompositeSchedule(NamedTuple):
    """A composite schedule as its station told it; times are by the station's clock."""

    unit: str
    periods: tuple[Period, ...]


def composite_of(answer: Mapping[str, Any], now: datetime) -> CompositeSchedule | None:
    """Return the schedule in an answer to GetCompositeSchedule; None: there is none in it, or it cannot be read.

    Spec: OCPP 1.6 6.24 (chargingSchedule); OCPP 2.0.1 CompositeScheduleType
    """
    schedule = answer.get("schedule", answer.get("chargingSchedule"))
    if not isinstance(schedule, dict):
        return None
    starts_at = _time(schedule.get("scheduleStart") or answer.get("scheduleStart")) or now
    told = schedule.get("chargingSchedulePeriod")
    periods = [_period(each, starts_at) for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    known = sorted(period for period in periods if period is not None)
    return CompositeSchedule(str(schedule.get("chargingRateUnit", "A")), tuple(known)) if known else None


def allowed_a(schedule: CompositeSchedule, phases: int, voltage_v: float) -> tuple[tuple[datetime, float], ...]:
    """Return what it allows from when on, in amperes on each of the phases, of which there are so many at most."""
    return tuple(
        (period.starts_at, amperes_of(period.limit, schedule.unit, min(period.phases, phases), voltage_v))
        for period in schedule.periods
    )


def _period(told: Mapping[str, Any], starts_at: datetime) -> Period | None:
    start_s, limit, phases = told.get("startPeriod"), told.get("limit"), told.get("numberPhases")
    if not isinstance(start_s, int | float) or not isinstance(limit, int | float):
        return None
    known = phases if isinstance(phases, int) and 0 < phases <= _ALL else _ALL
    return Period(starts_at + timedelta(seconds=start_s), float(limit), known)


def _time(told: object) -> datetime | None:
    if not isinstance(told, str):
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None

"""Which charging profiles a station takes, and why it refuses the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from chargebus_station.charging_habits import REFUSED_PURPOSES, REFUSED_UNITS, ChargingHabit, ChargingHabits
from chargebus_station.device_model import Setting, Settings
from chargebus_station.profiles import Period, Profile
from chargebus_station.state import Evse

_STATION_ONLY: Final = frozenset({"ChargePointMaxProfile", "ChargingStationMaxProfile", "LocalGeneration"})
_TIMED: Final = frozenset({"Absolute", "Recurring"})


class Refusal(StrEnum):
    """Why a profile is refused; 1.6 does not tell. Spec: OCPP 2.0.1 Part 2, appendix 5 (reason codes)."""

    DUPLICATE_PROFILE = "DuplicateProfile"
    INVALID_PROFILE = "InvalidProfile"
    INVALID_SCHEDULE = "InvalidSchedule"
    INVALID_STACK_LEVEL = "InvalidStackLevel"
    MISSING_PARAM = "MissingParam"
    NOT_ENABLED = "NotEnabled"
    TOO_MANY_PROFILES = "OutOfStorage"
    TOO_MANY_PERIODS = "TooManyElements"
    TX_NOT_FOUND = "TxNotFound"
    UNKNOWN_EVSE = "UnknownEvse"
    UNSUPPORTED_PARAM = "UnsupportedParam"
    UNSUPPORTED_PURPOSE = "UnsupportedRequest"
    UNSUPPORTED_RATE_UNIT = "UnsupportedRateUnit"
    ZERO_NOT_ALLOWED = "ValueZeroNotAllowed"


@dataclass(frozen=True)
class Capabilities:
    """What a station says that it can take, and its habits.

    Ids up to `external_ids_to` are for profiles of others (2.1, MaxExternalConstraintsId).
    `versions_2` are the rules that 1.6 does not have: that a TxProfile names its transaction, that a place which is
    taken is not given to a profile with another id, that a schedule with a date begins at one.
    """

    enabled: bool
    max_stack_level: int
    units: Sequence[str]
    max_periods: int
    max_profiles: float
    switches_phases: bool
    external_ids_to: int | None = None
    habits: ChargingHabits = frozenset()
    versions_2: bool = True

    @classmethod
    def of(cls, settings: Settings, habits: ChargingHabits, *, versions_2: bool) -> "Capabilities":
        """Read them from the variables that the CSMS can read, too."""
        return cls(
            enabled=settings.flag(Setting.SMART_CHARGING_ENABLED),
            max_stack_level=settings.number(Setting.MAX_STACK_LEVEL),
            units=[_UNITS.get(word, word) for word in settings.words(Setting.RATE_UNITS)],
            max_periods=settings.number(Setting.MAX_PERIODS),
            max_profiles=settings.most(Setting.MAX_PROFILES),
            switches_phases=settings.flag(Setting.SWITCHES_PHASES),
            external_ids_to=int(settings.text(Setting.EXTERNAL_IDS_TO) or 0) or None,
            habits=habits,
            versions_2=versions_2,
        )


_UNITS: Final = {"Current": "A", "Power": "W"}
"""The words of 1.6."""


def refusal(profile: Profile, able: Capabilities, held: Sequence[Profile], evse: Evse | None) -> Refusal | None:
    """Return why a station refuses a profile, None if it takes it.

    Args:
        profile: what the CSMS set.
        able: what the station can take.
        held: the profiles that it has.
        evse: of the profile; None where it is for the station (0), or there is no such EVSE.

    Spec: OCPP 1.6 5.16, 9.4; OCPP 2.0.1 K01.FR.06 to FR.53
    """
    checks = (_of_the_station(profile, able), _of_its_place(profile, able, evse), _of_its_schedule(profile, able))
    found = next((reason for reason in checks if reason is not None), None)
    return found or _of_the_others(profile, able, held)


def _of_the_station(profile: Profile, able: Capabilities) -> Refusal | None:
    if not able.enabled:
        return Refusal.NOT_ENABLED
    if REFUSED_PURPOSES.get(profile.purpose) in able.habits:
        return Refusal.UNSUPPORTED_PURPOSE
    if profile.stack_level > able.max_stack_level:
        return Refusal.INVALID_STACK_LEVEL
    if profile.unit.value not in able.units or REFUSED_UNITS[profile.unit.value] in able.habits:
        return Refusal.UNSUPPORTED_RATE_UNIT
    return None


def _of_its_place(profile: Profile, able: Capabilities, evse: Evse | None) -> Refusal | None:
    if evse is None and profile.evse_id != 0:
        return Refusal.UNKNOWN_EVSE
    # Spec: OCPP 2.0.1 K01.FR.22: what others limit is for them to say; OCPP 2.1: so are ids up to theirs.
    is_others = able.external_ids_to is not None and profile.id <= able.external_ids_to
    if profile.purpose == "ChargingStationExternalConstraints" or is_others:
        return Refusal.INVALID_PROFILE
    if profile.purpose in _STATION_ONLY and profile.evse_id != 0:
        return Refusal.INVALID_PROFILE
    return None if profile.purpose != "TxProfile" else _of_its_transaction(profile, able, evse)


def _of_its_transaction(profile: Profile, able: Capabilities, evse: Evse | None) -> Refusal | None:
    """Spec: OCPP 1.6 5.16; OCPP 2.0.1 K01.FR.03, K01.FR.09, K01.FR.16, K01.FR.33, K01.FR.34."""
    if evse is None:
        return Refusal.INVALID_PROFILE
    if evse.transaction is None:
        return Refusal.TX_NOT_FOUND
    if profile.transaction_id is None:
        return Refusal.MISSING_PARAM if able.versions_2 else None
    return None if profile.transaction_id == evse.transaction.transaction_id else Refusal.TX_NOT_FOUND


def _of_its_schedule(profile: Profile, able: Capabilities) -> Refusal | None:
    """Spec: OCPP 2.0.1 K01.FR.31, K01.FR.35, K01.FR.40; OCPP 2.1 K28.FR.01, K29.FR.01 (one period)."""
    starts = [period.start_s for period in profile.periods]
    if len(starts) > able.max_periods:
        return Refusal.TOO_MANY_PERIODS
    out_of_order = starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts))
    undated = able.versions_2 and profile.kind in _TIMED and profile.starts_at is None
    if out_of_order or undated or (profile.dynamic and len(starts) > 1):
        return Refusal.INVALID_SCHEDULE
    return next((reason for period in profile.periods if (reason := _of_a_period(period, able)) is not None), None)


def _of_a_period(period: Period, able: Capabilities) -> Refusal | None:
    """Spec: OCPP 2.0.1 K01.FR.19, K01.FR.20 (phaseToUse)."""
    if period.limit < 0:
        return Refusal.INVALID_SCHEDULE
    if able.versions_2 and period.to_use is not None and not able.switches_phases:
        return Refusal.UNSUPPORTED_PARAM
    return Refusal.ZERO_NOT_ALLOWED if period.limit == 0 and ChargingHabit.REFUSES_ZERO in able.habits else None


def _of_the_others(profile: Profile, able: Capabilities, held: Sequence[Profile]) -> Refusal | None:
    others = [old for old in held if old.id != profile.id and old.source == profile.source]
    if able.versions_2 and any(old.place == profile.place and _at_once(old, profile) for old in others):
        return Refusal.DUPLICATE_PROFILE
    kept = [old for old in others if able.versions_2 or old.place != profile.place]
    return Refusal.TOO_MANY_PROFILES if len(kept) >= able.max_profiles else None


def _at_once(one: Profile, other: Profile) -> bool:
    """Whether both are valid at some time. Spec: OCPP 2.0.1 K01.FR.39, K01.FR.52, K01.FR.53."""
    begins_too_late = one.valid_to is not None and other.valid_from is not None and other.valid_from >= one.valid_to
    ended_before = other.valid_to is not None and one.valid_from is not None and one.valid_from >= other.valid_to
    return not (begins_too_late or ended_before)

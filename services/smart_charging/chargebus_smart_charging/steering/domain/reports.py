"""Charging profiles as a station reports them, in parts."""

from datetime import datetime
from typing import Any

import msgspec


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

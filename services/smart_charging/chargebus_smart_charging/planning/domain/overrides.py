"""Limits that operators set on an EVSE or a session for a time; they lower what may be drawn and never raise it."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from chargebus_smart_charging.sites.domain.site import EvseKey


class Override(msgspec.Struct, frozen=True):
    """An operator's limit in amperes per phase, until it ends; on an EVSE, or on a session wherever that is."""

    override_id: str
    site_id: str
    limit_a: float
    ends_at: datetime
    station_id: str = ""
    evse_id: int = 0
    session_id: str = ""
    reason: str = ""
    created_by: str = ""


def strictest(overrides: Iterable[Override], key: EvseKey, session_id: str, now: datetime) -> Override | None:
    """Return the lowest limit that holds for an EVSE and its session now."""
    holding = [
        each
        for each in overrides
        if now < each.ends_at
        and ((each.station_id, each.evse_id) == key or (each.session_id and each.session_id == session_id))
    ]
    return min(holding, key=lambda each: each.limit_a, default=None)


def in_words(override: Override) -> str:
    """Return what a limit comes from, for people."""
    why = f" ({override.reason})" if override.reason else ""
    return f"an operator allows {override.limit_a:g} A until {override.ends_at:%H:%M}{why}"

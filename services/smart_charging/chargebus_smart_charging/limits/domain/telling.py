"""What becomes of a limit or reading that somebody tells: whether it is news, and whether a plan depends on it."""

from datetime import datetime
from typing import Final

import msgspec

from chargebus_smart_charging.limits.domain.limit import KnownLimit
from chargebus_smart_charging.limits.domain.meters import Reading

_SAME_A: Final = 0.5


def is_older(limit: KnownLimit, known: KnownLimit | None) -> bool:
    """Tell whether something newer is known of the same limit."""
    return known is not None and limit.told_at < known.told_at


def changes_plans(limit: KnownLimit, known: KnownLimit | None, now: datetime) -> bool:
    """Tell whether a plan may depend on the difference: a limit that is only said again changes nothing.

    `known` is None where the limit is new, or was cleared.
    """
    if known is None or known.is_silent(now):
        return limit.counts
    same = msgspec.structs.replace(known, told_at=limit.told_at, told_by=limit.told_by)
    return (limit.counts or known.counts) and limit != same


def moves_plans(reading: Reading, known: Reading | None, silent_after_s: float) -> bool:
    """Tell whether a plan may depend on a reading: it is not as the one before, or breaks a silence."""
    if known is None or (reading.at - known.at).total_seconds() > silent_after_s or reading.forecast is not None:
        return True
    return any(abs(one - other) >= _SAME_A for one, other in zip(reading.phase_a, known.phase_a, strict=True))

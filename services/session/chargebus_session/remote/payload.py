"""What both families of versions say in the same words: the schedule of a charging profile."""

import math
from typing import Final

from chargebus_session.remote.domain import ProfileOfStart

_ROUNDED: Final = 1e-6


def schedule(profile: ProfileOfStart) -> dict[str, object]:
    """Return the schedule of a profile; limits have one decimal. Spec: OCPP 1.6 7.14, 7.8; OCPP 2.0.1 2.11."""
    duration = {} if profile.duration_s is None else {"duration": profile.duration_s}
    return {
        **duration,
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": [
            {"startPeriod": period.start_s, "limit": math.floor(period.limit * 10 + _ROUNDED) / 10}
            | ({} if period.phases is None else {"numberPhases": period.phases})
            for period in profile.periods
        ],
    }

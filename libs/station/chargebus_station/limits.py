"""What an EVSE may give, and when and in which circumstances that is asked."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from chargebus_station.charging import Outlet


@dataclass(frozen=True)
class Limit:
    """Amperes on each phase (for DC: on its one line), watts in all, and how many phases may be used."""

    phase_a: float = math.inf
    total_w: float = math.inf
    phases: float = math.inf

    def and_also(self, other: Self) -> Self:
        """Return what both allow."""
        return type(self)(
            min(self.phase_a, other.phase_a), min(self.total_w, other.total_w), min(self.phases, other.phases)
        )

    def times(self, factor: float) -> Self:
        """Return so many times as much."""
        return type(self)(self.phase_a * factor, self.total_w * factor, self.phases)

    def plus(self, other: Self) -> Self:
        """Return what another source gives on top, where this one is limited in the same unit."""
        return type(self)(_sum(self.phase_a, other.phase_a), _sum(self.total_w, other.total_w), self.phases)

    def watts(self, outlet: Outlet, phases: int | None = None) -> float:
        """Return the limit of a vehicle that uses so many phases of the outlet, by default all, in watts."""
        used = min(outlet.phases if phases is None else phases, self.phases)
        return min(
            self.total_w, self.phase_a * outlet.watts_on(1.0, int(used)) if self.phase_a < math.inf else math.inf
        )

    def amperes(self, outlet: Outlet) -> float:
        """Return the limit on each phase that may be used."""
        return min(self.phase_a, self.total_w / outlet.watts_on(1.0, int(min(outlet.phases, self.phases))))


def _sum(limit: float, more: float) -> float:
    return limit if math.isinf(more) else limit + more


NO_LIMIT: Final = Limit()


@dataclass(frozen=True)
class Moment:
    """When a limit is asked for, and what it may depend on.

    Attributes:
        begun_at: when the EVSE's transaction began, if there is one.
        offline_s: for how long there has been no connection.
        soc_percent: the vehicle's state of charge, where the station knows it.
        priority: whether priority charging is in use (2.1).
    """

    now: datetime
    begun_at: datetime | None = None
    offline_s: float = 0.0
    soc_percent: float | None = None
    priority: bool = False

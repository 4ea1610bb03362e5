"""The charging profiles that a station holds, and the limit that they put on an EVSE."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from chargebus_station.charging import Outlet

_REPEATS: Final = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
_TRANSACTION: Final = frozenset({"TxProfile", "TxDefaultProfile"})


class RateUnit(StrEnum):
    """The unit of a limit. Spec: OCPP 2.0.1 ChargingRateUnitEnumType."""

    WATTS = "W"
    AMPERES = "A"


@dataclass(frozen=True)
class Profile:
    """A profile with one schedule; `periods` are (start in seconds, limit)."""

    id: int
    evse_id: int
    purpose: str
    stack_level: int
    kind: str
    unit: RateUnit
    periods: tuple[tuple[float, float], ...]
    starts_at: datetime | None = None
    duration_s: float = math.inf
    recurrency: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    def limit_w(self, now: datetime, begun_at: datetime | None, outlet: Outlet) -> float | None:
        """Return the limit at this moment, None where the profile says nothing.

        Spec: OCPP 2.0.1 K01.FR.30 to FR.35; OCPP 1.6 3.13
        """
        if (self.valid_from and now < self.valid_from) or (self.valid_to and now >= self.valid_to):
            return None
        origin = self._origin(now, begun_at)
        if origin is None or now < origin:
            return None
        elapsed_s = (now - origin).total_seconds()
        if elapsed_s >= self.duration_s:
            return None
        current = [limit for start_s, limit in self.periods if start_s <= elapsed_s]
        if not current:
            return None
        return outlet.watts(current[-1]) if self.unit is RateUnit.AMPERES else current[-1]

    def _origin(self, now: datetime, begun_at: datetime | None) -> datetime | None:
        if self.kind == "Relative":
            return begun_at
        if self.starts_at is None:
            return begun_at or now
        repeat = _REPEATS.get(self.recurrency)
        if self.kind != "Recurring" or repeat is None or now < self.starts_at:
            return self.starts_at
        return self.starts_at + repeat * ((now - self.starts_at) // repeat)


@dataclass
class ChargingProfiles:
    """All profiles of one station."""

    _profiles: list[Profile] = field(default_factory=list)

    def install(self, profile: Profile) -> None:
        """Add a profile; it replaces the one with its id, or with its purpose, stack level and EVSE.

        Spec: OCPP 2.0.1 K01.FR.05; OCPP 1.6 5.16.2
        """
        place = (profile.purpose, profile.stack_level, profile.evse_id, profile.transaction_id)
        self._profiles = [
            old
            for old in self._profiles
            if old.id != profile.id and (old.purpose, old.stack_level, old.evse_id, old.transaction_id) != place
        ]
        self._profiles.append(profile)

    def matching(self, wanted: Callable[[Profile], bool]) -> list[Profile]:
        """Return the profiles that are wanted."""
        return [profile for profile in self._profiles if wanted(profile)]

    def clear(self, wanted: Callable[[Profile], bool]) -> int:
        """Remove the profiles that are wanted; return how many there were."""
        kept = [profile for profile in self._profiles if not wanted(profile)]
        cleared = len(self._profiles) - len(kept)
        self._profiles = kept
        return cleared

    def transaction_ended(self, evse_id: int) -> None:
        """Forget the profiles of the EVSE's transaction. Spec: OCPP 2.0.1 K01.FR.09; OCPP 1.6 3.13.1."""
        self.clear(lambda profile: profile.purpose == "TxProfile" and profile.evse_id == evse_id)

    def limit_w(self, evse_id: int, now: datetime, begun_at: datetime | None, outlet: Outlet) -> float:
        """Return the lowest of the purposes' limits; the transaction's own profile goes before the default one.

        Spec: OCPP 2.0.1 K01.FR.14, 3.5 (combining profile purposes); OCPP 1.6 3.13.3
        """
        own = self._leading(evse_id, "TxProfile", now, begun_at, outlet)
        default = self._leading(evse_id, "TxDefaultProfile", now, begun_at, outlet)
        transaction = own if own is not None else default
        limits = [
            limit for limit in (transaction, *self._station_limits(evse_id, now, begun_at, outlet)) if limit is not None
        ]
        return min(limits, default=math.inf)

    def _station_limits(
        self, evse_id: int, now: datetime, begun_at: datetime | None, outlet: Outlet
    ) -> Iterator[float | None]:
        for purpose in {profile.purpose for profile in self._profiles} - _TRANSACTION:
            yield self._leading(evse_id, purpose, now, begun_at, outlet)

    def _leading(
        self, evse_id: int, purpose: str, now: datetime, begun_at: datetime | None, outlet: Outlet
    ) -> float | None:
        candidates = [p for p in self._profiles if p.purpose == purpose and p.evse_id in {0, evse_id}]
        for profile in sorted(candidates, key=lambda p: (p.stack_level, p.evse_id), reverse=True):
            if (limit := profile.limit_w(now, begun_at, outlet)) is not None:
                return limit
        return None

"""The charging profiles that a station holds, and the limit that they put on an EVSE."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Any, Final, NamedTuple

from chargebus_station.limits import NO_LIMIT, Limit, Moment

_REPEATS: Final = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
_OF_THE_VEHICLE: Final = ("TxProfile", "TxDefaultProfile")
CSO: Final = "CSO"
"""Whose profiles those are that the CSMS sets. Spec: OCPP 2.0.1 ChargingLimitSourceEnumType"""

_EXTERNAL: Final = "ChargingStationExternalConstraints"
_OWN_GENERATION: Final = "LocalGeneration"
_STATION_MAX: Final = ("ChargePointMaxProfile", "ChargingStationMaxProfile")
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_REMEMBERED: Final = 20


class RateUnit(StrEnum):
    """The unit of a limit. Spec: OCPP 2.0.1 ChargingRateUnitEnumType."""

    WATTS = "W"
    AMPERES = "A"


class Period(NamedTuple):
    """A part of a schedule: its start in seconds and the limit in the profile's unit.

    `phases` is how many may be used, `to_use` which one where the station is to switch. Spec: OCPP 2.0.1 K01.FR.19
    """

    start_s: float
    limit: float
    phases: float = math.inf
    to_use: int | None = None


@dataclass(frozen=True)
class LimitAtSoC:
    """A limit that holds from a state of charge on. Spec: OCPP 2.1 LimitAtSoCType, K01.FR.70."""

    soc_percent: float
    limit: float


@dataclass(frozen=True)
class Profile:
    """A profile with one schedule, and what 2.1 adds.

    Attributes:
        delay_s: drawn by lot, up to the schedule's `randomizedDelay`: every change comes so much later.
        max_offline_s: how long it is valid without a connection; with `ends_offline` it never is again.
        update_every_s: how often a dynamic profile is asked for its limit; `updated_at` is the last time.
        source: who set it. Spec: OCPP 2.0.1 ChargingLimitSourceEnumType.
    """

    id: int
    evse_id: int
    purpose: str
    stack_level: int
    kind: str
    unit: RateUnit
    periods: tuple[Period, ...]
    starts_at: datetime | None = None
    duration_s: float = math.inf
    recurrency: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None
    at_soc: LimitAtSoC | None = None
    delay_s: float = 0.0
    max_offline_s: float = math.inf
    ends_offline: bool = False
    update_every_s: float = 0.0
    updated_at: datetime | None = None
    source: str = CSO
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def dynamic(self) -> bool:
        """Whether its limit is updated. Spec: OCPP 2.1 K28, K29."""
        return self.kind == "Dynamic"

    @property
    def place(self) -> tuple[str, int, int, str | None]:
        """What only one profile can have. Spec: OCPP 1.6 5.16.2; OCPP 2.0.1 K01.FR.06, K01.FR.39."""
        return self.purpose, self.stack_level, self.evse_id, self.transaction_id

    def limit(self, moment: Moment) -> Limit | None:
        """Return the limit at this moment, None where the profile says nothing.

        Spec: OCPP 2.0.1 K01.FR.30 to FR.35; OCPP 1.6 3.13; OCPP 2.1 K01.FR.70 (limitAtSoC)
        """
        now = moment.now
        if (self.valid_from and now < self.valid_from) or (self.valid_to and now >= self.valid_to):
            return None
        # Spec: OCPP 2.1 ChargingProfileType: 0 is at once, a profile without it stays.
        if moment.offline_s > 0 and moment.offline_s >= self.max_offline_s:
            return None
        origin = self._origin(now, moment.begun_at)
        if origin is None or now < origin:
            return None
        elapsed_s = (now - origin).total_seconds()
        if elapsed_s >= self.duration_s:
            return None
        current = [period for period in self.periods if period.start_s + self._delay_of(period) <= elapsed_s]
        if not current:
            return None
        period = current[-1]
        limit, phases = period.limit, period.phases if period.to_use is None else 1.0
        if self.at_soc and moment.soc_percent is not None and moment.soc_percent >= self.at_soc.soc_percent:
            limit = min(limit, self.at_soc.limit)
        return (
            Limit(phase_a=limit, phases=phases)
            if self.unit is RateUnit.AMPERES
            else Limit(total_w=limit, phases=phases)
        )

    def changes(self, moment: Moment, until: datetime) -> Iterator[datetime]:
        """Yield the instants after this moment at which what it says may change."""
        for at in (self.valid_from, self.valid_to):
            if at is not None and moment.now < at < until:
                yield at
        origin = self._origin(moment.now, moment.begun_at)
        repeat = _REPEATS.get(self.recurrency)
        while origin is not None and origin < until:
            starts = [origin + timedelta(seconds=period.start_s + self._delay_of(period)) for period in self.periods]
            ends = [] if math.isinf(self.duration_s) else [origin + timedelta(seconds=self.duration_s)]
            yield from (at for at in (*starts, *ends) if moment.now < at < until)
            origin = origin + repeat if self.kind == "Recurring" and repeat is not None else None

    def _delay_of(self, period: Period) -> float:
        return self.delay_s if period.start_s > 0 else 0.0

    def _origin(self, now: datetime, begun_at: datetime | None) -> datetime | None:
        if self.kind == "Relative":
            return begun_at
        if self.starts_at is None:
            return begun_at or now
        repeat = _REPEATS.get(self.recurrency)
        if self.kind != "Recurring" or repeat is None or now < self.starts_at:
            return self.starts_at
        return self.starts_at + repeat * ((now - self.starts_at) // repeat)


class ChargingProfiles:
    """All profiles of one station, and those that it held before, for stations that are slow to act."""

    def __init__(self) -> None:
        self._versions: list[tuple[datetime, tuple[Profile, ...]]] = [(_EVER, ())]

    @property
    def held(self) -> Sequence[Profile]:
        """The profiles that there are."""
        return self._versions[-1][1]

    @property
    def changed_at(self) -> datetime:
        """When they last changed."""
        return self._versions[-1][0]

    def install(self, profile: Profile, at: datetime = _EVER) -> None:
        """Add a profile; it replaces the one with its id, or with its purpose, stack level and EVSE.

        Spec: OCPP 2.0.1 K01.FR.05; OCPP 1.6 5.16.2
        """
        kept = [old for old in self.held if old.id != profile.id and old.place != profile.place]
        self._change((*kept, profile), at)

    def matching(self, wanted: Callable[[Profile], bool]) -> list[Profile]:
        """Return the profiles that are wanted."""
        return [profile for profile in self.held if wanted(profile)]

    def clear(self, wanted: Callable[[Profile], bool], at: datetime = _EVER) -> int:
        """Remove the profiles that are wanted; return how many there were."""
        kept = [profile for profile in self.held if not wanted(profile)]
        cleared = len(self.held) - len(kept)
        if cleared:
            self._change(kept, at)
        return cleared

    def transaction_ended(self, evse_id: int, at: datetime = _EVER) -> None:
        """Forget the profiles of the EVSE's transaction. Spec: OCPP 2.0.1 K01.FR.09; OCPP 1.6 3.13.1."""
        self.clear(lambda profile: profile.purpose == "TxProfile" and profile.evse_id == evse_id, at)

    def came_back(self, offline_s: float, at: datetime) -> None:
        """Forget what was not to outlive so long a time without a connection.

        Spec: OCPP 2.1 ChargingProfileType (invalidAfterOfflineDuration)
        """
        self.clear(lambda profile: profile.ends_offline and offline_s >= profile.max_offline_s, at)

    def limit(self, evse_id: int, moment: Moment, sharers: int = 1, as_of: datetime | None = None) -> Limit:
        """Return the lowest of the purposes' limits; the transaction's own profile goes before the default one.

        Args:
            evse_id: which EVSE.
            moment: when, and in which circumstances.
            sharers: among how many EVSEs the limits of the whole station are shared.
            as_of: which profiles count: those held then; by default those held now.

        Spec: OCPP 2.0.1 K01.FR.14, 3.5 (combining profile purposes); OCPP 1.6 3.13.3; OCPP 2.1 K22 (priority charging)
        """
        held = self.held if as_of is None else self._held(as_of)
        here = _Here(held, evse_id, moment, sharers)
        vehicle = here.first_of(("PriorityCharging",) if moment.priority else ()) or here.first_of(_OF_THE_VEHICLE)
        external, generation = here.leading(_EXTERNAL), here.leading(_OWN_GENERATION)
        if external is not None and generation is not None:
            external = external.plus(generation)
        limits = (vehicle, external, *(here.leading(purpose) for purpose in _STATION_MAX))
        return reduce(Limit.and_also, (limit for limit in limits if limit is not None), NO_LIMIT)

    def changes(self, moment: Moment, until: datetime) -> list[datetime]:
        """Return the instants at which any limit may change, in order."""
        return sorted({at for profile in self.held for at in profile.changes(moment, until)})

    def _held(self, as_of: datetime) -> Sequence[Profile]:
        return next((held for at, held in reversed(self._versions) if at <= as_of), ())

    def _change(self, held: Sequence[Profile], at: datetime) -> None:
        self._versions = [*self._versions[1 - _REMEMBERED :], (at, tuple(held))]


@dataclass(frozen=True)
class _Here:
    """The profiles of one EVSE at one moment."""

    held: Sequence[Profile]
    evse_id: int
    moment: Moment
    sharers: int

    def first_of(self, purposes: Sequence[str]) -> Limit | None:
        """Return the limit of the first purpose that says anything."""
        return next((limit for purpose in purposes if (limit := self.leading(purpose)) is not None), None)

    def leading(self, purpose: str) -> Limit | None:
        """Return the limit of the highest stack level that says anything."""
        candidates = [p for p in self.held if p.purpose == purpose and p.evse_id in {0, self.evse_id}]
        for profile in sorted(candidates, key=lambda p: (p.stack_level, p.evse_id), reverse=True):
            if (limit := profile.limit(self.moment)) is not None:
                shared = profile.evse_id == 0 and purpose not in _OF_THE_VEHICLE and purpose != "PriorityCharging"
                return limit.times(1 / max(1, self.sharers)) if shared else limit
        return None

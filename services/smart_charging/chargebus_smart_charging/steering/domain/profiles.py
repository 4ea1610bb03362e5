"""Charging profiles that carry what an EVSE is told: ids, stack levels, units and periods, in the words of OCPP 2.x."""

import math
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.steering.domain.habits import RateUnit
from chargebus_smart_charging.steering.domain.held import Order
from chargebus_smart_charging.steering.domain.resolving import USUAL_VOLTAGE_V
from chargebus_smart_charging.steering.domain.steered import ALL_PHASES, Steerable

Purpose: TypeAlias = Literal["TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile"]
"""Never ChargingStationExternalConstraints: what others limit is for them to say. Spec: OCPP 2.0.1 K01.FR.22"""

FIRST_ID: Final = 2_100_000_000
LAST_ID: Final = 2_147_483_647
"""Ids of our profiles: at the end of what 32 bits hold, where no operator counts, and no clock either."""

_IDS_PER_EVSE: Final = 10
_PLACES: Final = {"TxProfile": 0, "TxDefaultProfile": 1, "default": 2, "ChargingStationMaxProfile": 3}
_LEAST_PULL_S: Final = 60
_PULLS: Final = 6
_STARTED_BEFORE: Final = timedelta(seconds=60)
"""How long before it is told a schedule begins: a station whose clock is behind has it begun all the same."""


class Profile(msgspec.Struct, frozen=True):
    """A charging profile; `periods` are the seconds from its start, and a limit in its unit, a multiple of 0.1.

    `evse_id` 0 is the whole station; without `starts_at` it begins with the transaction; `phases` None for DC;
    a dynamic one is to be pulled every `update_every_s`, others have 0 there.
    """

    profile_id: int
    evse_id: int
    purpose: Purpose
    stack_level: int
    unit: RateUnit
    periods: tuple[tuple[int, float], ...]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    transaction_id: str = ""
    phases: int | None = None
    update_every_s: int = 0

    @property
    def duration_s(self) -> int | None:
        """How long its schedule lasts; None: for ever."""
        if self.starts_at is None or self.ends_at is None:
            return None
        return int((self.ends_at - self.starts_at).total_seconds())


def profile_id(evse_id: int, place: str) -> int:
    """Return the id of the profile of an EVSE that stands in a place: by a later one of that id it is replaced.

    Spec: OCPP 2.0.1 K01.FR.05; OCPP 1.6 5.16.2
    """
    return FIRST_ID + evse_id * _IDS_PER_EVSE + _PLACES[place]


def is_ours(number: int) -> bool:
    """Tell whether a profile is one of ours by its id."""
    return FIRST_ID <= number <= LAST_ID


def profile_of(order: Order, steerable: Steerable) -> Profile:
    """Return the profile that carries a limit or a default.

    A limit of a transaction has a start and an end of its own; a default begins with each transaction and needs no
    clock, so that it holds in a station that has none after a power cut.

    Spec: OCPP 2.0.1 K01.FR.31, K01.FR.35, K01.FR.39, K01.FR.40
    """
    is_default = order.asking == "default"
    purpose: Purpose = order.rung if order.rung in _PURPOSES else "TxDefaultProfile"  # type: ignore[assignment]
    evse_id = 0 if purpose == "ChargingStationMaxProfile" else steerable.evse.evse_id
    starts_at = None if is_default or order.dynamic else order.at - _STARTED_BEFORE
    periods = [(_seconds(at, order, starts_at), told_limit(a, order.phases, steerable)) for at, a in order.levels]
    return Profile(
        profile_id=profile_id(steerable.evse.evse_id, "default" if is_default else purpose),
        evse_id=evse_id,
        purpose=purpose,
        stack_level=stack_level(order, steerable),
        unit="W" if order.phases else "A",
        periods=tuple(periods),
        starts_at=starts_at,
        ends_at=order.until,
        transaction_id=order.transaction_id if purpose == "TxProfile" else "",
        phases=_phases(order, steerable),
        update_every_s=_update_every_s(steerable) if order.dynamic else 0,
    )


def _update_every_s(steerable: Steerable) -> int:
    """Return how often a dynamic profile is pulled: what it is pushed goes before, so a few times in its life."""
    return max(_LEAST_PULL_S, int(steerable.policy.profile_life_s / _PULLS))


_PURPOSES: Final = frozenset({"TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile"})


def stack_level(order: Order, steerable: Steerable) -> int:
    """Return the level of a profile: the default below all, what replaces it above, a transaction's own at the top.

    Above the lowest only where the station says that it knows so many.
    """
    most = steerable.habits.max_stack_level or 0
    if order.asking == "default" or order.rung == "ChargingStationMaxProfile":
        return 0
    return most if order.rung == "TxProfile" else 1 if most or steerable.habits.max_stack_level is None else 0


def told_limit(amperes: float, phases: int, steerable: Steerable) -> float:
    """Return amperes per phase as a limit: in watts over so many phases, or with 0 phases in amperes; never more."""
    return in_unit(amperes, unit_per_a(phases, steerable))


def unit_per_a(phases: int, steerable: Steerable) -> float:
    """Return what an ampere on each phase is as a limit: in watts over so many phases, or with 0 phases an ampere."""
    return (steerable.evse.voltage_v or USUAL_VOLTAGE_V) * phases if phases else 1.0


def in_unit(amperes: float, per_a: float) -> float:
    """Return amperes per phase as a limit, of which an ampere is so much; a multiple of 0.1, never more."""
    return math.floor(round(amperes * per_a * 10, 3)) / 10


def place_of(number: int) -> tuple[int, str] | None:
    """Return for which EVSE a profile of ours is, and in which place; None: it is none of ours."""
    evse_id, place = divmod(number - FIRST_ID, _IDS_PER_EVSE)
    known = next((name for name, of in _PLACES.items() if of == place), None)
    return (evse_id, known) if is_ours(number) and known is not None else None


def amperes_of(limit: float, unit: str, phases: int, voltage_v: float) -> float:
    """Return what a station allows, by a limit that it tells, as amperes on each of so many phases."""
    return limit if unit != "W" else limit / (voltage_v * max(phases, 1))


def _seconds(at: datetime, order: Order, starts_at: datetime | None) -> int:
    """Return when a period starts: the first at 0, whatever the schedule's start (K01.FR.31); later ones rounded down.

    A fall that comes a moment early harms nobody.
    """
    if at <= order.at:
        return 0
    return int((at - (starts_at or order.at)).total_seconds())


def _phases(order: Order, steerable: Steerable) -> int | None:
    """Return for how many phases it is meant: for watts those that they were reckoned for; none for DC.

    Spec: OCPP 2.0.1 K01.FR.19
    """
    if steerable.evse.current == "DC":
        return None
    return order.phases or len(steerable.evse.phases or ALL_PHASES)

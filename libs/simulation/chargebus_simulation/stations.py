"""Stations as they are in the field: what they hold, what they let flow, and how they deviate."""

import random
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from chargebus_simulation.cars import DAY, HOUR

Purpose: TypeAlias = Literal["TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile", "configuration key"]
Outcome: TypeAlias = Literal["Accepted", "Rejected", "timed out", "undeliverable"]

Slot: TypeAlias = Literal[
    "TxProfile", "TxDefaultProfile above", "TxDefaultProfile", "ChargingStationMaxProfile", "configuration key"
]
"""A place for a limit; of defaults there are two, at a higher and at a lower stack level."""

PURPOSE_OF: Final[dict[Slot, Purpose]] = {
    "TxProfile": "TxProfile",
    "TxDefaultProfile above": "TxDefaultProfile",
    "TxDefaultProfile": "TxDefaultProfile",
    "ChargingStationMaxProfile": "ChargingStationMaxProfile",
    "configuration key": "configuration key",
}
_CHARGING: Final[tuple[Slot, ...]] = ("TxProfile", "TxDefaultProfile above", "TxDefaultProfile")
_MOST: Final[tuple[Slot, ...]] = ("ChargingStationMaxProfile", "configuration key")

PURPOSES: Final[tuple[Purpose, ...]] = (
    "TxProfile",
    "TxDefaultProfile",
    "ChargingStationMaxProfile",
    "configuration key",
)
NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Temper:
    """How a station behaves.

    Attributes:
        answer_s: how long it takes to answer.
        obeys_s: how long after that what flows follows.
        refuses: purposes that it answers with Rejected.
        ignores: it accepts everything, and lets the vehicle draw what it wants.
        takes_zero: a limit of 0 is accepted; else it is Rejected.
        keeps_default: its default outlives a boot.
        meter: what it says flows, over what does; 0: it sends no readings.
        meter_s: how often it says that.
        mute: when it hears nothing, though its connection stands: what is asked times out.
        away: when it is offline.
        boots: when it boots, and forgets what it held for transactions.
    """

    answer_s: float = 0.5
    obeys_s: float = 2.0
    refuses: frozenset[Purpose] = frozenset()
    ignores: bool = False
    takes_zero: bool = True
    keeps_default: bool = True
    meter: float = 1.0
    meter_s: float = 60.0
    mute: tuple[tuple[float, float], ...] = ()
    away: tuple[tuple[float, float], ...] = ()
    boots: tuple[float, ...] = ()

    @property
    def lags_s(self) -> float:
        """How long from asking until what flows has followed."""
        return self.answer_s + self.obeys_s

    @property
    def is_honest(self) -> bool:
        """Whether what it says, and what it lets flow, can be relied on."""
        return not self.ignores and self.meter == 1.0

    @property
    def is_good(self) -> bool:
        """Whether it does what it is asked, and is there to be asked."""
        return not (self.ignores or self.refuses or self.mute or self.away or self.boots) and self.meter == 1.0

    def is_away(self, now_s: float) -> bool:
        """Tell whether it is offline."""
        return _within(self.away, now_s)

    def is_mute(self, now_s: float) -> bool:
        """Tell whether it hears nothing."""
        return _within(self.mute, now_s)


@dataclass(frozen=True, slots=True)
class Profile:
    """A limit: from when on how many amperes of a phase are allowed, in order, and when it ends by itself."""

    levels: tuple[tuple[float, float], ...]
    until_s: float = NEVER

    def at(self, now_s: float) -> float | None:
        """Return what it allows now; None: it has ended."""
        if now_s >= self.until_s:
            return None
        begun = [amperes for begins_s, amperes in self.levels if begins_s <= now_s]
        return begun[-1] if begun else self.levels[0][1]

    def changes(self) -> tuple[float, ...]:
        """Return when it changes."""
        times = (*(begins_s for begins_s, _ in self.levels), self.until_s)
        return tuple(at_s for at_s in times if at_s < NEVER)


@dataclass(slots=True)
class SimStation:
    """A station and what it holds, EVSE by EVSE; `hardware_a` is what its fuses and cables bear."""

    station_id: str
    temper: Temper
    hardware_a: dict[int, float]
    held: dict[tuple[int, Slot], Profile] = field(default_factory=dict)

    @property
    def takes_some(self) -> bool:
        """Whether an EVSE of it can be steered at all; by a limit of the station only if it is alone."""
        ways = PURPOSES if len(self.hardware_a) == 1 else PURPOSES[:2]
        return any(way not in self.temper.refuses for way in ways)

    def put(self, evse_id: int, slot: Slot, profile: Profile, *, in_transaction: bool) -> Outcome:
        """Take a limit for an EVSE, or refuse it. One for a transaction needs one."""
        if PURPOSE_OF[slot] in self.temper.refuses or (slot == "TxProfile" and not in_transaction):
            return "Rejected"
        if not self.temper.takes_zero and any(amperes <= 0 for _, amperes in profile.levels):
            return "Rejected"
        self.held[evse_id, slot] = profile
        return "Accepted"

    def clear(self, evse_id: int, slot: Slot) -> Outcome:
        """Forget a limit."""
        self.held.pop((evse_id, slot), None)
        return "Accepted"

    def boot(self) -> None:
        """Forget what is for transactions, and all the rest if it is not kept."""
        for place in list(self.held):
            if place[1] == "TxProfile" or not self.temper.keeps_default:
                del self.held[place]

    def end_transaction(self, evse_id: int) -> None:
        """Forget what was for the transaction that has ended."""
        self.held.pop((evse_id, "TxProfile"), None)

    def allows_a(self, evse_id: int, now_s: float) -> float:
        """Return what it lets flow at an EVSE by what it holds."""
        return self.hardware_a[evse_id] if self.temper.ignores else self.says_a(evse_id, now_s)

    def says_a(self, evse_id: int, now_s: float) -> float:
        """Return what it says that it lets flow."""
        allowed = self.hardware_a[evse_id]
        charging = (self._held_a(evse_id, slot, now_s) for slot in _CHARGING)
        bounds = [next((amperes for amperes in charging if amperes is not None), None)]
        bounds += [self._held_a(evse_id, slot, now_s) for slot in _MOST]
        return min((allowed, *(amperes for amperes in bounds if amperes is not None)))

    def _held_a(self, evse_id: int, slot: Slot, now_s: float) -> float | None:
        profile = self.held.get((evse_id, slot))
        return None if profile is None else profile.at(now_s)


def good() -> Temper:
    """Return a station as it should be."""
    return Temper()


def some(rng: random.Random, days: float) -> Temper:
    """Return one of the stations that there are: three of five are good, the others deviate in one way or two."""
    temper = Temper(
        answer_s=rng.choice((0.2, 0.5, 2.0)),
        obeys_s=rng.choice((1.0, 3.0, 8.0)),
        meter_s=rng.choice((30.0, 60.0, 60.0)),
    )
    if rng.random() < 0.6:
        return temper
    for deviate in rng.sample(_DEVIATIONS, rng.choice((1, 1, 2))):
        temper = deviate(temper, rng, days)
    return replace(temper, meter=1.0) if temper.ignores else temper


def _refuses(temper: Temper, rng: random.Random, _days: float) -> Temper:
    return replace(temper, refuses=rng.choice(_REFUSALS))


def _ignores(temper: Temper, _rng: random.Random, _days: float) -> Temper:
    return replace(temper, ignores=True)


def _lags(temper: Temper, rng: random.Random, _days: float) -> Temper:
    return replace(temper, answer_s=rng.uniform(2.0, 15.0), obeys_s=rng.uniform(5.0, 30.0))


def _refuses_zero(temper: Temper, _rng: random.Random, _days: float) -> Temper:
    return replace(temper, takes_zero=False)


def _is_offline(temper: Temper, rng: random.Random, days: float) -> Temper:
    return replace(temper, away=_spells(rng, days, 0.1, 5.0))


def _boots(temper: Temper, rng: random.Random, days: float) -> Temper:
    boots = tuple(sorted(rng.uniform(0.0, days * DAY) for _ in range(rng.randint(1, 3))))
    return replace(temper, boots=boots, keeps_default=rng.random() < 0.5)


def _is_deaf(temper: Temper, rng: random.Random, days: float) -> Temper:
    return replace(temper, mute=_spells(rng, days, 0.05, 1.0))


def _lies(temper: Temper, rng: random.Random, _days: float) -> Temper:
    return replace(temper, meter=rng.choice((0.0, 0.5, 1.2)))


_DEVIATIONS: Final = (_refuses, _ignores, _lags, _refuses_zero, _is_offline, _boots, _is_deaf, _lies)

_REFUSALS: Final[tuple[frozenset[Purpose], ...]] = (
    frozenset({"TxProfile"}),
    frozenset({"TxDefaultProfile"}),
    frozenset({"ChargingStationMaxProfile"}),
    frozenset({"TxProfile", "TxDefaultProfile"}),
    frozenset({"TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile", "configuration key"}),
)


def _within(spells: tuple[tuple[float, float], ...], now_s: float) -> bool:
    return any(begins <= now_s < ends for begins, ends in spells)


def _spells(rng: random.Random, days: float, least_h: float, most_h: float) -> tuple[tuple[float, float], ...]:
    """Return one or two spells, one after the other."""
    count = rng.randint(1, 2)
    part = days * DAY / count
    spells = []
    for number in range(count):
        begins = (number + rng.uniform(0.0, 0.5)) * part
        spells.append((begins, begins + min(rng.uniform(least_h, most_h) * HOUR, 0.45 * part)))
    return tuple(spells)

"""What stations really did: their charges, power losses and contacts, at true times, made of a seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from chargebus_ocppj.versions import Version

AfterPowerLoss = Literal["ends", "goes_on", "is_lost"]
Kind = Literal["Started", "Updated", "Ended"]

DRIVERS: Final = tuple(f"DRIVER{number}" for number in range(12))
EVSES: Final = (1, 2)

_CHARGES_BETWEEN_CONTACTS: Final = 8
_CHARGES_BETWEEN_POWER_LOSSES: Final = 5
_POWER_W: Final = (3_000, 22_000)
_CHARGE_MINUTES: Final = (20, 180)
_PAUSE_MINUTES: Final = (2, 90)
_AFTER_S: Final = 30  # how long a station takes to start, and to say what the power loss did


@dataclass(frozen=True)
class Make:
    """What the firmware of a station is like.

    Attributes:
        version: what it speaks.
        keeps_time: its clock goes on without power; others start in 1970 and learn the time from a boot's answer.
        counts_anew: its transaction ids begin at 1 again after each start (2.x; in 1.6 they are ours).
        numbers_anew: its seqNo begins at 0 again after each start, in mid-transaction, too.
        contexts: its readings say which are those of begin and end.
        sloppy: it writes numbers as text, and adds members that nobody knows.
        after_power_loss: what becomes of a charge that a power loss interrupts.
        same_message_id: it resends a message under the id that it had.
        ahead: how many messages it sends at once, without waiting for answers (2.x: a stop in 1.6 needs one).
        forgets: how many acknowledged messages it sends again after a power loss, as it had not noted the answers.
    """

    version: Version
    keeps_time: bool = True
    counts_anew: bool = False
    numbers_anew: bool = False
    contexts: bool = True
    sloppy: bool = False
    after_power_loss: AfterPowerLoss = "ends"
    same_message_id: bool = True
    ahead: int = 1
    forgets: int = 0


MAKES: Final[Mapping[str, Make]] = {
    "sound-16": Make("1.6", forgets=3),
    "clockless-16": Make("1.6", keeps_time=False, same_message_id=False, forgets=3),
    "losing-16": Make("1.6", sloppy=True, after_power_loss="is_lost", forgets=2),
    "sound-201": Make("2.0.1", ahead=3, forgets=4),
    "counting-201": Make("2.0.1", counts_anew=True, numbers_anew=True, after_power_loss="goes_on", ahead=4, forgets=3),
    "clockless-201": Make("2.0.1", keeps_time=False, after_power_loss="goes_on", same_message_id=False, forgets=2),
    "poor-201": Make("2.0.1", keeps_time=False, counts_anew=True, numbers_anew=True, forgets=3),
    "losing-201": Make("2.0.1", counts_anew=True, after_power_loss="is_lost"),
    "plain-201": Make("2.0.1", contexts=False, sloppy=True, numbers_anew=True, after_power_loss="goes_on"),
    "all-21": Make("2.1", keeps_time=False, counts_anew=True, contexts=False, after_power_loss="goes_on"),
}
"""Makes with the faults that were seen in the field, alone and together."""


@dataclass(frozen=True)
class Happening:
    """Something that a station measured of a charge."""

    kind: Kind
    at: datetime
    wh: int


@dataclass(frozen=True)
class Charge:
    """A true transaction; without an `Ended` its station never learned how it ended."""

    number: int
    evse_id: int
    driver: str
    happenings: tuple[Happening, ...]

    @property
    def begun(self) -> Happening:
        """Its begin."""
        return self.happenings[0]

    @property
    def last(self) -> Happening:
        """The last that was measured of it."""
        return self.happenings[-1]

    @property
    def ended(self) -> bool:
        """Whether its station knows its end."""
        return self.last.kind == "Ended"


@dataclass(frozen=True)
class Life:
    """What a station did, in true time: when it got power, when it reached the CSMS, what was charged."""

    station_id: str
    make: Make
    starts: tuple[datetime, ...]
    contacts: tuple[datetime, ...]
    charges: tuple[Charge, ...]

    def started_before(self, at: datetime) -> datetime:
        """Return when the station had last got power."""
        return max(start for start in self.starts if start <= at)


def life(station_id: str, make: Make, charges: int, now: datetime) -> Life:
    """Return a life with so many charges, all of them before `now`; the same one for the same station and make."""
    dice = random.Random(f"{station_id} {make}")  # noqa: S311 - a test's dice
    hours = charges * (sum(_CHARGE_MINUTES) + sum(_PAUSE_MINUTES)) / 120 / len(EVSES) + 1
    begin = (now - timedelta(hours=2 * hours)).replace(microsecond=0)
    undisturbed = sorted(
        (each for evse_id in EVSES for each in _charges(dice, evse_id, charges // len(EVSES), begin)),
        key=lambda charge: charge.begun.at,
    )
    end = max(charge.last.at for charge in undisturbed) + timedelta(minutes=5)
    losses = _moments(dice, charges // _CHARGES_BETWEEN_POWER_LOSSES, begin, end)
    numbered = [
        replace(_interrupted(charge, losses, make), number=number) for number, charge in enumerate(undisturbed, 1)
    ]
    contacts = _moments(dice, charges // _CHARGES_BETWEEN_CONTACTS, begin, end)
    return Life(station_id, make, (begin - timedelta(hours=1), *losses), (*contacts, now), tuple(numbered))


def _charges(dice: random.Random, evse_id: int, count: int, begin: datetime) -> Iterator[Charge]:
    """Yield charges one after the other: the register of an EVSE only rises, and never stands still in one."""
    at, wh = begin, dice.randrange(10_000, 10_000_000)
    for _ in range(count):
        at += timedelta(minutes=dice.uniform(*_PAUSE_MINUTES))
        minutes, power_w = dice.uniform(*_CHARGE_MINUTES), dice.uniform(*_POWER_W)
        cuts = sorted(dice.uniform(0.1, 0.9) for _ in range(dice.choice((0, 0, 1, 2))))
        parts = [0.0, *cuts, 1.0]
        kinds: list[Kind] = ["Started", *("Updated" for _ in cuts), "Ended"]  # type: ignore[list-item]
        happenings = tuple(
            Happening(kind, at + timedelta(minutes=minutes * part), wh + number + int(power_w * minutes / 60 * part))
            for number, (kind, part) in enumerate(zip(kinds, parts, strict=True))
        )
        yield Charge(0, evse_id, dice.choice(DRIVERS), happenings)
        at, wh = happenings[-1].at, happenings[-1].wh


def _moments(dice: random.Random, count: int, begin: datetime, end: datetime) -> tuple[datetime, ...]:
    return tuple(sorted(begin + (end - begin) * dice.random() for _ in range(count)))


def _interrupted(charge: Charge, losses: Sequence[datetime], make: Make) -> Charge:
    """Return a charge as the first power loss during it left it."""
    loss = next((loss for loss in losses if charge.begun.at < loss < charge.last.at), None)
    if loss is None or make.after_power_loss == "goes_on":
        return charge
    measured = tuple(each for each in charge.happenings if each.at <= loss)
    if make.after_power_loss == "is_lost":
        return replace(charge, happenings=measured)
    ended = Happening("Ended", loss + timedelta(seconds=_AFTER_S), _between(charge, loss))
    return replace(charge, happenings=(*measured, ended))


def _between(charge: Charge, at: datetime) -> int:
    """Return what the register showed at a moment."""
    before = max((each for each in charge.happenings if each.at <= at), key=lambda each: each.at)
    after = min((each for each in charge.happenings if each.at > at), key=lambda each: each.at)
    return before.wh + max(1, int((after.wh - before.wh) * ((at - before.at) / (after.at - before.at))))

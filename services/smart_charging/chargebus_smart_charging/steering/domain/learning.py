"""What is learned of stations of one make, model and firmware by how they answer and obey."""

from typing import Final

import msgspec

from chargebus_smart_charging.steering.domain.habits import LADDER, Habits, Rung
from chargebus_smart_charging.steering.domain.steered import Answer

ZERO: Final = "zero"
DYNAMIC: Final = "dynamic profile"
DEFAULT_KEPT: Final = "default after a boot"
_REFUSALS: Final = ("refused", "unsupported")
_ENOUGH: Final = 2
"""How many refusals, with nothing taken in between, make a habit: one may have been a fault."""


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often each way (a limit of 0, a dynamic profile) was taken, refused, or taken and not obeyed.

    And how long obeying took at most.
    What stations of a kind do not obey is told to each of them all the same: a vehicle may be the cause.
    """

    taken: dict[str, int] = {}
    refused: dict[str, int] = {}
    disobeyed: dict[str, int] = {}
    obeyed_within_s: float | None = None


def answered(tally: Tally, rung: Rung, limit_a: float, answer: Answer, *, dynamic: bool = False) -> Tally:
    """Return it after a station of the kind has answered an order that sets a limit, maybe by a dynamic profile.

    What it has against one of those says nothing of the way.
    """
    if dynamic and answer in _REFUSALS:
        return msgspec.structs.replace(tally, refused=_counted(tally.refused, DYNAMIC))
    if answer == "accepted":
        taken = _counted(tally.taken, rung)
        taken = _counted(taken, DYNAMIC) if dynamic else taken
        return msgspec.structs.replace(tally, taken=_counted(taken, ZERO) if limit_a == 0 else taken)
    if answer == "refused" and limit_a == 0:
        return msgspec.structs.replace(tally, refused=_counted(tally.refused, ZERO))
    if answer == "unsupported":
        return msgspec.structs.replace(tally, refused=_counted(tally.refused, rung))
    return tally


def disobeyed(tally: Tally, rung: Rung) -> Tally:
    """Return it after a way was given up with a station of the kind that took its limits and did not obey."""
    return msgspec.structs.replace(tally, disobeyed=_counted(tally.disobeyed, rung))


def obeyed(tally: Tally, seconds: float) -> Tally:
    """Return it after a reduction was seen so long after it was accepted."""
    return msgspec.structs.replace(tally, obeyed_within_s=max(seconds, tally.obeyed_within_s or 0.0))


def habits_by(tally: Tally) -> Habits:
    """Return the habits that stations of the kind are taken to have."""
    refused = tuple(rung for rung in LADDER[:-1] if _is_refused(tally, rung))
    dynamic = False if _is_refused(tally, DYNAMIC) else None
    takes_zero = True if tally.taken.get(ZERO) else False if tally.refused.get(ZERO, 0) >= _ENOUGH else None
    return Habits(
        takes_zero=takes_zero,
        refused=refused,
        obeys_within_s=tally.obeyed_within_s,
        keeps_default=_keeps_default(tally),
        dynamic=dynamic,
    )


def default_after_boot(tally: Tally, *, kept: bool) -> Tally:
    """Return it after a station of the kind said whether its default has outlived a boot."""
    if kept:
        return msgspec.structs.replace(tally, taken=_counted(tally.taken, DEFAULT_KEPT))
    return msgspec.structs.replace(tally, refused=_counted(tally.refused, DEFAULT_KEPT))


def _keeps_default(tally: Tally) -> bool | None:
    """Return whether stations of a kind keep their defaults: one that has lost it speaks for all."""
    kept, lost = tally.taken.get(DEFAULT_KEPT, 0), tally.refused.get(DEFAULT_KEPT, 0)
    if lost and (kept or lost >= _ENOUGH):
        return False
    return True if kept >= _ENOUGH else None


def _is_refused(tally: Tally, way: str) -> bool:
    return tally.refused.get(way, 0) >= _ENOUGH and not tally.taken.get(way)


def _counted(counts: dict[str, int], name: str) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}

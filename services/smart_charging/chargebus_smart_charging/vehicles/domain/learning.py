"""What is learned of a vehicle by how it draws: the phases that it really uses, and the most that it really takes.

It is unlearned at once where a reading shows more, and learned only by several in a row: a mistake in the one direction
overloads a fuse, in the other it wastes a share for a few readings.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

import msgspec

from chargebus_smart_charging.vehicles.domain.samples import Sample

ENOUGH: Final = 3
"""How many readings in a row teach something."""
NEEDS_AT_MOST_A: Final = 14.0
"""A vehicle that draws nothing at less than that may need more to begin; at more, it needs nothing."""
HEADROOM_A: Final = 1.0
"""What a vehicle may draw beyond the most that it was seen to draw, so that it can show that it wants more."""

_SETTLES: Final = timedelta(seconds=30)  # a vehicle that was allowed something else is given time to follow
_CLEARLY_A: Final = 1.5
_CLEARLY: Final = 0.1
_AT_LIMIT_A: Final = 0.5
_SHOWS_PHASES_A: Final = 2.0
_MORE_A: Final = 2.0
_NOTHING_A: Final = 0.5
_USED: Final = 0.25
_USED_A: Final = 0.5


class Allowed(msgspec.Struct, frozen=True):
    """The limit that an EVSE held when something was measured, in amperes per phase, and since when."""

    limit_a: float
    since: datetime


class Learned(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a vehicle taught so far.

    Attributes:
        phases: those of the connector, from 0 to 2, that it really uses; none while that is not known.
        most_a: what it is taken to draw at most, its headroom included; None: as much as it may.
        least_a: what it is taken to need to draw anything, as it drew nothing at less; 0: that is not known.
        fewer, fewer_seen: for how many readings in a row it has used fewer phases than is known, and which.
        smaller, smaller_a: for how many readings in a row it has drawn clearly less than it might, and what at most.
    """

    phases: tuple[int, ...] = ()
    most_a: float | None = None
    least_a: float = 0.0
    fewer: int = 0
    fewer_seen: tuple[int, ...] = ()
    smaller: int = 0
    smaller_a: float = 0.0


def learn(known: Learned, sample: Sample, allowed: Allowed | None) -> Learned:
    """Return what is known after a sample; `allowed` is None where nobody knows what the EVSE may draw."""
    if sample.phase_a is None:
        return known
    known = _phases(known, sample)
    if allowed is None:
        return known
    return _most(known, max(sample.phase_a), sample.at, allowed)


def _phases(known: Learned, sample: Sample) -> Learned:
    drawn = sample.phase_a or ()
    most = max(drawn, default=0.0)
    if not sample.tells_phases or most < _SHOWS_PHASES_A:
        return known
    seen = tuple(phase for phase, amperes in enumerate(drawn) if amperes > max(_USED_A, _USED * most))
    if known.phases and not set(seen) <= set(known.phases):
        every = tuple(sorted({*seen, *known.phases}))
        return msgspec.structs.replace(known, phases=every, fewer=0, fewer_seen=())
    if seen == known.phases:
        if not known.fewer and not known.fewer_seen:
            return known
        return msgspec.structs.replace(known, fewer=0, fewer_seen=())
    times = known.fewer + 1 if seen == known.fewer_seen else 1
    if times < ENOUGH:
        return msgspec.structs.replace(known, fewer=times, fewer_seen=seen)
    return msgspec.structs.replace(known, phases=seen, fewer=0, fewer_seen=())


def _most(known: Learned, drawn_a: float, at: datetime, allowed: Allowed) -> Learned:
    if drawn_a > _NOTHING_A and drawn_a < known.least_a - _AT_LIMIT_A:
        known = msgspec.structs.replace(known, least_a=0.0)
    if known.most_a is not None and _wants_more(known.most_a, drawn_a, allowed):
        return msgspec.structs.replace(known, most_a=None, smaller=0, smaller_a=0.0)
    ceiling = allowed.limit_a if known.most_a is None else min(allowed.limit_a, known.most_a)
    if drawn_a > ceiling - max(_CLEARLY_A, _CLEARLY * ceiling):
        is_new = known.smaller or known.smaller_a
        return msgspec.structs.replace(known, smaller=0, smaller_a=0.0) if is_new else known
    if at < allowed.since + _SETTLES:
        return known
    times, most = known.smaller + 1, max(known.smaller_a, drawn_a)
    if times < ENOUGH:
        return msgspec.structs.replace(known, smaller=times, smaller_a=most)
    if _may_need_more(known, most, allowed):
        return msgspec.structs.replace(known, least_a=allowed.limit_a + _MORE_A, smaller=0, smaller_a=0.0)
    return msgspec.structs.replace(known, most_a=float(ceil(most + HEADROOM_A)), least_a=0.0, smaller=0, smaller_a=0.0)


def _may_need_more(known: Learned, most: float, allowed: Allowed) -> bool:
    """Tell whether a vehicle that draws nothing may do so as it is allowed too little, not as it is full."""
    is_full = known.most_a is not None and known.most_a <= allowed.limit_a
    return most < _NOTHING_A and allowed.limit_a < NEEDS_AT_MOST_A and not is_full


def _wants_more(most_a: float, drawn_a: float, allowed: Allowed) -> bool:
    """Tell whether a vehicle draws all that it was left by what is known of it, and not by what else limits it."""
    left = allowed.limit_a >= most_a - HEADROOM_A and drawn_a >= allowed.limit_a - _AT_LIMIT_A
    return left or drawn_a >= most_a

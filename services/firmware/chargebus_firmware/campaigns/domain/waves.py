"""Which stations are in a campaign, and in which wave of it; pure.

The list is made once, when the campaign begins, and does not grow: a part of it in percent has a whole only then, and
what an operator saw before is what is done. A station that comes later is for the next campaign.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from chargebus_firmware.campaigns.domain.campaign import Member, Share, Step


class Candidate(msgspec.Struct, frozen=True):
    """A station that a campaign is for, as far as waves need to know it."""

    station_id: str
    vendor: str
    model: str
    firmware_version: str
    place: str = ""
    online: bool = False


class Misfit(msgspec.Struct, frozen=True):
    """Why a station that a campaign is for is left out, for programs and for people."""

    reason: str
    detail: str


Fits = Callable[[Candidate], Misfit | None]
"""Tells why an image is not for a station; None: it is."""


class Listed(msgspec.Struct, frozen=True):
    """The stations of a campaign: those that wait for their turn, in order, and those that are left out."""

    sizes: tuple[int, ...]
    waiting: tuple[Member, ...]
    skipped: tuple[Member, ...]

    def page(self, after: str, limit: int) -> list[tuple[str, Member]]:
        """Return up to `limit` stations, each with its key, after a key: wave by wave, then those that are left out."""
        keyed = [(f"{member.wave:06}/{member.station_id}", member) for member in self.waiting]
        keyed += [(f"skipped/{member.station_id}", member) for member in self.skipped]
        return sorted((each for each in keyed if each[0] > after), key=lambda each: each[0])[:limit]


def listed(candidates: Iterable[Candidate], fits: Fits, waves: Sequence[Share], seed: str, now: datetime) -> Listed:
    """Return the stations of a campaign, each in its wave.

    Those that are online come first, as the early waves are there to find out; among them no vendor's numbering and no
    site comes before another, but the order is the same whenever it is asked for with the same `seed`.
    """
    chosen: list[Candidate] = []
    skipped: list[Member] = []
    for each in candidates:
        misfit = fits(each)
        if misfit is None:
            chosen.append(each)
        else:
            skipped.append(_left_out(each, misfit, len(skipped), now))
    chosen.sort(key=lambda each: (not each.online, _shuffled(seed, each.station_id)))
    sizes = sizes_of(waves, len(chosen))
    numbers = (wave for wave, size in enumerate(sizes) for _ in range(size))
    waiting = [
        Member(each.station_id, wave, position, each.place, now, path=(Step("waiting", now),))
        for position, (each, wave) in enumerate(zip(chosen, numbers, strict=True))
    ]
    return Listed(sizes, tuple(waiting), tuple(sorted(skipped, key=lambda member: member.station_id)))


def sizes_of(waves: Sequence[Share], total: int) -> tuple[int, ...]:
    """Return how many stations each wave has: what is left after those that are given is a last one."""
    sizes, left = [], total
    for share in waves:
        wanted = share.count if share.count is not None else math.ceil((share.percent or 0.0) / 100.0 * total)
        size = min(wanted, left)
        if size:
            sizes.append(size)
            left -= size
    return (*sizes, left) if left else tuple(sizes)


def _left_out(candidate: Candidate, misfit: Misfit, position: int, now: datetime) -> Member:
    step = Step("skipped", now, misfit.reason, misfit.detail)
    return Member(
        candidate.station_id,
        0,
        position,
        candidate.place,
        now,
        state="skipped",
        reason=misfit.reason,
        detail=misfit.detail,
        path=(step,),
    )


def _shuffled(seed: str, station_id: str) -> bytes:
    return blake2b(station_id.encode(), key=blake2b(seed.encode(), digest_size=32).digest(), digest_size=8).digest()

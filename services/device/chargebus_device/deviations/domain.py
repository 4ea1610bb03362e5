"""Owns the sums of stations' deviations: what a report adds to them, and how many of a station are told apart."""

from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import Final, NamedTuple

import msgspec
from chargebus_events.deviations import DeviationCount, DeviationReport

MOST: Final = 200
"""Deviations of one station that are told apart by their place; of more, only action and kind are."""

ANY_PLACE: Final = "*"
_HALF_A_DAY_S: Final = 43_200

_WITHOUT_TEXTS: Final = frozenset(
    {"misnamed_property", "fraction", "too_many", "too_long", "out_of_range", "epoch_time", "handshake"}
)


MAKE_LIMIT: Final = 100
"""Characters of vendor, model and firmware version that tell makes apart; boots are kept whole."""


class Make(NamedTuple):
    """What a station said of itself in its newest boot, cut; empty texts before its first."""

    vendor: str = ""
    model: str = ""
    firmware_version: str = ""

    @classmethod
    def of(cls, *said: str) -> "Make":
        """Return the make of a station that says this of itself."""
        return cls(*(text[:MAKE_LIMIT] for text in said))


class DeviationKey(NamedTuple):
    """Which deviation of a station is meant; `version` is that of OCPP."""

    action: str
    kind: str
    path: str
    refused: bool
    vendor: str
    model: str
    firmware_version: str
    version: str


class Deviation(msgspec.Struct, frozen=True):
    """How often a station had a deviation, in frames.

    `epoch` is the newest connection that had it, and `counted` how many of `count` were of that connection.
    """

    station_id: str
    key: DeviationKey
    count: int
    first_at: datetime
    last_at: datetime
    detail: str
    epoch: int
    counted: int

    @property
    def public_detail(self) -> str:
        """What all may know of it: nothing where the detail may show what the station sent, such as a token's text."""
        return self.detail if self.key.kind in _WITHOUT_TEXTS else ""


Deviations = dict[DeviationKey, Deviation]


class SumKey(NamedTuple):
    """Which deviations of all stations are added up: those of one kind, wherever in the message, of one make."""

    vendor: str
    model: str
    firmware_version: str
    version: str
    action: str
    kind: str
    refused: bool


class Sum(msgspec.Struct, frozen=True):
    """What is added to a sum, or taken from it; `stations` have one of its deviations.

    The first and last time are those of all that were ever counted.
    """

    key: SumKey
    stations: int
    count: int
    first_at: datetime
    last_at: datetime


def added(before: Iterable[Deviation], after: Iterable[Deviation]) -> list[Sum]:
    """Return what stations' deviations add to the sums by having changed, all of each station before and after."""
    counts: dict[SumKey, int] = {}
    times: dict[SumKey, tuple[datetime, datetime]] = {}
    having: dict[int, set[tuple[str, SumKey]]] = {-1: set(), 1: set()}
    for sign, deviations in ((-1, before), (1, after)):
        for each in deviations:
            key = SumKey(*each.key[4:], each.key.action, each.key.kind, each.key.refused)
            counts[key] = counts.get(key, 0) + sign * each.count
            first_at, last_at = times.get(key, (each.first_at, each.last_at))
            times[key] = min(first_at, each.first_at), max(last_at, each.last_at)
            having[sign].add((each.station_id, key))
    stations = dict.fromkeys(counts, 0)
    for sign, pairs in having.items():
        for _, key in pairs:
            stations[key] += sign
    return [Sum(key, stations[key], counts[key], *times[key]) for key in sorted(counts) if counts[key] or stations[key]]


def add(known: Deviations, report: DeviationReport, make: Make) -> list[Deviation]:
    """Add a report to what is known of its station, which changes; return the deviations that it counted on.

    A connection's counts only rise: what comes twice, or of a connection that a newer one has replaced, adds nothing.
    """
    changed = []
    for said in report.deviations:
        key = _key(known, report.version, said, make)
        more = said.count - _counted(known, key, report.epoch)
        if more > 0:
            known[key] = _sum(known.get(key), more, said, report, key)
            changed.append(known[key])
    return changed


def is_news(before: Deviation | None, after: Deviation) -> bool:
    """Tell whether others are to hear of a deviation.

    They are where it is new, was not told in this half of the day (UTC), or another thing is to be done about it.
    """
    return before is None or before.detail != after.detail or _half_day(after.last_at) > _half_day(before.last_at)


def _half_day(at: datetime) -> int:
    return int(at.timestamp()) // _HALF_A_DAY_S


def _key(known: Deviations, version: str, said: DeviationCount, make: Make) -> DeviationKey:
    key = DeviationKey(said.action, said.kind, said.path, said.refused, *make, version)
    return key if key in known or len(known) < MOST else key._replace(path=ANY_PLACE)


def _counted(known: Deviations, key: DeviationKey, epoch: int) -> float:
    """Return how many of a connection are counted: all of them if a newer one had the deviation.

    The make is not looked at: a station's becomes known, or another, in the middle of a connection.
    """
    own = [each for each in known.values() if each.key[:4] == key[:4] and each.key.version == key.version]
    if any(each.epoch > epoch for each in own):
        return inf
    return max((each.counted for each in own if each.epoch == epoch), default=0)


def _advises(key: DeviationKey) -> bool:
    """Tell whether the detail says what to do about it: that of the newest is it then, not that of the first."""
    return key.kind == "handshake" and key.refused


def _sum(
    before: Deviation | None, more: float, said: DeviationCount, report: DeviationReport, key: DeviationKey
) -> Deviation:
    first_at, last_at, detail, count = said.first_at, said.last_at, said.detail, 0
    if before is not None:
        first_at, last_at = before.first_at, max(before.last_at, said.last_at)
        detail, count = detail if _advises(key) else before.detail, before.count
    return Deviation(report.station_id, key, count + int(more), first_at, last_at, detail, report.epoch, said.count)

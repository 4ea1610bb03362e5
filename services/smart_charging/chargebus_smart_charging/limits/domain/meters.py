"""What meters of other loads say, and what counts where they say nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from chargebus_smart_charging.limits.domain.usual import Usual, ahead
from chargebus_smart_charging.sites.domain.bound import Horizon
from chargebus_smart_charging.sites.domain.site import NOTHING, EvseKey, LoadMeter, Node, PerPhase, Site
from chargebus_smart_charging.sites.domain.tree import downwards

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_SAME_TIME: Final = timedelta(seconds=2)


class Forecast(msgspec.Struct, frozen=True):
    """What other loads are expected to draw, one value after the other by `resolution_s` from `starts_at`."""

    starts_at: datetime
    resolution_s: float
    values_a: tuple[PerPhase, ...]

    def most(self, starts_at: datetime, ends_at: datetime) -> PerPhase | None:
        """Return the most on each phase in a time; None where it does not tell of all of it."""
        last = self.starts_at + timedelta(seconds=self.resolution_s * len(self.values_a))
        if starts_at < self.starts_at or ends_at > last:
            return None
        first = int((starts_at - self.starts_at).total_seconds() // self.resolution_s)
        end = -int(-(ends_at - self.starts_at).total_seconds() // self.resolution_s)
        values = self.values_a[first:end]
        return _most(values) if values else None


class Reading(msgspec.Struct, frozen=True):
    """The newest that a node's meter said, and what is expected."""

    phase_a: PerPhase
    at: datetime
    forecast: Forecast | None = None


class Remainder(msgspec.Struct, frozen=True):
    """What others drew at a node, by one reading of a meter of everything.

    `at` is when it was read, `drawn_a` what was taken off for EVSEs, `phase_a` what was left.
    """

    node_id: str
    at: datetime
    drawn_a: PerPhase
    phase_a: PerPhase


class Meters(msgspec.Struct, frozen=True):
    """What is measured at a site.

    Attributes:
        readings: the newest of its nodes' meters.
        drawn: what each EVSE draws on the site's phases, as far as that is known.
        drawn_at: when that was measured.
        before: what was left of meters of everything when the site was planned the last time.
        usual: what other loads of its nodes usually draw.
    """

    readings: Mapping[str, Reading] = {}
    drawn: Mapping[EvseKey, PerPhase] = {}
    drawn_at: Mapping[EvseKey, datetime] = {}
    before: tuple[Remainder, ...] = ()
    usual: tuple[Usual, ...] = ()


class OtherLoads(msgspec.Struct, frozen=True):
    """What others than EVSEs draw at a node and below, in each interval; `is_assumed` where a meter is silent."""

    by_interval: tuple[PerPhase, ...]
    is_assumed: bool = False


def is_silent(meter: LoadMeter, reading: Reading | None, now: datetime) -> bool:
    """Tell whether a meter has said nothing for too long."""
    return reading is None or (now - reading.at).total_seconds() > meter.silent_after_s


def silent(site: Site, meters: Meters, now: datetime) -> list[Node]:
    """Return the nodes whose meter says nothing."""
    return [
        node
        for node in site.nodes
        if node.meter is not None and is_silent(node.meter, meters.readings.get(node.node_id), now)
    ]


def other_loads(site: Site, meters: Meters, now: datetime, horizon: Horizon) -> dict[str, OtherLoads]:
    """Return what others draw at each node.

    A node without a meter carries what is drawn below it; one whose meter measures other loads only carries its own
    besides; one whose meter measures everything knows what others draw below it, too.
    """
    nothing = OtherLoads((NOTHING,) * len(horizon.lengths_s))
    below = dict.fromkeys((node.node_id for node in site.nodes), nothing)
    if all(node.meter is None for node in site.nodes):
        return below
    newest = drawn_by_others(site, meters, now)
    usual, zone = {each.node_id: each for each in meters.usual}, ZoneInfo(site.time_zone)
    for node in reversed(downwards(site.nodes)):
        known = _Metered(meters.readings.get(node.node_id), newest.get(node.node_id), usual.get(node.node_id), zone)
        own = _own(node, known, horizon)
        if own is not None:
            below[node.node_id] = own if _covers_all(node) else _sum(own, below[node.node_id])
        if node.parent_id is not None:
            below[node.parent_id] = _sum(below[node.parent_id], below[node.node_id])
    return below


def drawn_by_others(site: Site, meters: Meters, now: datetime) -> dict[str, PerPhase]:
    """Return what others draw at nodes by their meters, as far as these are not silent; at least nothing."""
    left = {remainder.node_id: remainder.phase_a for remainder in remainders(site, meters)}
    found = {}
    for node in site.nodes:
        reading = meters.readings.get(node.node_id)
        if node.meter is not None and reading is not None and not is_silent(node.meter, reading, now):
            found[node.node_id] = left.get(node.node_id) or _less(reading.phase_a, NOTHING)
    return found


def remainders(site: Site, meters: Meters) -> tuple[Remainder, ...]:
    """Return what others draw at each node whose meter measures everything; to be remembered for the next time.

    A reading is held against what EVSEs drew when it was made, once. If it were held again against what they draw
    later, what they draw more by then would pass for something that others draw less, and be given away a second time.
    Where an EVSE was measured after the reading, no more is taken off than the last time.
    """
    measured = [node for node in site.nodes if _covers_all(node) and node.node_id in meters.readings]
    if not measured:
        return ()
    drawn, drawn_at = _drawn_below(site, meters)
    before = {remainder.node_id: remainder for remainder in meters.before}
    found = []
    for node in measured:
        reading, known = meters.readings[node.node_id], before.get(node.node_id)
        if known is None or known.at != reading.at:
            taken_a = drawn[node.node_id]
            if known is not None and drawn_at[node.node_id] > reading.at + _SAME_TIME:
                taken_a = _least(taken_a, known.drawn_a)
            known = Remainder(node.node_id, reading.at, taken_a, _less(reading.phase_a, taken_a))
        found.append(known)
    return tuple(found)


def _covers_all(node: Node) -> bool:
    return node.meter is not None and node.meter.covers == "everything"


class _Metered(msgspec.Struct, frozen=True):
    """What is known of the other loads of a node; `newest` is None where its meter is silent."""

    reading: Reading | None
    newest: PerPhase | None
    usual: Usual | None
    zone: ZoneInfo


def _own(node: Node, known: _Metered, horizon: Horizon) -> OtherLoads | None:
    """Return what the meter of a node tells; the first interval is as it is now, the others as is expected.

    What somebody forecasts comes before what is usual.
    """
    if node.meter is None:
        return None
    reading, newest = known.reading, known.newest
    if reading is None or newest is None:
        return OtherLoads((node.meter.worst_case_a,) * len(horizon.lengths_s), is_assumed=True)
    if reading.forecast is None and (known.usual is None or not known.usual.tells):
        return OtherLoads((newest,) * len(horizon.lengths_s))
    values = []
    for number, expected in enumerate(intervals(horizon)):
        told = reading.forecast.most(*expected) if number and reading.forecast is not None else None
        if told is not None:
            values.append(_less(told, NOTHING))
        else:
            begins_in = expected[0] - horizon.starts_at
            values.append(ahead(known.usual, newest, begins_in, expected, known.zone) if number else newest)
    return OtherLoads(tuple(values))


@lru_cache(maxsize=64)
def intervals(horizon: Horizon) -> tuple[tuple[datetime, datetime], ...]:
    """Return when each interval begins and ends."""
    ends_at = [horizon.starts_at]
    for length_s in horizon.lengths_s:
        ends_at.append(ends_at[-1] + timedelta(seconds=length_s))
    return tuple(pairwise(ends_at))


def _drawn_below(site: Site, meters: Meters) -> tuple[dict[str, PerPhase], dict[str, datetime]]:
    """Return what EVSEs draw below each node, and when the newest of that was measured."""
    drawn = dict.fromkeys((node.node_id for node in site.nodes), NOTHING)
    newest = dict.fromkeys((node.node_id for node in site.nodes), _NEVER)
    for evse in site.evses:
        drawn[evse.node_id] = _add(drawn[evse.node_id], meters.drawn.get(evse.key, NOTHING))
        newest[evse.node_id] = max(newest[evse.node_id], meters.drawn_at.get(evse.key, _NEVER))
    for node in reversed(downwards(site.nodes)):
        if node.parent_id is not None:
            drawn[node.parent_id] = _add(drawn[node.parent_id], drawn[node.node_id])
            newest[node.parent_id] = max(newest[node.parent_id], newest[node.node_id])
    return drawn, newest


def _sum(one: OtherLoads, other: OtherLoads) -> OtherLoads:
    if not any(map(any, other.by_interval)) and not other.is_assumed:
        return one
    if not any(map(any, one.by_interval)) and not one.is_assumed:
        return other
    by_interval = tuple(map(_add, one.by_interval, other.by_interval))
    return OtherLoads(by_interval, one.is_assumed or other.is_assumed)


def _add(one: PerPhase, other: PerPhase) -> PerPhase:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _least(one: PerPhase, other: PerPhase) -> PerPhase:
    return min(one[0], other[0]), min(one[1], other[1]), min(one[2], other[2])


def _less(whole: PerPhase, part: PerPhase) -> PerPhase:
    """Return what is left of a whole, at least nothing: who feeds in may stop at any time."""
    return max(0.0, whole[0] - part[0]), max(0.0, whole[1] - part[1]), max(0.0, whole[2] - part[2])


def _most(values: tuple[PerPhase, ...]) -> PerPhase:
    first, second, third = (max(value[phase] for value in values) for phase in range(3))
    return first, second, third

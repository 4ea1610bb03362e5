"""What may flow through each node of a site, by its capacity, its calendar, other loads and the limits of others.

The strictest counts, everywhere and at all times. Each bound says in words what it comes from.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from chargebus_smart_charging.limits.domain.calendars import windows
from chargebus_smart_charging.limits.domain.limit import CURTAILMENT, KnownLimit
from chargebus_smart_charging.limits.domain.meters import OtherLoads, intervals
from chargebus_smart_charging.sites.domain.bound import Bound, Horizon, PlanNode
from chargebus_smart_charging.sites.domain.site import NOTHING, Capacity, Evse, EvseKey, Node, PerPhase, Site
from chargebus_smart_charging.sites.domain.tree import downwards, label

USUAL_V: Final = 230.0
_LARGEST_PHASE_V: Final = 300.0

Place: TypeAlias = tuple[str, str, int]
"""Where a limit stands: a node, a station, an EVSE of it; what it does not name is empty."""


def bounded(
    site: Site, limits: Sequence[KnownLimit], loads: Mapping[str, OtherLoads], now: datetime, horizon: Horizon
) -> tuple[PlanNode, ...]:
    """Return the nodes of a site, each after its parent, with what may flow there in each interval.

    Where somebody limits a station or an EVSE, that becomes a node below the one under which it hangs: `hanging` tells
    under which an EVSE is to be planned. A station under several nodes has its limit shared between them.

    Args:
        site: one whose parts fit together.
        limits: what others say of it; what stands on a part that is not there counts nowhere.
        loads: what others draw at each of its nodes (`other_loads`).
        now: decides who is silent.
        horizon: the time ahead.
    """
    ahead = _Ahead(now, horizon, ZoneInfo(site.time_zone), _voltage(site))
    on = _by_place(limits)
    nodes: list[PlanNode] = []
    at: dict[str, int] = {}
    for node in downwards(site.nodes):
        told = [*on.get((node.node_id, "", 0), ()), *(on.get(("", "", 0), ()) if node.parent_id is None else ())]
        bounds = [
            *_of_node(node, loads[node.node_id], ahead),
            *_of_limits(told, label(node), loads[node.node_id], ahead),
        ]
        at[node.node_id] = len(nodes)
        parent = None if node.parent_id is None else at[node.parent_id]
        nodes.append(PlanNode(node.node_id, parent, tuple(bounds), node.unbalance_a, ahead.voltage_v))
    limited = {station_id for _, station_id, _ in on if station_id}
    shares = _shares(site) if limited else {}
    for evse in site.evses:
        if evse.station_id not in limited:
            continue
        above = at[evse.node_id]
        for node_id, place in _below(evse):
            if place not in on:
                continue
            if node_id not in at:
                at[node_id] = len(nodes)
                share = 1 if place[2] else shares[evse.station_id]
                bounds = [*_of_limits([_share(limit, share) for limit in on[place]], _called(place), None, ahead)]
                nodes.append(PlanNode(node_id, above, tuple(bounds), None, ahead.voltage_v))
            above = at[node_id]
    return tuple(nodes)


def hanging(site: Site, nodes: Sequence[PlanNode]) -> dict[EvseKey, int]:
    """Return under which of a site's nodes, as `bounded` returns them, each EVSE is to be planned: its place there."""
    at = {node.node_id: place for place, node in enumerate(nodes)}
    if len(nodes) == len(site.nodes):
        return {evse.key: at[evse.node_id] for evse in site.evses}
    return {
        evse.key: next((at[node_id] for node_id, _ in reversed(_below(evse)) if node_id in at), at[evse.node_id])
        for evse in site.evses
    }


class _Ahead(msgspec.Struct, frozen=True):
    """The time ahead at a site."""

    now: datetime
    horizon: Horizon
    zone: ZoneInfo
    voltage_v: float

    @property
    def intervals(self) -> tuple[tuple[datetime, datetime], ...]:
        return intervals(self.horizon)

    def holding(self, spans: Iterable[tuple[datetime, datetime]]) -> list[bool]:
        """Return for each interval whether it touches one of the spans of time."""
        known = list(spans)
        return [
            any(begin < ends_at and starts_at < end for begin, end in known) for starts_at, ends_at in self.intervals
        ]

    def always(self) -> list[bool]:
        return [True] * len(self.horizon.lengths_s)


class _Limited(msgspec.Struct, frozen=True):
    """What may flow at some place, whether what is taken off it is assumed, and what is left of it at least."""

    head: str
    capacity: Capacity
    margin: float = 0.0
    is_assumed: bool = False
    floor: Capacity = Capacity()


def _of_node(node: Node, loads: OtherLoads, ahead: _Ahead) -> Iterator[Bound]:
    """Yield what a node's capacity leaves, and each entry of its calendar."""
    limited = _Limited(label(node), node.capacity, node.margin, loads.is_assumed)
    yield from _bounds(limited, loads, ahead.always(), ahead)
    for entry in node.calendar:
        limited = _Limited(f"{label(node)} by its calendar", entry.capacity, node.margin, loads.is_assumed)
        first, last = ahead.intervals[0][0], ahead.intervals[-1][1]
        yield from _bounds(limited, loads, ahead.holding(windows(entry, ahead.zone, first, last)), ahead)


def _of_limits(limits: Iterable[KnownLimit], where: str, loads: OtherLoads | None, ahead: _Ahead) -> Iterator[Bound]:
    for limit in limits:
        taken = loads if limit.covers == "everything" else None
        for period in limit.holds(ahead.now):
            is_assumed = taken is not None and taken.is_assumed
            limited = _Limited(_head(limit, where, ahead.now), period.capacity, 0.0, is_assumed, limit.floor)
            timed = period.valid_from is not None or period.valid_until is not None
            holding = [period.overlaps(*interval) for interval in ahead.intervals] if timed else ahead.always()
            yield from _bounds(limited, taken, holding, ahead)


def _bounds(limited: _Limited, loads: OtherLoads | None, holding: Sequence[bool], ahead: _Ahead) -> Iterator[Bound]:
    """Yield a bound for each run of intervals in which nothing changes: of amperes, and of volt-amperes."""
    count = len(holding)
    drawn = loads.by_interval if loads is not None else (NOTHING,) * count
    first = 0
    for holds, load_a, last in _runs(holding, drawn):
        for bound in _left(limited, load_a, ahead.voltage_v) if holds else ():
            is_whole = not first and last == count
            yield (
                bound
                if is_whole
                else Bound(bound.reason, bound.phase_a, bound.total_va, first, None if last == count else last)
            )
        first = last


@lru_cache(maxsize=8192)
def _left(limited: _Limited, load_a: PerPhase, voltage_v: float) -> tuple[Bound, ...]:
    """Return what other loads leave, all the time; the same is asked again and again."""
    found = []
    if limited.capacity.phase_a is not None:
        phase_a, reason = _phases(limited, limited.capacity.phase_a, load_a)
        found.append(Bound(reason, phase_a))
    total = _total(limited, load_a, voltage_v)
    if total is not None:
        found.append(Bound(total[1], None, total[0]))
    return tuple(found)


def _runs(holding: Sequence[bool], loads: Sequence[PerPhase]) -> Iterator[tuple[bool, PerPhase, int]]:
    """Yield what holds and what is drawn in intervals that follow each other, and which comes after them."""
    if loads.count(loads[0]) == len(loads) and holding.count(holding[0]) == len(holding):
        yield holding[0], loads[0], len(loads)
        return
    last = 0
    for (holds, load_a), run in groupby(zip(holding, loads, strict=True)):
        last += sum(1 for _ in run)
        yield holds, load_a, last


def _phases(limited: _Limited, most_a: float, load_a: PerPhase) -> tuple[PerPhase, str]:
    floor_a = limited.floor.phase_a or 0.0
    usable_a = most_a * (1 - limited.margin)
    first, second, third = (min(most_a, max(usable_a - each, floor_a, 0.0)) for each in load_a)
    taken = f" - {_amperes(load_a)} A {_loads_called(limited)}" if any(load_a) else ""
    floor = f", at least {_round(floor_a)} A" if floor_a and min(first, second, third) <= floor_a else ""
    return (first, second, third), f"{limited.head}: {_round(most_a)} A{_margin(limited)}{taken}{floor}"


def _total(limited: _Limited, load_a: PerPhase, voltage_v: float) -> tuple[float, str] | None:
    """Return what is left of all phases together; watts are never more than volt-amperes, so they count as those."""
    of_unit = {"W": limited.capacity.total_w, "VA": limited.capacity.total_va}
    known = [(value, unit) for unit, value in of_unit.items() if value is not None]
    if not known:
        return None
    most, unit = min(known)
    load = voltage_v * sum(load_a)
    floor = limited.floor.total_w or 0.0
    left = min(most, max(most * (1 - limited.margin) - load, floor, 0.0))
    taken = f" - {load:,.0f} VA {_loads_called(limited)}" if load else ""
    least = f", at least {floor:,.0f} W" if floor and left <= floor else ""
    return left, f"{limited.head}: {most:,.0f} {unit}{_margin(limited)}{taken}{least}"


def _margin(limited: _Limited) -> str:
    return f" - {_round(100 * limited.margin)} % margin" if limited.margin else ""


def _loads_called(limited: _Limited) -> str:
    return "other loads (the worst case: a meter is silent)" if limited.is_assumed else "other loads"


def _head(limit: KnownLimit, where: str, now: datetime) -> str:
    if limit.source == CURTAILMENT:
        return "grid operator's curtailment"
    if limit.is_silent(now) and limit.fallback != Capacity():
        return f"fallback on {where}, as {limit.source} is silent"
    return f"limit of {limit.source} on {where}"


def _amperes(per_phase: PerPhase) -> str:
    """Return amperes as people read them: one number if all phases carry the same."""
    shown = [_round(each) for each in per_phase]
    return shown[0] if len(set(shown)) == 1 else "/".join(shown)


def _round(value: float) -> str:
    return f"{round(value, 1):g}"


def _by_place(limits: Iterable[KnownLimit]) -> Mapping[Place, list[KnownLimit]]:
    found: defaultdict[Place, list[KnownLimit]] = defaultdict(list)
    for limit in limits:
        found[limit.node_id, limit.station_id, limit.evse_id].append(limit)
    return dict(found)


def _below(evse: Evse) -> tuple[tuple[str, Place], ...]:
    """Return the nodes that limits of a station and an EVSE become; ids that operators choose have no slash."""
    return (
        (f"{evse.node_id}/{evse.station_id}", ("", evse.station_id, 0)),
        (f"{evse.node_id}/{evse.station_id}/{evse.evse_id}", ("", evse.station_id, evse.evse_id)),
    )


def _called(place: Place) -> str:
    _, station_id, evse_id = place
    return f"EVSE {evse_id} of {station_id}" if evse_id else station_id


def _shares(site: Site) -> Mapping[str, int]:
    """Return under how many nodes each station hangs."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for evse in site.evses:
        nodes[evse.station_id].add(evse.node_id)
    return {station_id: len(node_ids) for station_id, node_ids in nodes.items()}


def _share(limit: KnownLimit, between: int) -> KnownLimit:
    if between == 1:
        return limit
    replace = msgspec.structs.replace
    return replace(
        limit,
        periods=tuple(replace(each, capacity=_part(each.capacity, between)) for each in limit.periods),
        fallback=_part(limit.fallback, between),
        floor=_part(limit.floor, between),
    )


def _part(capacity: Capacity, of: int) -> Capacity:
    phase_a, total_w, total_va = (
        None if value is None else value / of for value in (capacity.phase_a, capacity.total_w, capacity.total_va)
    )
    return Capacity(phase_a, total_w, total_va)


def _voltage(site: Site) -> float:
    """Return the largest voltage of a phase that is told: amperes are never taken for less than they are."""
    told = [evse.voltage_v for evse in site.evses if evse.voltage_v is not None]
    return max((voltage_v for voltage_v in told if voltage_v <= _LARGEST_PHASE_V), default=USUAL_V)

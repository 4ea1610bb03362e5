"""Whether a site's parts fit together: what is refused, and what an operator should look at."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from chargebus_smart_charging.sites.domain.site import (
    CalendarEntry,
    Capacity,
    Evse,
    EvseKey,
    Node,
    Policy,
    Site,
)
from chargebus_smart_charging.sites.domain.told import NOTHING_TOLD, Told
from chargebus_smart_charging.sites.domain.tree import label, root, upwards
from chargebus_smart_charging.sites.errors import Objection

_USUAL_MIN_A: Final = (5.0, 16.0)
_LARGEST_PHASE_V: Final = 300.0
_SAME_VOLTAGE: Final = 0.15


class Finding(msgspec.Struct, frozen=True):
    """What an operator should look at; what is `missing` is assumed until somebody tells it."""

    kind: Literal["missing", "contradictory"]
    where: str
    what: str


def objections(site: Site) -> list[Objection]:
    """Return all for which a site is refused; none if it can be planned."""
    return [*_tree(site), *_capacities(site), *_meters(site), *_evses(site), *_rest(site)]


def findings(site: Site, told: Mapping[EvseKey, Told]) -> list[Finding]:
    """Return what a site that is not refused lacks, or where it contradicts itself or its stations.

    Args:
        site: as its operator describes it.
        told: what stations say of their EVSEs.
    """
    found = [*_larger_than_parents(site), *_unlimited(site), *_defaults(site)]
    for number, evse in enumerate(site.evses):
        found += _of_evse(f"evses.{number}", evse, told.get(evse.key, NOTHING_TOLD))
    return found


def _tree(site: Site) -> Iterator[Objection]:
    by_id = {node.node_id: node for node in site.nodes}
    times = Counter(node.node_id for node in site.nodes)
    for number, node in enumerate(site.nodes):
        if times[node.node_id] > 1:
            yield Objection(f"nodes.{number}.node_id", f"{node.node_id} is the id of {times[node.node_id]} nodes")
        if node.parent_id is not None and node.parent_id not in by_id:
            yield Objection(f"nodes.{number}.parent_id", f"{label(node)} is to hang under {node.parent_id}, no node")
    roots = [node for node in site.nodes if node.parent_id is None]
    if not roots:
        yield Objection("nodes", "every node has a parent; one, the grid connection, has none")
    if len(roots) > 1:
        yield Objection("nodes", f"{_listed(map(label, roots))} have no parent; one, the grid connection, has none")
    yield from _cycles(site.nodes, by_id)


def _cycles(nodes: Sequence[Node], by_id: Mapping[str, Node]) -> Iterator[Objection]:
    told: set[str] = set()
    for number, node in enumerate(nodes):
        way = list(upwards(by_id, node.node_id))
        if node.node_id not in told and way[-1].parent_id == node.node_id:
            told.update(each.node_id for each in way)
            circle = " < ".join(map(label, (*way, node)))
            yield Objection(f"nodes.{number}.parent_id", f"the nodes hang under each other in a circle: {circle}")


def _capacities(site: Site) -> Iterator[Objection]:
    for number, node in enumerate(site.nodes):
        for at, entry in enumerate(node.calendar):
            yield from _entry(f"nodes.{number}.calendar.{at}", entry)


def _entry(where: str, entry: CalendarEntry) -> Iterator[Objection]:
    if entry.capacity == Capacity():
        yield Objection(f"{where}.capacity", "it limits nothing: give phase_a, total_w or total_va")
    if entry.starts_at is not None and entry.ends_at is not None and entry.ends_at <= entry.starts_at:
        ends, starts = entry.ends_at.isoformat(), entry.starts_at.isoformat()
        yield Objection(f"{where}.ends_at", f"it ends at {ends}, before it starts at {starts}")
    if len(set(entry.weekdays)) < len(entry.weekdays):
        yield Objection(f"{where}.weekdays", "a weekday stands there twice")
    if entry.from_time is not None and entry.from_time == entry.to_time:
        yield Objection(f"{where}.to_time", "it is from_time as well: leave both out for the whole day")
    if entry == CalendarEntry(entry.capacity):
        yield Objection(where, "it says no time: what holds always is the node's capacity")


def _meters(site: Site) -> Iterator[Objection]:
    first: dict[str, Node] = {}
    for number, node in enumerate(site.nodes):
        if node.meter is None or not node.meter.station_id:
            continue
        other = first.setdefault(node.meter.station_id, node)
        if other is not node:
            what = f"the main meter of {node.meter.station_id} stands at {label(other)} already"
            yield Objection(f"nodes.{number}.meter.station_id", what)


def _evses(site: Site) -> Iterator[Objection]:
    by_id = {node.node_id: node for node in site.nodes}
    first: dict[EvseKey, Evse] = {}
    for number, evse in enumerate(site.evses):
        where = f"evses.{number}"
        other = first.setdefault(evse.key, evse)
        if other is not evse:
            what = f"{_named(evse)} hangs under {other.node_id} and under {evse.node_id}"
            if other.node_id == evse.node_id:
                what = f"{_named(evse)} hangs under {evse.node_id} twice"
            yield Objection(f"{where}.evse_id", what)
        if evse.node_id not in by_id:
            yield Objection(f"{where}.node_id", f"{_named(evse)} is to hang under {evse.node_id}, no node")
        yield from _electrical(where, evse)


def _electrical(where: str, evse: Evse) -> Iterator[Objection]:
    if evse.phases is not None and (len(set(evse.phases)) < len(evse.phases) or not evse.phases):
        phases = ", ".join(f"L{phase}" for phase in evse.phases) or "none"
        yield Objection(f"{where}.phases", f"one to three of L1, L2 and L3, each once, not {phases}")
    if evse.max_a is None:
        return
    if evse.min_a is not None and evse.min_a > evse.max_a:
        yield Objection(f"{where}.min_a", f"its smallest current, {evse.min_a:g} A, is above its largest")
    if evse.step_a is not None and evse.step_a > evse.max_a:
        yield Objection(f"{where}.step_a", f"its step, {evse.step_a:g} A, is above its largest current")


def _rest(site: Site) -> Iterator[Objection]:
    if not is_time_zone(site.time_zone):
        yield Objection("time_zone", f"there is no time zone {site.time_zone}: one such as Europe/Amsterdam")
    yield from _policy(site.policy)


def _policy(policy: Policy) -> Iterator[Objection]:
    if policy.profile_life_s < 2 * policy.interval_s:
        what = f"a profile that holds {policy.profile_life_s:g} s cannot be renewed every {policy.interval_s:g} s"
        yield Objection("policy.profile_life_s", f"{what}: at least twice policy.interval_s")


def is_time_zone(name: str) -> bool:
    """Tell whether there is a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as Europe
        return False
    return True


def _larger_than_parents(site: Site) -> Iterator[Finding]:
    by_id = {node.node_id: node for node in site.nodes}
    for number, node in enumerate(site.nodes):
        for unit, name in (("A", "phase_a"), ("W", "total_w"), ("VA", "total_va")):
            own = getattr(node.capacity, name)
            above = next(
                (
                    each
                    for each in list(upwards(by_id, node.node_id))[1:]
                    if own is not None and (limit := getattr(each.capacity, name)) is not None and limit < own
                ),
                None,
            )
            if above is not None:
                limit = getattr(above.capacity, name)
                what = f"{label(node)} may carry {own:g} {unit}, and {label(above)} above it only {limit:g} {unit}"
                yield Finding("contradictory", f"nodes.{number}.capacity.{name}", what)


def _unlimited(site: Site) -> Iterator[Finding]:
    if root(site).capacity == Capacity():
        number = site.nodes.index(root(site))
        what = f"nothing limits {label(root(site))}, the grid connection"
        yield Finding("missing", f"nodes.{number}.capacity", what)


def _defaults(site: Site) -> Iterator[Finding]:
    capacity, default_a = root(site).capacity.phase_a, site.policy.default_a
    if capacity is None or not default_a:
        return
    for phase in (1, 2, 3):
        count = sum(1 for evse in site.evses if phase in (evse.phases or (1, 2, 3)))
        if count * default_a > capacity:
            what = (
                f"{count} EVSEs on L{phase} that fall back to {default_a:g} A may draw {count * default_a:g} A"
                f" together, and {label(root(site))} carries {capacity:g} A"
            )
            yield Finding("contradictory", "policy.default_a", what)
            return


def _of_evse(where: str, evse: Evse, told: Told) -> Iterator[Finding]:
    name = _named(evse)
    if evse.voltage_v is None and told.voltage_v is None:
        yield Finding("missing", f"{where}.voltage_v", f"nobody told the voltage of {name}: 230 V is assumed")
    if evse.phases is None and told.phases is None:
        yield Finding("missing", f"{where}.phases", f"nobody told the phases of {name}: L1, L2 and L3 are assumed")
    elif evse.phases is None:
        what = f"nobody told in which order the phases of {name} are connected: L1 first is assumed"
        yield Finding("missing", f"{where}.phases", what)
    if evse.max_a is None and told.max_a is None:
        yield Finding("missing", f"{where}.max_a", f"nobody told the largest current of {name}: 32 A is assumed")
    yield from _differs(where, evse, told)
    yield from _odd(where, evse)


def _differs(where: str, evse: Evse, told: Told) -> Iterator[Finding]:
    name = _named(evse)
    if evse.phases is not None and told.phases is not None and len(evse.phases) != told.phases:
        what = f"{name} has {len(evse.phases)} phases, and {told.phases} by what its station says"
        yield Finding("contradictory", f"{where}.phases", what)
    if evse.max_a is not None and told.max_a is not None and evse.max_a > told.max_a:
        what = f"{name} takes {evse.max_a:g} A at most, and {told.max_a:g} A by what its station says"
        yield Finding("contradictory", f"{where}.max_a", what)
    if evse.voltage_v is None or told.voltage_v is None:
        return
    if abs(evse.voltage_v - told.voltage_v) > _SAME_VOLTAGE * evse.voltage_v:
        what = f"{name} is at {evse.voltage_v:g} V, and at {told.voltage_v:g} V by what its station says"
        yield Finding("contradictory", f"{where}.voltage_v", what)


def _odd(where: str, evse: Evse) -> Iterator[Finding]:
    name = _named(evse)
    if evse.voltage_v is not None and evse.voltage_v > _LARGEST_PHASE_V:
        what = f"{evse.voltage_v:g} V of {name} is no voltage of one phase"
        if evse.current == "DC":
            what += ": for DC, too, it is the grid's, and amperes are on its side"
        yield Finding("contradictory", f"{where}.voltage_v", what)
    smallest, largest = _USUAL_MIN_A
    if evse.current == "AC" and evse.min_a is not None and not smallest <= evse.min_a <= largest:
        what = f"{name} is to charge from {evse.min_a:g} A on: vehicles do from {smallest:g} to {largest:g} A on"
        yield Finding("contradictory", f"{where}.min_a", what)
    if evse.current == "DC" and evse.phases is not None and len(evse.phases) == 1:
        yield Finding("contradictory", f"{where}.phases", f"{name} is DC and draws on one phase only")


def _named(evse: Evse) -> str:
    return f"EVSE {evse.evse_id} of {evse.station_id}"


def _listed(names: Iterator[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}"

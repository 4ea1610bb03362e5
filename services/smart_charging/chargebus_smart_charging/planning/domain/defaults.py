"""What each EVSE allows by itself, without being told: all of them together fit every node."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from chargebus_smart_charging.planning.domain.demands import USUAL_MIN_A
from chargebus_smart_charging.sites.domain.site import NOTHING, Capacity, Evse, EvseKey, Node, Site
from chargebus_smart_charging.sites.domain.tree import upwards
from chargebus_smart_charging.vehicles.domain.drawing import USUAL_V, site_phases

_DECIMALS: Final = 10


@lru_cache(maxsize=2048)
def defaults_of(site: Site) -> Mapping[EvseKey, float]:
    """Return what stations are to allow by themselves, in amperes per phase.

    It is what the site's policy says, but no more than each EVSE's share of every node above it if all charge, the
    worst case of other loads and the smallest capacity of each calendar taken off; 0 where that share is less than an
    EVSE's least current.
    """
    by_id = {node.node_id: node for node in site.nodes}
    shares = _shares(site, by_id)
    found: dict[EvseKey, float] = {}
    for evse in site.evses:
        share_a = min((shares[node.node_id] for node in upwards(by_id, evse.node_id)), default=0.0)
        wanted_a = min(share_a, evse.max_a or share_a)
        if site.policy.default_a is not None:
            wanted_a = min(wanted_a, site.policy.default_a)
        least_a = USUAL_MIN_A if evse.min_a is None else evse.min_a
        found[evse.key] = int(wanted_a * _DECIMALS) / _DECIMALS if wanted_a >= least_a else 0.0
    return found


def _shares(site: Site, by_id: Mapping[str, Node]) -> dict[str, float]:
    """Return for each node what is left of it for each EVSE below, on the phase that has least for each."""
    below: dict[str, list[Evse]] = {node.node_id: [] for node in site.nodes}
    for evse in site.evses:
        for node in upwards(by_id, evse.node_id):
            below[node.node_id].append(evse)
    return {node_id: _share(by_id[node_id], evses) for node_id, evses in below.items()}


def _share(node: Node, evses: list[Evse]) -> float:
    capacities = [node.capacity, *(entry.capacity for entry in node.calendar)]
    worst = node.meter.worst_case_a if node.meter is not None else NOTHING
    shares = [float("inf")]
    for phase in range(3):
        count = sum(phase in site_phases(evse) for evse in evses)
        limits = [each.phase_a for each in capacities if each.phase_a is not None]
        if count and limits:
            shares.append(max(0.0, min(limits) * (1 - node.margin) - worst[phase]) / count)
    totals = [total for each in capacities if (total := _total(each)) is not None]
    drawing = sum(len(site_phases(evse)) * (evse.voltage_v or USUAL_V) for evse in evses)
    if totals and drawing:
        left_va = min(totals) * (1 - node.margin) - sum(worst) * USUAL_V
        shares.append(max(0.0, left_va) / drawing)
    return min(shares)


def _total(capacity: Capacity) -> float | None:
    return min((each for each in (capacity.total_w, capacity.total_va) if each is not None), default=None)

"""Domain → the public events of a site: its plan, and alerts about it."""

from datetime import datetime
from typing import Final

from chargebus_events import public

from chargebus_smart_charging.planning.domain.known import EvseState, NodeState, Shown, SiteNotice
from chargebus_smart_charging.planning.domain.memory import SiteRule
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.stepping import Notice, Rule

_TITLES: Final[dict[SiteRule | Rule, str]] = {
    "site_overloaded": "{cause} draws more than it may",
    "meter_silent": "The meter of {cause} is silent",
    "limit_source_silent": "The source of limit {cause} is silent",
    "limit_disobeyed": "{cause} draws more than it may",
    "station_unsteerable": "{cause} cannot be steered",
    "profile_drift": "{cause} does not hold what it was told",
}
_CRITICAL: Final = frozenset({"site_overloaded"})


def plan_of(site_id: str, shown: Shown) -> public.ChargingPlan:
    """Return the event of a plan: the EVSEs at which something charges, and all nodes."""
    return public.ChargingPlan(
        site_id,
        shown.plan_id,
        shown.at,
        shown.method,
        tuple(_evse(each) for each in shown.evses if each.limit_a is not None),
        tuple(_node(each) for each in shown.nodes),
        shown.fallback,
    )


def _evse(state: EvseState) -> public.PlannedEvse:
    return public.PlannedEvse(
        state.station_id,
        state.evse_id,
        state.limit_a or 0.0,
        state.counted_a,
        state.session_id,
        state.schedule,
        state.reasons,
    )


def _node(state: NodeState) -> public.PlannedNode:
    return public.PlannedNode(state.node_id, state.limit_a, state.planned_a, state.measured_a, state.reason)


def site_alert(site_id: str, notice: SiteNotice, at: datetime) -> public.Alert:
    """Return the event of an alert about a site."""
    rule, cause = notice.alert.rule, notice.alert.cause
    return public.Alert(
        f"{site_id}/{rule}/{cause}",
        site_id,
        rule,
        "open" if notice.is_open else "resolved",
        "critical" if rule in _CRITICAL else "warning",
        at,
        _TITLES[rule].format(cause=cause),
        notice.detail,
        site_id,
    )


def evse_alert(site_id: str, key: EvseKey, notice: Notice, at: datetime) -> public.Alert:
    """Return the event of an alert about an EVSE."""
    station_id, evse_id = key
    return public.Alert(
        f"{station_id}/{evse_id}/{notice.rule}",
        station_id,
        notice.rule,
        "open" if notice.is_open else "resolved",
        "warning",
        at,
        _TITLES[notice.rule].format(cause=f"EVSE {evse_id} of {station_id}"),
        notice.detail,
        site_id,
        station_id,
        evse_id,
    )

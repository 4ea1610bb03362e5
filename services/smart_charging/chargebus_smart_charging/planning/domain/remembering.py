"""What planning a site leaves for the next time, what is counted meanwhile, and which alerts about it change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from chargebus_smart_charging.limits.domain.limit import silent as silent_limits
from chargebus_smart_charging.limits.domain.meters import Meters
from chargebus_smart_charging.limits.domain.meters import silent as silent_meters
from chargebus_smart_charging.planning.domain.evses import Found, turned
from chargebus_smart_charging.planning.domain.known import SiteKnown, SiteNotice, Tally
from chargebus_smart_charging.planning.domain.memory import Charged, Memory, OpenAlert, Overload
from chargebus_smart_charging.planning.domain.watching import lasts, since_s
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.stepping import UNSTEERABLE, Step

_SAME_A: Final = 0.05
_LONGEST_S: Final = 300.0
"""Of a site that was not planned for longer nothing is counted beyond: nobody was there to see."""


def notices_of(known: SiteKnown, meters: Meters, present: Sequence[Overload], now: datetime) -> Iterator[SiteNotice]:
    """Return the alerts about a site that are to be opened, and those that are over."""
    causes = dict(_causes(known, meters, present, now))
    before = set(known.memory.alerts)
    for alert, detail in causes.items():
        if alert not in before:
            yield SiteNotice(alert, is_open=True, detail=detail)
    for alert in known.memory.alerts:
        if alert not in causes:
            yield SiteNotice(alert, is_open=False, detail="")


def _causes(
    known: SiteKnown, meters: Meters, present: Sequence[Overload], now: datetime
) -> Iterator[tuple[OpenAlert, str]]:
    for overload in present:
        if lasts(overload, now, known.site.policy.interval_s):
            detail = f"It has been measured above its bound since {overload.since:%H:%M:%S} UTC."
            yield OpenAlert("site_overloaded", overload.node_id), detail
    for node in silent_meters(known.site, meters, now):
        yield OpenAlert("meter_silent", node.node_id), "Its meter says nothing; its worst case is reckoned with."
    for limit in silent_limits(known.limits, now):
        detail = f"{limit.source} should have said {limit.limit_id} again by {limit.silent_from:%H:%M:%S} UTC."
        yield OpenAlert("limit_source_silent", f"{limit.source}/{limit.limit_id}"), detail


def remembered(  # noqa: PLR0913, PLR0917 - what was decided, by its parts
    known: SiteKnown,
    found: Sequence[Found],
    told: Mapping[EvseKey, float | None],
    present: tuple[Overload, ...],
    notices: Sequence[SiteNotice],
    now: datetime,
) -> Memory:
    """Return what is to be remembered of a site."""
    before = {(each.station_id, each.evse_id): each for each in known.memory.charged}
    over = {each.alert for each in notices if not each.is_open}
    opened = tuple(each.alert for each in notices if each.is_open)
    return Memory(
        planned_at=now,
        charged=tuple(_charged(each, told[each.key] or 0.0, before.get(each.key), now) for each in _used(found)),
        overloads=present,
        alerts=(*(alert for alert in known.memory.alerts if alert not in over), *opened),
    )


def _used(found: Sequence[Found]) -> Iterator[Found]:
    return (each for each in found if each.session is not None)


def _charged(found: Found, limit_a: float, before: Charged | None, now: datetime) -> Charged:
    session, needs = found.session, found.needs
    if session is None or needs is None:
        raise ValueError(f"nothing charges at {found.key}")
    same = before is not None and before.session_id == session.session_id
    return Charged(
        found.evse.station_id,
        found.evse.evse_id,
        session.session_id,
        limit_a,
        turned(before.turn if before is not None and same else None, limit_a, now),
        needs.energy_wh if needs.energy_source != "site" else 0.0,
        needs.departs_at,
        found.vehicle.energy_wh,
    )


def is_news(before: Memory, after: Memory) -> bool:
    """Tell whether what an EVSE may draw is another than before."""
    limits = {(each.station_id, each.evse_id, each.session_id): each.limit_a for each in before.charged}
    now = {(each.station_id, each.evse_id, each.session_id): each.limit_a for each in after.charged}
    return limits.keys() != now.keys() or any(abs(limits[key] - amperes) > _SAME_A for key, amperes in now.items())


def passed_s(known: SiteKnown, now: datetime) -> float:
    """Return for how long is counted what is found now: since a site was planned the last time."""
    before = known.memory.planned_at
    return 0.0 if before is None else min(max((now - before).total_seconds(), 0.0), _LONGEST_S)


def tally(
    known: SiteKnown, found: Sequence[Found], present: Sequence[Overload], steps: Iterable[Step], now: datetime
) -> Tally:
    """Return what is counted since a site was planned the last time."""
    lasted_s = passed_s(known, now)
    return Tally(
        overload_s={each.node_id: min(lasted_s, since_s(each, now)) for each in present},
        disobedience_s=lasted_s * sum(each.steered.disobeys_since is not None for each in found),
        unsteerable_s=lasted_s * sum(UNSTEERABLE in each.steered.alerts for each in found),
        vehicle_s=lasted_s * sum(each.session is not None for each in found),
        unserved_wh=sum(_unserved(each, found) for each in known.memory.charged),
        commands=sum(len(each.orders) for each in steps),
    )


def _unserved(charged: Charged, found: Sequence[Found]) -> float:
    """Return what a vehicle lacks that has left, of what its driver was known to need."""
    now = next((each for each in found if each.key == (charged.station_id, charged.evse_id)), None)
    stays = now is not None and now.session is not None and now.session.session_id == charged.session_id
    if not charged.needs_wh or stays:
        return 0.0
    session = now.vehicle.session if now is not None else None
    same = session is not None and session.session_id == charged.session_id
    had_wh = now.vehicle.energy_wh if now is not None and same else charged.had_wh
    return max(0.0, charged.needs_wh - had_wh)

"""Limits as the public topic tells them ↔ domain."""

from datetime import datetime

from chargebus_events import public
from chargebus_events.record import Record

from chargebus_smart_charging.limits.domain.limit import KnownLimit, Period
from chargebus_smart_charging.names import SOURCE
from chargebus_smart_charging.sites.domain.site import Capacity


def known_limit(told: public.ChargingLimit, now: datetime) -> KnownLimit:
    """Return a limit that somebody told on the topic; nobody tells from the future."""
    single = Period(Capacity(told.phase_a, told.total_w, told.total_va), told.valid_from, told.valid_until)
    several = (
        Period(Capacity(each.phase_a, each.total_w, each.total_va), each.valid_from, each.valid_until)
        for each in told.periods
    )
    return KnownLimit(
        site_id=told.site_id,
        source=told.source,
        limit_id=told.limit_id,
        told_at=min(told.at, now),
        told_by="topic",
        node_id=told.node_id,
        station_id=told.station_id,
        evse_id=told.evse_id,
        periods=tuple(several) or (single,),
        floor=Capacity(told.floor_a, told.floor_w),
        renewed_every_s=told.renewed_every_s,
        fallback=Capacity(told.fallback_a, told.fallback_w),
        covers=told.covers,
    )


def limit_event(limit: KnownLimit, at: datetime, *, cleared: bool = False) -> Record:
    """Return what the topic is told of a limit that came another way."""
    periods = tuple(
        public.LimitPeriod(
            each.valid_from, each.valid_until, each.capacity.phase_a, each.capacity.total_w, each.capacity.total_va
        )
        for each in limit.periods
    )
    single = periods[0] if len(periods) == 1 else public.LimitPeriod()
    told = public.ChargingLimit(
        site_id=limit.site_id,
        limit_id=limit.limit_id,
        source=limit.source,
        at=limit.told_at,
        node_id=limit.node_id,
        station_id=limit.station_id,
        evse_id=limit.evse_id,
        phase_a=single.phase_a,
        total_w=single.total_w,
        total_va=single.total_va,
        floor_a=limit.floor.phase_a,
        floor_w=limit.floor.total_w,
        valid_from=single.valid_from,
        valid_until=single.valid_until,
        renewed_every_s=limit.renewed_every_s,
        fallback_a=limit.fallback.phase_a,
        fallback_w=limit.fallback.total_w,
        cleared=cleared,
        covers=limit.covers,
        periods=() if len(periods) == 1 else periods,
    )
    event_id = f"{limit.site_id}/{limit.source}/{limit.limit_id}/{limit.told_at.isoformat()}"
    return public.event(public.CHARGING_LIMIT, event_id, SOURCE, at, told)

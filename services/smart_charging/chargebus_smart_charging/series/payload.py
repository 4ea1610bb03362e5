"""Series as the public topic tells them ↔ domain."""

from datetime import datetime

from chargebus_events import public
from chargebus_events.record import Record

from chargebus_smart_charging.names import SOURCE
from chargebus_smart_charging.series.domain.series import Series


def series_of(told: public.GridSeries, now: datetime) -> Series:
    """Return a series that somebody told on the topic; nobody tells from the future."""
    return Series(
        told.zone,
        told.kind,
        told.source,
        told.unit,
        min(told.at, now),
        told.starts_at,
        told.resolution_s,
        told.values,
        told.valid_until,
    )


def series_event(series: Series, at: datetime) -> Record:
    """Return what the topic is told of a series that came another way."""
    told = public.GridSeries(
        series.zone,
        series.kind,
        series.source,
        series.unit,
        series.told_at,
        series.starts_at,
        series.resolution_s,
        series.values,
        series.valid_until,
    )
    event_id = f"{series.zone}/{series.kind}/{series.source}/{series.told_at.isoformat()}"
    return public.event(public.GRID_SERIES_TOLD, event_id, SOURCE, at, told)

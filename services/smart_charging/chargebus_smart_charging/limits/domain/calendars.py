"""When calendar entries hold: in a site's time zone, over midnight, and through the changes of daylight saving time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from chargebus_smart_charging.sites.domain.site import CalendarEntry

_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = time()


def windows(
    entry: CalendarEntry, zone: ZoneInfo, starts_at: datetime, ends_at: datetime
) -> list[tuple[datetime, datetime]]:
    """Return when an entry holds from `starts_at` until `ends_at`, in UTC and in order.

    Where the clock goes through an hour twice or leaves one out, it is taken so that the entry holds longer.
    """
    first, last = max(starts_at, entry.starts_at or starts_at), min(ends_at, entry.ends_at or ends_at)
    if first >= last:
        return []
    if not entry.weekdays and entry.from_time is None and entry.to_time is None:
        return [(first, last)]
    return [
        (max(first, begin), min(last, end))
        for begin, end in _daily(entry, zone, first, last)
        if begin < last and end > first
    ]


def _daily(
    entry: CalendarEntry, zone: ZoneInfo, first: datetime, last: datetime
) -> Iterator[tuple[datetime, datetime]]:
    from_time, to_time = entry.from_time or _MIDNIGHT, entry.to_time or _MIDNIGHT
    day, end_day = first.astimezone(zone).date() - _DAY, last.astimezone(zone).date()
    while day <= end_day:
        if not entry.weekdays or day.weekday() in entry.weekdays:
            ends_on = day + _DAY if to_time <= from_time else day
            yield min(_moments(day, from_time, zone)), max(_moments(ends_on, to_time, zone))
        day += _DAY


def _moments(day: date, clock: time, zone: ZoneInfo) -> list[datetime]:
    return [datetime.combine(day, clock.replace(fold=fold), tzinfo=zone).astimezone(UTC) for fold in (0, 1)]

"""When messages go out: digests, and hours in which nobody is to be woken."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MINUTES: Final = 24 * 60


class Digest(msgspec.Struct, frozen=True):
    """Many alerts in one message: every so many minutes, or each day at a time ("08:00") in a time zone."""

    every_minutes: int | None = None
    at: str = ""
    time_zone: str = ""

    def next_after(self, now: datetime) -> datetime:
        """Return when the next one goes out."""
        if self.every_minutes is None:
            return _next(self.at, self.time_zone, now)
        step = timedelta(minutes=self.every_minutes)
        return _EPOCH + ((now - _EPOCH) // step + 1) * step


class QuietHours(msgspec.Struct, frozen=True):
    """Each day from a time until another, in a time zone; what comes in them waits for their end."""

    starts: str
    ends: str
    time_zone: str
    critical_passes: bool = False

    def end_of(self, at: datetime) -> datetime | None:
        """Return when the quiet hours end in which a moment lies; None if it lies in none."""
        starts, ends = _minute(self.starts), _minute(self.ends)
        local = at.astimezone(ZoneInfo(self.time_zone))
        since_start = (local.hour * 60 + local.minute - starts) % _DAY_MINUTES
        if since_start >= (ends - starts) % _DAY_MINUTES:
            return None
        return _next(self.ends, self.time_zone, at)


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def _next(text: str, time_zone: str, now: datetime) -> datetime:
    """Return when it is that time of day next; where the clock is put forward over it, what it shows then."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    return next(at for days in range(3) if (at := _on(today + timedelta(days=days), text, zone)) > now)


def _on(day: date, text: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), zone).astimezone(UTC)

"""When a station may be updated: a window of local time on some days, in the time zone where the station stands."""

from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Day: TypeAlias = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

DAYS: Final[tuple[Day, ...]] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_S: Final = 86400.0
_AHEAD_DAYS: Final = 15


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """Local time of a station in which an update may begin.

    Attributes:
        opens, closes: `HH:MM`; a window that closes before it opens goes on after midnight.
        days: on which it opens.
        reserve_s: nothing begins in the last seconds of it, so that what began is done when it closes.
    """

    opens: str
    closes: str
    days: tuple[Day, ...] = DAYS
    reserve_s: float = 0.0

    @property
    def open_s(self) -> float:
        """For how long an update may begin, each time."""
        lasts = (_seconds(self.closes) - _seconds(self.opens)) % _DAY_S
        return lasts - self.reserve_s

    @property
    def longest_closed_s(self) -> float:
        """The longest that it stays closed, but for changes of the clocks."""
        numbers = sorted({DAYS.index(day) for day in self.days})
        gaps = [(after - before) % 7 or 7 for before, after in zip(numbers, numbers[1:] + numbers[:1], strict=True)]
        return max(gaps) * _DAY_S - self.open_s


def objection(window: Window, wait_s: float) -> str:
    """Return why stations that wait for so long at most would never see it open; empty: they will."""
    if not window.days:
        return "it never opens: give at least one day"
    if _seconds(window.opens) == _seconds(window.closes):
        return "it never opens: it closes when it opens; leave the window out where any time is right"
    if window.open_s <= 0:
        return f"it never opens: it is not longer than the {window.reserve_s:.0f} s of reserve_s"
    if window.longest_closed_s >= wait_s:
        days = window.longest_closed_s / _DAY_S
        return f"it may never open in time: it stays closed for {days:.1f} days, and stations wait for wait_s at most"
    return ""


def opens_at(window: Window | None, time_zone: str, now: datetime) -> datetime:
    """Return when an update may begin next, `now` if it may at once.

    A time that the clocks skip counts as the one an hour later, of one that comes twice the first counts.
    """
    if window is None:
        return now
    zone = _zone(time_zone)
    today = now.astimezone(zone).date()
    for ahead in range(-1, _AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        if DAYS[day.weekday()] not in window.days:
            continue
        begin = datetime.combine(day, time.fromisoformat(window.opens), zone).astimezone(UTC)
        last_day = day if window.closes > window.opens else day + timedelta(days=1)
        end = datetime.combine(last_day, time.fromisoformat(window.closes), zone).astimezone(UTC)
        if now < end - timedelta(seconds=window.reserve_s):
            return max(begin, now)
    raise ValueError(f"the window {window} never opens")


def _seconds(at: str) -> float:
    told = time.fromisoformat(at)
    return told.hour * 3600.0 + told.minute * 60.0


def _zone(name: str) -> ZoneInfo:
    """Return a time zone; UTC for none, and for one that this machine does not know."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")

"""When nobody wants to be told: silences and maintenance windows, once or every week."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from chargebus_notification.alerts.domain.alert import Alert
from chargebus_notification.alerts.domain.times import shifted

_A_WEEK: Final = timedelta(days=8)
_DAY: Final = timedelta(days=1)
# A window begins at a time of a day in a zone: within so many days of the first and the last one there are, that may
# be no moment at all.
_FIRST_DAY: Final = date.min + timedelta(days=2)
_LAST_DAY: Final = date.max - timedelta(days=2)


class Weekly(msgspec.Struct, frozen=True):
    """A window that comes back: on which days of the week (0 is Monday) and when it begins, in a time zone."""

    days: tuple[int, ...]
    begins: time
    minutes: float
    time_zone: str

    def begins_on(self, day: date) -> datetime:
        """Return when the window of a day begins."""
        return datetime.combine(day, self.begins, ZoneInfo(self.time_zone)).astimezone(UTC)


class Silence(msgspec.Struct, frozen=True):
    """What nobody wants to be told from `starts_at` to before `ends_at`; what is not named is any."""

    silence_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str
    created_at: datetime
    rule_id: str = ""
    station_id: str = ""
    labels: Mapping[str, str] = {}
    weekly: Weekly | None = None

    def holds(self, now: datetime) -> bool:
        """Tell whether it is in force."""
        if not self.starts_at <= now < self.ends_at:
            return False
        return self.weekly is None or any(
            begin <= now < end for begin, end in self._windows(shifted(now, -_A_WEEK), now)
        )

    def covers(self, alert: Alert) -> bool:
        """Tell whether an alert is of what it names."""
        return self.names(alert.rule_id, alert.station_id, alert.labels)

    def names(self, rule_id: str, station_id: str, labels: Mapping[str, str]) -> bool:
        """Tell whether what a rule tells of a station with these labels is of what it names."""
        return (
            self.rule_id in ("", rule_id)
            and self.station_id in ("", station_id)
            and self.labels.items() <= dict(labels).items()
        )

    def ever_holds(self) -> bool:
        """Tell whether there is a moment at which it is in force."""
        if self.weekly is None:
            return self.starts_at < self.ends_at
        until = min(self.ends_at, shifted(self.starts_at, _A_WEEK))
        windows = self._windows(shifted(self.starts_at, -_A_WEEK), until)
        return any(begin < self.ends_at and end > self.starts_at for begin, end in windows)

    def _windows(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        if self.weekly is None:
            return
        # A day more on both sides is that of any zone.
        day, end = max(_FIRST_DAY, shifted(first, -_DAY).date()), min(_LAST_DAY, shifted(last, _DAY).date())
        while day <= end:
            if day.weekday() in self.weekly.days:
                begin = self.weekly.begins_on(day)
                yield begin, shifted(begin, timedelta(minutes=self.weekly.minutes))
            day += _DAY


def silencing(alert: Alert, silences: Iterable[Silence], now: datetime) -> str:
    """Return the id of a silence that covers an alert now, or an empty string."""
    return next((each.silence_id for each in silences if each.holds(now) and each.covers(alert)), "")

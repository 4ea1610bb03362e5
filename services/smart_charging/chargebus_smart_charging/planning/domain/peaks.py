"""The peak of a site: the most that its root has drawn on average of a quarter of an hour, in a billing period."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from chargebus_smart_charging.limits.domain.meters import OtherLoads
from chargebus_smart_charging.sites.domain.site import PeakPeriod, Site
from chargebus_smart_charging.sites.domain.tree import root
from chargebus_smart_charging.vehicles.domain.drawing import USUAL_V

QUARTER: Final = timedelta(minutes=15)
_SEEN_S: Final = 300.0
"""A quarter of an hour of which less was seen has no average."""


class Peak(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a site's peak.

    Attributes:
        starts_at: when the billing period began.
        va: the peak so far.
        quarter_at: the quarter of an hour that goes on.
        quarter_vas, quarter_s: what was drawn in it, in volt-ampere-seconds, and for how long that was seen.
    """

    starts_at: datetime
    va: float = 0.0
    quarter_at: datetime | None = None
    quarter_vas: float = 0.0
    quarter_s: float = 0.0

    def seen(self, va: float, until: datetime, lasted_s: float) -> "Peak":
        """Return it after so much was drawn for so long before a moment."""
        replace = msgspec.structs.replace
        quarter_at = _quarter(until)
        here_s = min(lasted_s, (until - quarter_at).total_seconds())
        before = self
        if before.quarter_at is not None and before.quarter_at != quarter_at:
            if before.quarter_at + QUARTER == quarter_at:
                before = before._more(va, lasted_s - here_s)
            before = replace(before.closed(), quarter_at=quarter_at)
        return replace(before, quarter_at=quarter_at)._more(va, here_s)

    def closed(self) -> "Peak":
        """Return it after the quarter of an hour that went on."""
        average_va = self.quarter_vas / self.quarter_s if self.quarter_s >= _SEEN_S else 0.0
        return Peak(self.starts_at, max(self.va, average_va))

    def _more(self, va: float, lasted_s: float) -> "Peak":
        return msgspec.structs.replace(
            self, quarter_vas=self.quarter_vas + va * lasted_s, quarter_s=self.quarter_s + lasted_s
        )


def risen(site: Site, before: Peak | None, va: float, now: datetime, lasted_s: float) -> Peak:
    """Return a site's peak after its root has drawn so much for so long; a new billing period begins with none."""
    starts_at = begin_of(site.policy.peak_period, now, ZoneInfo(site.time_zone))
    if before is None or before.starts_at != starts_at:
        before = Peak(starts_at)
    return before.seen(va, now, lasted_s)


def begin_of(period: PeakPeriod, now: datetime, zone: ZoneInfo) -> datetime:
    """Return when the billing period began in which a moment lies: at midnight of the site."""
    day = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "week":
        day -= timedelta(days=day.weekday())
    elif period == "month":
        day = day.replace(day=1)
    elif period == "year":
        day = day.replace(month=1, day=1)
    return day.astimezone(now.tzinfo)


def loads_va(site: Site, loads: Mapping[str, OtherLoads]) -> tuple[float, float]:
    """Return what other loads draw through the root now, and at most in the time ahead, in volt-amperes."""
    if all(node.meter is None for node in site.nodes):
        return 0.0, 0.0
    sums = [sum(each) * USUAL_V for each in loads[root(site).node_id].by_interval]
    return sums[0], max(sums)


def _quarter(at: datetime) -> datetime:
    return at - timedelta(seconds=at.timestamp() % QUARTER.total_seconds())

"""What other loads usually draw: averages of days by the time of day, apart for weekdays and weekends.

They are learned of what a node's meter says, whatever else is told ahead, and take a bounded room: a value for each
quarter of an hour of the two kinds of days.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from chargebus_smart_charging.sites.domain.site import NOTHING, PerPhase, Site

SLOT: Final = timedelta(minutes=15)
SLOTS: Final = 96
_SATURDAY: Final = 5

ENOUGH_DAYS: Final = 3
"""Of so many days of a kind at least is an average."""
MOST_DAYS: Final = 10
"""A new day counts for one of at most so many: two weeks of weekdays, five of weekends."""
MARGIN: Final = 0.1
"""So much more than the average is reckoned with."""
SOON: Final = timedelta(hours=1)
"""So far ahead no less is reckoned with than what is drawn now."""


_days: Final = attrgetter("days")


class Slot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The average of a quarter of an hour, and of how many days that is."""

    days: int = 0
    phase_a: PerPhase = NOTHING


class Usual(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a node's other loads.

    Attributes:
        node_id: the node.
        slots: quarters of an hour, of a weekday and then of a day of the weekend.
        at: the quarter of an hour that goes on.
        sum_a, count: what was said in it.
    """

    node_id: str
    slots: tuple[Slot, ...] = ()
    at: datetime | None = None
    sum_a: PerPhase = NOTHING
    count: int = 0

    @property
    def tells(self) -> bool:
        """Whether anything is known of any time: before, what is drawn now is reckoned with."""
        return max(map(_days, self.slots), default=0) >= ENOUGH_DAYS

    def heard(self, phase_a: PerPhase, now: datetime, zone: ZoneInfo) -> "Usual":
        """Return it after so much was drawn at a moment."""
        at = now - timedelta(seconds=now.timestamp() % SLOT.total_seconds())
        before = self if self.at == at else self._closed(zone)
        first, second, third = (had + more for had, more in zip(before.sum_a, phase_a, strict=True))
        return msgspec.structs.replace(before, at=at, sum_a=(first, second, third), count=before.count + 1)

    def most(self, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> PerPhase | None:
        """Return the most that is drawn usually at some time, and a margin; None: too few such days were seen."""
        found, at = [], starts_at
        while at < ends_at:
            slot = self.slots[_place(at, zone)] if self.slots else Slot()
            if slot.days < ENOUGH_DAYS:
                return None
            found.append(slot.phase_a)
            at += SLOT - timedelta(seconds=at.timestamp() % SLOT.total_seconds())
        first, second, third = (ceil((1 + MARGIN) * max(each[phase] for each in found)) for phase in range(3))
        return float(first), float(second), float(third)

    def _closed(self, zone: ZoneInfo) -> "Usual":
        """Return it after the quarter of an hour that went on."""
        if self.at is None or not self.count:
            return Usual(self.node_id, self.slots)
        slots = list(self.slots or (Slot(),) * (2 * SLOTS))
        place = _place(self.at, zone)
        known = slots[place]
        days = min(known.days + 1, MOST_DAYS)
        first, second, third = (
            round(had + (total / self.count - had) / days, 1)
            for had, total in zip(known.phase_a, self.sum_a, strict=True)
        )
        slots[place] = Slot(days, (first, second, third))
        return Usual(self.node_id, tuple(slots))


def learned(known: Iterable[Usual], drawn: Mapping[str, PerPhase], site: Site, now: datetime) -> tuple[Usual, ...]:
    """Return what is known after nodes of a site drew so much; of a node without a meter nothing is kept."""
    metered = [node.node_id for node in site.nodes if node.meter is not None]
    if not metered:
        return ()
    zone, by_node = ZoneInfo(site.time_zone), {each.node_id: each for each in known}
    found = []
    for node_id in metered:
        usual = by_node.get(node_id) or Usual(node_id)
        found.append(usual.heard(drawn[node_id], now, zone) if node_id in drawn else usual)
    return tuple(found)


def ahead(
    usual: Usual | None, newest: PerPhase, begins_in: timedelta, expected: tuple[datetime, datetime], zone: ZoneInfo
) -> PerPhase:
    """Return what is reckoned with in a time ahead: what is usual; within an hour no less than what is drawn now."""
    most = None if usual is None else usual.most(*expected, zone)
    if most is None:
        return newest
    if begins_in >= SOON:
        return most
    first, second, third = (max(each, now) for each, now in zip(most, newest, strict=True))
    return first, second, third


def _place(at: datetime, zone: ZoneInfo) -> int:
    here = at.astimezone(zone)
    return (SLOTS if here.weekday() >= _SATURDAY else 0) + here.hour * 4 + here.minute // 15

"""What planning a site leaves for the next time: turns, what each EVSE was told to draw, overloads, open alerts."""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from chargebus_smart_charging.limits.domain.meters import Remainder
from chargebus_smart_charging.limits.domain.usual import Usual
from chargebus_smart_charging.planning.domain.demands import Turn
from chargebus_smart_charging.planning.domain.peaks import Peak

SiteRule: TypeAlias = Literal["site_overloaded", "meter_silent", "limit_source_silent"]


class Charged(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of an EVSE: its session, its limit by the plan, whose turn it was, what its driver needs.

    `needs_wh` is 0 where nobody told it.
    """

    station_id: str
    evse_id: int
    session_id: str
    limit_a: float
    turn: Turn
    needs_wh: float = 0.0
    departs_at: datetime | None = None
    had_wh: float = 0.0


class Overload(msgspec.Struct, frozen=True):
    """A node that is measured above its bound, since when."""

    node_id: str
    since: datetime


class OpenAlert(msgspec.Struct, frozen=True):
    """An alert about a site that is open: its rule, and the node or source that is its cause."""

    rule: SiteRule
    cause: str


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a site.

    `planned_at` is when it was decided last, `peak` what its root has drawn at most, `remainders` what others drew by
    the meters that measure everything, `usual` what other loads usually draw.
    """

    planned_at: datetime | None = None
    charged: tuple[Charged, ...] = ()
    overloads: tuple[Overload, ...] = ()
    alerts: tuple[OpenAlert, ...] = ()
    peak: Peak | None = None
    remainders: tuple[Remainder, ...] = ()
    usual: tuple[Usual, ...] = ()

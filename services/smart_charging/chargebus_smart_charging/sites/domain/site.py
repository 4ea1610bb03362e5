"""A site: a tree of what carries current, and the EVSEs that hang under it. Plain values; nothing here is checked."""

from datetime import datetime, time
from typing import Final, Literal, TypeAlias

import msgspec

PerPhase: TypeAlias = tuple[float, float, float]
"""Amperes on L1, L2 and L3 of the site."""

NOTHING: Final[PerPhase] = (0.0, 0.0, 0.0)

EvseKey: TypeAlias = tuple[str, int]
"""A station's id, and the number of an EVSE of it."""


class Capacity(msgspec.Struct, frozen=True):
    """What may flow: amperes on each phase, watts in all, volt-amperes in all; what is None is not limited."""

    phase_a: float | None = None
    total_w: float | None = None
    total_va: float | None = None


class CalendarEntry(msgspec.Struct, frozen=True):
    """A capacity that holds at times: from `starts_at` until `ends_at`, or each week on `weekdays` (0 is Monday).

    On weekdays it holds from `from_time` until `to_time` in the site's time zone, over midnight if that is earlier.
    """

    capacity: Capacity
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekdays: tuple[int, ...] = ()
    from_time: time | None = None
    to_time: time | None = None


class LoadMeter(msgspec.Struct, frozen=True):
    """A meter of a node's other loads; one that says nothing for `silent_after_s` counts as `worst_case_a`.

    With a `station_id` it is that station's main meter (EVSE 0) out of `meter.values`, else it is read over HTTP.
    `covers` says whether it measures what the EVSEs below draw, too.
    """

    worst_case_a: PerPhase
    silent_after_s: float = 300.0
    station_id: str = ""
    covers: Literal["other loads", "everything"] = "other loads"


class Node(msgspec.Struct, frozen=True):
    """A grid connection, transformer, panel or fuse; the one without a parent is the root.

    `margin` is the share of its capacity that is never planned; `unbalance_a` how far its phases may be apart. A
    `controller_station_id` is a local controller (OCPP 2.x) that gets the limit of all that is below the node.
    """

    node_id: str
    parent_id: str | None
    name: str = ""
    capacity: Capacity = Capacity()
    margin: float = 0.0
    unbalance_a: float | None = None
    calendar: tuple[CalendarEntry, ...] = ()
    meter: LoadMeter | None = None
    controller_station_id: str = ""


class Evse(msgspec.Struct, frozen=True):
    """An EVSE under a node; what is None is taken from what its station says, or else from `usual`.

    `phases` are the site's phases (1 to 3) to which its L1, L2 and L3 are connected, in that order. Amperes are per
    phase, on the grid's side; for DC, `voltage_v` is the grid's as well.
    """

    station_id: str
    evse_id: int
    node_id: str
    current: Literal["AC", "DC"] = "AC"
    voltage_v: float | None = None
    phases: tuple[int, ...] | None = None
    min_a: float | None = None
    max_a: float | None = None
    step_a: float | None = None
    priority: float = 1.0

    @property
    def key(self) -> EvseKey:
        """What it is told apart by."""
        return self.station_id, self.evse_id


PeakPeriod: TypeAlias = Literal["day", "week", "month", "year"]


class Policy(msgspec.Struct, frozen=True):
    """How a site is to be planned and what is done to stations that do not obey.

    Attributes:
        interval_s: how often it is planned at the latest, and within which a change is acted upon.
        objective: what counts after safety and energy by departure: `none`, `price`, `co2` or `demand`.
        grace_s: how long a station may take from an accepted reduction until it is seen to draw less.
        dead_band_a: a smaller change is not sent.
        spacing_s: the least time between two commands to one station that raise a limit.
        profile_life_s: how long a profile holds without being renewed; then the station's default does.
        default_a: what a station allows by itself; None: the share of each EVSE if all charge, 0 if that is too little.
        least_pause_s, least_charge_s: where vehicles take turns.
        energy_wh, stay_s: what a driver needs of whom nothing is known.
        containment: what is done at the end about a station that disobeys: `count` it at what it may draw, `suspend`
            its transaction, or make it `unavailable`.
        unmeasured: whether a station that never measures is believed after `grace_s` that it draws less, or is counted
            as before.
        sets_measurands: stations that do not sample what tells how much they draw are configured to.
        peak_period: after which the grid connection's peak is counted anew.
        peak_costs: a higher peak costs: it is kept down where that takes no energy from anyone.
        on_off: a station that takes no limits may be steered by stopping and starting its transactions.
    """

    interval_s: float = 60.0
    objective: Literal["none", "price", "co2", "demand"] = "none"
    grace_s: float = 60.0
    dead_band_a: float = 1.0
    spacing_s: float = 10.0
    profile_life_s: float = 1800.0
    default_a: float | None = None
    least_pause_s: float = 300.0
    least_charge_s: float = 300.0
    energy_wh: float = 20_000.0
    stay_s: float = 4 * 3600.0
    containment: Literal["count", "suspend", "unavailable"] = "count"
    unmeasured: Literal["trust", "count"] = "trust"
    on_off: bool = False
    sets_measurands: bool = False
    peak_period: PeakPeriod = "month"
    peak_costs: bool = False


class Site(msgspec.Struct, frozen=True):
    """A site as its operator describes it; `version` rises with each change."""

    site_id: str
    name: str
    nodes: tuple[Node, ...]
    evses: tuple[Evse, ...]
    zone: str = ""
    time_zone: str = "UTC"
    policy: Policy = Policy()
    version: int = 1

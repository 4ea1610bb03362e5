"""What may flow through the nodes of a site in the time ahead, with the reason of each bound in words."""

from datetime import datetime

import msgspec

from chargebus_smart_charging.sites.domain.site import PerPhase


class Horizon(msgspec.Struct, frozen=True):
    """The time ahead, in intervals that follow each other from `starts_at`; the first is the one to act in."""

    starts_at: datetime
    lengths_s: tuple[float, ...]


class Bound(msgspec.Struct, frozen=True):
    """What may flow through a node, all taken off that is not planned, in the intervals from `first` before `last`.

    `last` None is the end of the horizon. `reason` is for people: "panel B: 63 A - 11 A building - 5 % margin".
    """

    reason: str
    phase_a: PerPhase | None = None
    total_va: float | None = None
    first: int = 0
    last: int | None = None


class PlanNode(msgspec.Struct, frozen=True):
    """A node; `parent` is its place among the problem's nodes, before its own."""

    node_id: str
    parent: int | None
    bounds: tuple[Bound, ...] = ()
    unbalance_a: float | None = None
    voltage_v: float = 230.0

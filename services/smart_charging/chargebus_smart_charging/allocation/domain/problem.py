"""What is to be planned, and a plan: a tree of bounds, what draws or may draw at its EVSEs, and the time ahead.

All amperes are per phase, on the site's side of an EVSE. Nothing here knows OCPP, or how a bound came to be.
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.sites.domain.bound import Bound, Horizon, PlanNode
from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

__all__ = [
    "ENOUGH_WH",
    "HOUR_S",
    "PHASES",
    "Allocation",
    "Bound",
    "Costs",
    "Demand",
    "Fixed",
    "Horizon",
    "Method",
    "Plan",
    "PlanNode",
    "PlanProblem",
    "on_phases",
]

PHASES: Final = 3
HOUR_S: Final = 3600.0

ENOUGH_WH: Final = 1e-6
"""Who needs no more has all that was needed."""

Method: TypeAlias = Literal["optimiser", "allocator"]


class Fixed(msgspec.Struct, frozen=True):
    """What flows whatever is planned: an EVSE that cannot be steered, counted at its most.

    It does in the intervals before `last`; None: all the time.
    """

    node: int
    phase_a: PerPhase
    reason: str = ""
    last: int | None = None


class Demand(msgspec.Struct, frozen=True):
    """A vehicle that may be charged.

    Attributes:
        key: its EVSE.
        node: under which it hangs, as a place among the problem's nodes.
        phases: the site's phases that it really uses, from 0 to 2; all that it may use, while that is not known.
        sure_phases: how many of these it uses surely; 0: all.
        untried: it has not charged yet, and how it does is to be learned.
        voltage_v: of one phase.
        min_a, max_a, step_a: it gets 0, or from `min_a` to `max_a` in steps (0: any).
        must_charge: it cannot be given 0: its station does not take that.
        energy_wh: what it still needs; None: as much as it can have.
        departs_at: by when; None: at the end of the horizon.
        reserve_s: how long before that it had better have it, as it may draw less than it is given at the end.
        weight: its share against others', by its priority.
        present_a: the limit that it has now.
        charged_s, paused_s: for how long it has been charging, or waiting for its turn; 0 for the other.
        least_charge_s, least_pause_s: how long it is to charge, or wait, before that changes for the sake of turns.
        served_wh: what it has had already, for turns and shares.
        cap_reason: what its `max_a` comes from, for people: "vehicle has drawn 16 A at most".
    """

    key: EvseKey
    node: int
    phases: tuple[int, ...]
    voltage_v: float
    min_a: float
    max_a: float
    step_a: float = 0.0
    must_charge: bool = False
    energy_wh: float | None = None
    departs_at: datetime | None = None
    weight: float = 1.0
    present_a: float = 0.0
    charged_s: float = 0.0
    paused_s: float = 0.0
    least_charge_s: float = 0.0
    least_pause_s: float = 0.0
    served_wh: float = 0.0
    cap_reason: str = ""
    reserve_s: float = 0.0
    sure_phases: int = 0
    untried: bool = False


class Costs(msgspec.Struct, frozen=True):
    """What a kilowatt hour costs in each interval, in any unit (money, grams, share of the grid); None is not known."""

    per_kwh: tuple[float | None, ...]
    name: str = "price"


class PlanProblem(msgspec.Struct, frozen=True):
    """A site to be planned. `peak_va` is what the root has drawn at most in the billing period, if that costs."""

    horizon: Horizon
    nodes: tuple[PlanNode, ...]
    demands: tuple[Demand, ...]
    fixed: tuple[Fixed, ...] = ()
    costs: Costs | None = None
    peak_va: float | None = None


class Allocation(msgspec.Struct, frozen=True):
    """What a vehicle gets: `limits_a` for each interval, what bounds the first one in words, what it will lack."""

    key: EvseKey
    limits_a: tuple[float, ...]
    reasons: tuple[str, ...] = ()
    unserved_wh: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """An answer to a problem; `fallback` says why the optimiser did not give it, where it should have.

    `overload_a` is by how much a node is over its bound on its worst phase for what is fixed alone; nothing that is
    planned adds to it.
    """

    method: Method
    allocations: tuple[Allocation, ...]
    fallback: str = ""
    overload_a: tuple[tuple[str, float], ...] = ()


def on_phases(demand: Demand, amperes: float) -> PerPhase:
    """Return what a vehicle puts on each phase of the site at so many amperes on each of its own."""
    first, second, third = (amperes if phase in demand.phases else 0.0 for phase in range(PHASES))
    return first, second, third

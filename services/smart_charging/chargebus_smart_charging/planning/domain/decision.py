"""What is decided about a site: what is acted upon at once, and what people see of it when somebody looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

import msgspec

from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem
from chargebus_smart_charging.planning.domain.evses import Found
from chargebus_smart_charging.planning.domain.known import EvseState, NodeState, Shown, SiteNotice, Tally
from chargebus_smart_charging.planning.domain.memory import Memory, Overload
from chargebus_smart_charging.planning.domain.showing import evse_state
from chargebus_smart_charging.planning.domain.watching import node_states
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.steered import Steerable
from chargebus_smart_charging.steering.domain.stepping import Step


class Outlook(Protocol):
    """A plan of which the first interval is known, and the time ahead once somebody asks for it."""

    @property
    def first_a(self) -> Mapping[EvseKey, float]:
        """What each vehicle gets in the first interval."""
        ...

    def limit_a(self, key: EvseKey, interval: int) -> float | None:
        """Return what a vehicle gets in an interval; None: it is not planned."""
        ...

    @property
    def plan(self) -> Plan:
        """The plan to its end, with its reasons."""
        ...


@dataclass(frozen=True)
class Given:
    """A plan that is there already."""

    plan: Plan

    @cached_property
    def first_a(self) -> Mapping[EvseKey, float]:
        """What each vehicle gets in the first interval."""
        return {key: limits_a[0] for key, limits_a in self._limits_a.items()}

    def limit_a(self, key: EvseKey, interval: int) -> float | None:
        """Return what a vehicle gets in an interval; None: it is not planned."""
        limits_a = self._limits_a.get(key)
        return None if limits_a is None else limits_a[interval]

    @cached_property
    def _limits_a(self) -> Mapping[EvseKey, tuple[float, ...]]:
        return {each.key: each.limits_a for each in self.plan.allocations}


@dataclass(frozen=True)
class Picture:
    """A site as it was decided about: EVSEs as they were found, what each was told, which nodes were overloaded."""

    at: datetime
    problem: PlanProblem
    outlook: Outlook
    found: tuple[Found, ...]
    told: Mapping[EvseKey, float | None]
    over: tuple[Overload, ...]

    @property
    def nodes(self) -> tuple[NodeState, ...]:
        """What its nodes carry."""
        return node_states(self.problem, self.outlook.first_a, self.found, self.over, self.at)

    @property
    def evses(self) -> tuple[EvseState, ...]:
        """What its EVSEs may draw, and why."""
        allocations = {each.key: each for each in self.outlook.plan.allocations}
        return tuple(
            evse_state(each, self.told[each.key], allocations.get(each.key), self.problem) for each in self.found
        )


class Decision(msgspec.Struct, frozen=True, dict=True):
    """What is decided about a site.

    Attributes:
        picture: what people see of it.
        steps: what is done about each EVSE, and `steerables` as what.
        held: the limit that each EVSE holds for sure, in amperes, by which its vehicle is learned.
        notices: alerts about the site that change.
        memory: what is to be remembered.
        tally: what is counted.
        is_news: what an EVSE may draw is another than before.
    """

    at: datetime
    picture: Picture
    steps: Mapping[EvseKey, Step]
    steerables: Mapping[EvseKey, Steerable]
    held: Mapping[EvseKey, float]
    notices: tuple[SiteNotice, ...]
    memory: Memory
    tally: Tally
    is_news: bool

    @property
    def problem(self) -> PlanProblem:
        """What was to be planned."""
        return self.picture.problem

    @property
    def plan(self) -> Plan:
        """The plan to its end."""
        return self.picture.outlook.plan

    @cached_property
    def nodes(self) -> tuple[NodeState, ...]:
        """What the site's nodes carry."""
        return self.picture.nodes

    @cached_property
    def evses(self) -> tuple[EvseState, ...]:
        """What its EVSEs may draw, and why."""
        return self.picture.evses


def shown(decision: Decision, plan_id: str) -> Shown:
    """Return what people see of a decision."""
    plan = decision.plan
    return Shown(plan_id, decision.at, plan.method, plan.fallback, decision.nodes, decision.evses, decision.memory.peak)

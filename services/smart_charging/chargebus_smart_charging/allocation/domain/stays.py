"""How long vehicles stay, what they need until then, and what of it is promised."""

from functools import cached_property

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.problem import PlanProblem
from chargebus_smart_charging.allocation.domain.tree import Floats, Mask, Tree


class Stays(msgspec.Struct, frozen=True, dict=True):
    """Of each vehicle: seconds from the horizon's start, energy (inf: all it can have), and whether that is promised.

    Who should have left but is there, or does not say when, stays to the end; only to the latter can be promised.
    `ready_s` is by when it had better have its energy.
    """

    lengths_s: Floats
    until_s: Floats
    energy_wh: Floats
    promised: Mask
    ready_s: Floats

    @classmethod
    def of(cls, tree: Tree, problem: PlanProblem) -> "Stays":
        """Return the stays of the vehicles of a tree."""
        horizon = problem.horizon
        lengths_s = np.array(horizon.lengths_s)
        whole_s = float(lengths_s.sum())
        departs_s = np.array(
            [
                (demand.departs_at - horizon.starts_at).total_seconds() if demand.departs_at is not None else whole_s
                for demand in tree.demands
            ],
            dtype=np.float64,
        )
        energy_wh = np.array(
            [np.inf if demand.energy_wh is None else max(demand.energy_wh, 0.0) for demand in tree.demands],
            dtype=np.float64,
        )
        there = departs_s > 0
        until_s = np.where(there, departs_s, whole_s)
        ready_s = until_s - np.array([demand.reserve_s for demand in tree.demands], dtype=np.float64)
        return cls(lengths_s, until_s, energy_wh, there & np.isfinite(energy_wh), ready_s)

    def slack_s(self, left_wh: Floats, wh_per_s: Floats, passed_s: float) -> Floats:
        """Return how much later than in so many seconds vehicles could begin that are charged as fast as that.

        It is infinite where nothing is promised.
        """
        charged_s = np.where(self.promised, left_wh, 0.0) / wh_per_s
        return np.where(self.promised, self.until_s - passed_s - charged_s, np.inf)

    @cached_property
    def begins_s(self) -> Floats:
        """When each interval begins."""
        return np.concatenate((np.zeros(1), np.cumsum(self.lengths_s)[:-1]))

    @cached_property
    def seconds(self) -> Floats:
        """For how long of each interval each vehicle is there: intervals x vehicles."""
        return np.minimum(np.maximum(self.until_s - self.begins_s[:, None], 0.0), self.lengths_s[:, None])

    @property
    def reserve_s(self) -> Floats:
        """How many of these seconds are its reserve, those at its end counted three times: intervals x vehicles."""
        begins_s = self.begins_s[:, None]
        ends_s = np.maximum(np.minimum(self.until_s, begins_s + self.lengths_s[:, None]) - self.ready_s, 0.0)
        starts_s = np.maximum(begins_s - self.ready_s, 0.0)
        deep = 1.0 + (starts_s + ends_s) / np.maximum(self.until_s - self.ready_s, 1.0)
        found: Floats = np.maximum(ends_s - starts_s, 0.0) * deep
        return found

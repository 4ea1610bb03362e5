"""What a plan is judged by, in order: energy that is promised, that is wished, a reserve, cost, peak, few changes."""

from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.blocks import Blocks, scaled
from chargebus_smart_charging.allocation.domain.problem import PlanProblem
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import VA, Floats, Tree, fixed_loads

KILO: Final = 1000.0


class Weights(msgspec.Struct, frozen=True):
    """What objectives weigh against each other; costs are scaled so that they reach from 0 to 1 a kilowatt hour.

    Attributes:
        promised: a kilowatt hour that is promised and lacks.
        wished: one that lacks a vehicle to which nothing is promised.
        unfair: by what share the last kilowatt hour that a vehicle lacks is worse than the first, so that all share.
        reserve: one that a vehicle has in its reserve, three times at its end: more than what is saved.
        cost: the whole span of costs, for a kilowatt hour.
        peak: a kilovolt-ampere more than what has been drawn at most.
        late: a kilowatt hour at the end of the horizon rather than at its start.
        change: an ampere of a vehicle that differs from what it has now.
    """

    promised: float = 1000.0
    wished: float = 30.0
    unfair: float = 0.01
    reserve: float = 2.0
    cost: float = 1.0
    peak: float = 0.01
    late: float = 1e-3
    change: float = 1e-5


WEIGHTS: Final = Weights()


def lacking_weight(stays: Stays) -> Floats:
    """Return what a kilowatt hour weighs that a vehicle lacks."""
    return np.where(stays.promised, WEIGHTS.promised, WEIGHTS.wished)


def needs_kwh(tree: Tree, stays: Stays) -> Floats:
    """Return what vehicles need, but no more than they could take if they were alone."""
    could_wh = stays.seconds.sum(axis=0) * tree.wh_per_ampere_s * tree.maximum
    needs: Floats = np.minimum(stays.energy_wh, could_wh) / KILO
    return needs


def peak_room_kva(tree: Tree, problem: PlanProblem) -> float | None:
    """Return what vehicles may draw at the root before that is more than ever, if that costs."""
    if problem.peak_va is None:
        return None
    return float(problem.peak_va - fixed_loads(tree, problem.fixed)[VA, 0]) / KILO


def dearness(blocks: Blocks) -> Floats:
    """Return what a kilowatt hour weighs: blocks x vehicles; its cost, its coming late, and its being in a reserve."""
    late: Floats = blocks.ends_s / blocks.ends_s[-1]
    return (WEIGHTS.cost * blocks.cost + WEIGHTS.late * late)[:, None] + WEIGHTS.reserve * blocks.reserve


def burden(tree: Tree, stays: Stays, problem: PlanProblem, amperes: Floats) -> float:
    """Return how far amperes (intervals x vehicles) are from all that is wanted: less is better."""
    kwh = amperes * stays.seconds * tree.wh_per_ampere_s / KILO
    need = needs_kwh(tree, stays)
    given = kwh.sum(axis=0)
    lacking = lacking_weight(stays) @ np.maximum(need - given, 0.0)
    used = np.minimum(need / np.maximum(given, 1e-9), 1.0)
    reserved = WEIGHTS.reserve * (stays.reserve_s / np.maximum(stays.seconds, 1.0) * kwh).sum(axis=0) @ used
    cost = WEIGHTS.cost * scaled(problem.costs, len(amperes)) @ kwh @ used
    room = peak_room_kva(tree, problem)
    highest = (amperes @ tree.loads_of[VA]).max(initial=0.0) / KILO
    peak = 0.0 if room is None else WEIGHTS.peak * max(highest - room, 0.0)
    changed = np.abs(amperes[0] - np.array([demand.present_a for demand in tree.demands])).sum()
    return float(lacking + reserved + cost + peak + WEIGHTS.change * changed)

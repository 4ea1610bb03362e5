"""All of a problem as arrays."""

from dataclasses import dataclass

import numpy as np

from chargebus_smart_charging.allocation.domain.balance import Balance
from chargebus_smart_charging.allocation.domain.blocks import Blocks
from chargebus_smart_charging.allocation.domain.problem import PlanProblem
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Mask, Tree


@dataclass(frozen=True)
class Arrays:
    """A problem, its tree of vehicles, their stays, the blocks of time ahead, and how far phases may be apart.

    Who is `tried` gets at least its least in the first block.
    """

    problem: PlanProblem
    tree: Tree
    stays: Stays
    blocks: Blocks
    balance: Balance
    tried: Mask

    @classmethod
    def of(cls, problem: PlanProblem) -> "Arrays":
        """Return the arrays of a problem."""
        tree = Tree(problem)
        stays = Stays.of(tree, problem)
        blocks = Blocks.of(tree, stays, tree.capacities, problem.costs)
        nobody = np.zeros(tree.size, dtype=bool)
        return cls(problem, tree, stays, blocks, Balance(tree, problem.fixed), nobody)

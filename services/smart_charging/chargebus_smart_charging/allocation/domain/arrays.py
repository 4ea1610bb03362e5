"""All of a problem as arrays."""

from dataclasses import dataclass

from chargebus_smart_charging.allocation.domain.balance import Balance
from chargebus_smart_charging.allocation.domain.blocks import Blocks
from chargebus_smart_charging.allocation.domain.problem import Problem
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Tree


@dataclass(frozen=True)
class Arrays:
    """A problem, its tree of vehicles, their stays, the blocks of time ahead, and how far phases may be apart."""

    problem: Problem
    tree: Tree
    stays: Stays
    blocks: Blocks
    balance: Balance

    @classmethod
    def of(cls, problem: Problem) -> "Arrays":
        """Return the arrays of a problem."""
        tree = Tree(problem)
        stays = Stays.of(tree, problem)
        blocks = Blocks.of(tree, stays, tree.capacities, problem.costs)
        return cls(problem, tree, stays, blocks, Balance(tree, problem.fixed))

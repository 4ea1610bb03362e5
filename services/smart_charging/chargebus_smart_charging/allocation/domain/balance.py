"""How far the phases of a node may be apart, where its site says so."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from chargebus_smart_charging.allocation.domain.problem import PHASES, Fixed
from chargebus_smart_charging.allocation.domain.tree import PAIRS, TOLERANCE, Floats, Tree, fixed_loads

FIRST_PAIR: Final = PHASES + 1
_OPPOSITE: Final = [PAIRS.index((other, one)) for one, other in PAIRS]
_ATTEMPTS: Final = 16


class Balance:
    """Keeps what is planned from taking phases further apart than a node allows.

    What loads one phase and not another may be ahead of what loads the other and not the one by `slack` (pairs x
    nodes). Where what is fixed is further apart than that already, nothing that is planned adds to it.
    """

    def __init__(self, tree: Tree, fixed: Sequence[Fixed]) -> None:
        self.tree = tree
        self.bounded = tree.rows > FIRST_PAIR
        self._fixed = fixed

    @cached_property
    def slack(self) -> Floats:
        """By how much what loads one phase and not another may be ahead of what loads the other: pairs x nodes."""
        tree = self.tree
        most = np.array([np.inf if node.unbalance_a is None else node.unbalance_a for node in tree.nodes])
        load = fixed_loads(tree, self._fixed)
        ahead = np.array([load[one] - load[other] for one, other in PAIRS])
        slack: Floats = np.maximum(most - ahead, 0.0)
        return slack

    def kept(self, capacity: Floats, share: Callable[[Floats], Floats]) -> Floats:
        """Return what `share` gives within the capacity, lowered on phases that would be too far ahead of others.

        A phase is held to what the other one has, again and again, as that may fall as well; in the end a node may have
        no load at all that is not on all of its phases.
        """
        given = share(capacity)
        if not self.bounded:
            return given
        capacity = capacity.copy()
        for attempt in range(_ATTEMPTS):
            loads = self.tree.loads(given)[FIRST_PAIR:]
            allowed = loads[_OPPOSITE] + self.slack
            too_far = loads > allowed + TOLERANCE * 10
            if not too_far.any():
                break
            pairs = capacity[FIRST_PAIR:]
            if attempt < _ATTEMPTS - 1:
                pairs[too_far] = np.minimum(pairs, allowed)[too_far]
            else:
                pairs[:, too_far.any(axis=0)] = 0.0
            given = share(capacity)
        return given

    def allowed(self, amperes: Floats) -> Floats:
        """Return how much may load one phase and not another beside what vehicles have: pairs x nodes."""
        found: Floats = self.tree.loads(amperes)[FIRST_PAIR:][_OPPOSITE] + self.slack
        return found

    def held(self, amperes: Floats) -> "Held":
        """Return what is held on each side of each pair of phases by what is given."""
        slack = self.slack.tolist() if self.bounded else []
        return Held(self.tree.loads(amperes)[FIRST_PAIR:].tolist(), slack)


class Held:
    """What loads one phase and not another, as vehicles get more one by one."""

    def __init__(self, loads: list[list[float]], slack: list[list[float]]) -> None:
        self._loads = loads
        self._slack = slack

    def room_a(self, loads: Sequence[tuple[int, int, float]]) -> float:
        """Return how many amperes more, each of which loads (row, node) by so much, leave the phases near enough."""
        return min(
            (
                (self._loads[_OPPOSITE[pair]][node] + self._slack[pair][node] - self._loads[pair][node]) / load
                for pair, node, load in _pairs(loads)
            ),
            default=math.inf,
        )

    def add(self, loads: Sequence[tuple[int, int, float]], amperes: float) -> None:
        """Count so many amperes more."""
        for pair, node, load in _pairs(loads):
            self._loads[pair][node] += load * amperes


def _pairs(loads: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    return [(row - FIRST_PAIR, node, load) for row, node, load in loads if row >= FIRST_PAIR]

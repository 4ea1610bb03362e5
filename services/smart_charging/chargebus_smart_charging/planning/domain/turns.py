"""Whose turn it is where the least currents of all who wait do not fit at once."""

from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.planning.domain.tree import Floats, Integers, Mask, Tree, near

_MUST, _BEGUN, _URGENT, _IN_TURN, _PAUSED = range(5)
_BETWEEN: Final = 1e-6


class Waiting(msgspec.Struct, frozen=True):
    """For how long vehicles have been charged, or have waited, what they have had, and what they have left.

    `slack_s` is the time that is left if a vehicle waited now and were then charged at its least current until it has
    what it was promised; infinite where nothing is promised.
    """

    charged_s: Floats
    paused_s: Floats
    served_wh: Floats
    slack_s: Floats

    def after(self, charged: Mask, seconds: float, served_wh: Floats) -> "Waiting":
        """Return what is known when some have been charged for so many seconds and the others have waited."""
        return msgspec.structs.replace(
            self,
            charged_s=np.where(charged, self.charged_s + seconds, 0.0),
            paused_s=np.where(charged, 0.0, self.paused_s + seconds),
            served_wh=self.served_wh + served_wh,
        )


class Turns:
    """Who comes before whom.

    First who cannot be given 0, then who has begun to charge a short while ago, then who would miss what was promised
    (the least slack first), then in turn: who waits before who charges, the longest first. Who was put on pause a
    short while ago comes last.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._must = np.array([demand.must_charge for demand in tree.demands], dtype=bool)
        self._least_charge = np.array([demand.least_charge_s for demand in tree.demands])
        self._least_pause = np.array([demand.least_pause_s for demand in tree.demands])

    def order(self, waiting: Waiting) -> Integers:
        """Return the vehicles, those first that come first."""
        weight = self._tree.weight
        charges = waiting.charged_s > 0
        rank = np.full(self._tree.size, _IN_TURN)
        rank[waiting.slack_s < 0] = _URGENT
        rank[(waiting.paused_s > 0) & (waiting.paused_s + _BETWEEN < self._least_pause)] = _PAUSED
        rank[charges & (waiting.charged_s + _BETWEEN < self._least_charge)] = _BEGUN
        rank[self._must] = _MUST
        late = np.where(rank == _URGENT, np.minimum(waiting.slack_s, 0.0) * weight, 0.0)
        turn = np.where(charges, waiting.charged_s / weight, -waiting.paused_s * weight)
        return np.lexsort((waiting.served_wh / weight, turn, charges, late, rank))

    def admitted(self, capacity: Floats, wants: Mask, waiting: Waiting) -> Mask:
        """Return which of those that want to charge can have their least current, at once with all before them."""
        tree = self._tree
        least = np.where(wants, tree.minimum, 0.0)
        over = tree.loads(least) > capacity + near(capacity)
        if not over.any():
            return wants
        room = np.where(over, capacity + near(capacity), np.inf).tolist()
        scarce = over.tolist()
        admitted = wants.copy()
        minimum = tree.minimum.tolist()
        for vehicle in self.order(waiting).tolist():
            if not admitted[vehicle]:
                continue
            loads = [
                (row, node, load * minimum[vehicle]) for row, node, load in tree.rows_of(vehicle) if scarce[row][node]
            ]
            if all(room[row][node] >= load for row, node, load in loads):
                for row, node, load in loads:
                    room[row][node] -= load
            else:
                admitted[vehicle] = False
        return admitted

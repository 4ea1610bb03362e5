"""Whole steps: what rounding down has left over goes to those who have least, a step at a time."""

import heapq

import numpy as np

from chargebus_smart_charging.allocation.domain.balance import Balance
from chargebus_smart_charging.allocation.domain.tree import LEAST_A, TOLERANCE, Floats


def topped_up(balance: Balance, capacity: Floats, given: Floats, most: Floats) -> Floats:
    """Return what is given and, within the capacity, all steps that still fit, the least level first."""
    tree = balance.tree
    step = np.where(given > 0, np.where(tree.step > 0, tree.step, LEAST_A), tree.least)
    could = (given + step <= most + TOLERANCE) & (tree.room_a(capacity - tree.loads(given)) >= step - TOLERANCE)
    if not could.any():
        return given
    filling = _Filling(balance, capacity, given, most)
    vehicles = np.flatnonzero(could).tolist()
    while filling.passed(vehicles) and balance.bounded:
        pass  # what one phase was given lets another one rise
    return np.array(filling.amperes)


class _Filling:
    """The room that is left, as it is given away."""

    def __init__(self, balance: Balance, capacity: Floats, given: Floats, most: Floats) -> None:
        self._tree = balance.tree
        self._held = balance.held(given)
        self._room: list[list[float]] = (capacity - self._tree.loads(given)).tolist()
        self._most: list[float] = most.tolist()
        self.amperes: list[float] = given.tolist()

    def passed(self, vehicles: list[int]) -> bool:
        """Give steps until none fits; says whether any was given."""
        weight = self._tree.weight.tolist()
        waiting = [(self.amperes[vehicle] / weight[vehicle], vehicle) for vehicle in vehicles]
        heapq.heapify(waiting)
        gave = False
        while waiting:
            _, vehicle = heapq.heappop(waiting)
            if self._give(vehicle):
                gave = True
                heapq.heappush(waiting, (self.amperes[vehicle] / weight[vehicle], vehicle))
        return gave

    def _give(self, vehicle: int) -> bool:
        """Give a vehicle its next step, or all that fits if it takes any current."""
        loads = self._tree.rows_of(vehicle)
        room_a = min((self._room[row][node] / load for row, node, load in loads), default=0.0)
        room_a = min(room_a, self._held.room_a(loads), self._most[vehicle] - self.amperes[vehicle])
        least = self._next(vehicle)
        if room_a < least - TOLERANCE:
            return False
        amperes = least if self._tree.step[vehicle] > 0 or not self.amperes[vehicle] else room_a
        self.amperes[vehicle] += amperes
        for row, node, load in loads:
            self._room[row][node] -= load * amperes
        self._held.add(loads, amperes)
        return True

    def _next(self, vehicle: int) -> float:
        """Return by how many amperes a vehicle could be raised at least."""
        if not self.amperes[vehicle]:
            return float(self._tree.least[vehicle])
        return float(self._tree.step[vehicle]) or LEAST_A

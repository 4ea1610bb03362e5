"""What a solver wants without regard to least currents and steps, made into what vehicles can take.

First block by block: what a block cannot give of what is wanted until then is carried on to the next. Then vehicle by
vehicle: each takes the best schedule in what the others leave free.
"""

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.arrays import Arrays
from chargebus_smart_charging.allocation.domain.filling import Rise, fill
from chargebus_smart_charging.allocation.domain.objectives import (
    KILO,
    dearness,
    lacking_weight,
    needs_kwh,
    peak_room_kva,
)
from chargebus_smart_charging.allocation.domain.tree import PAIRS, TOLERANCE, VA, Floats, Integers, near
from chargebus_smart_charging.allocation.domain.turns import admitted

_PASSES: Final = 2
_WORTH_IT: Final = 1e-6
_FIRST_PAIR: Final = VA + 1


def rounded(arrays: Arrays, wanted: Floats, prices: Floats) -> Floats:
    """Return amperes (blocks x vehicles) near those that are wanted, within all bounds: 0, or steps on the least.

    `prices` are what the solver found a kilowatt hour to be worth, with what others would give for the room: blocks x
    vehicles. By them, and not by costs alone, vehicles make room for those who need it more.
    """
    held = _held_to_peak(arrays, wanted)
    return polished(held, _carried_on(held, wanted), prices)


def _held_to_peak(arrays: Arrays, wanted: Floats) -> Arrays:
    """Return the same with no more room at the root than what is wanted takes at most, or was drawn before."""
    tree, blocks = arrays.tree, arrays.blocks
    room_kva = peak_room_kva(tree, arrays.problem)
    if room_kva is None:
        return arrays
    step_va = float((np.maximum(tree.step, 1.0) * tree.loads_of[VA]).max(initial=0.0))
    wanted_va = float((wanted @ tree.loads_of[VA]).max(initial=0.0))
    room_va = max(room_kva * KILO, 0.0)
    highest_va = room_va if wanted_va <= room_va + float(near(np.array(room_va))) else wanted_va + step_va
    capacity = blocks.capacity.copy()
    capacity[:, VA, 0] = np.minimum(capacity[:, VA, 0], highest_va)
    return replace(arrays, blocks=msgspec.structs.replace(blocks, capacity=capacity))


def polished(arrays: Arrays, amperes: Floats, prices: Floats | None = None) -> Floats:
    """Return amperes that vehicles can take made better: each takes the best that fits beside the others."""
    schedules = _Schedules(arrays, amperes)
    if prices is not None:
        schedules.improved(prices)
    costs = dearness(arrays.blocks)
    for _ in range(_PASSES):
        if not schedules.improved(costs):
            break
    return schedules.amperes


def _carried_on(arrays: Arrays, wanted: Floats) -> Floats:
    """Return block by block what is wanted and what blocks before could not give, as far as it fits."""
    tree, blocks = arrays.tree, arrays.blocks
    due_as = np.zeros(tree.size)
    found = np.zeros(wanted.shape)
    for block, seconds in enumerate(blocks.seconds):
        due_as = due_as + wanted[block] * seconds
        want = np.where(seconds > 0, np.minimum(due_as / np.maximum(seconds, 1.0), tree.maximum), 0.0)
        want = np.where(want >= tree.minimum / 2, np.clip(want, np.minimum(tree.minimum, tree.maximum), None), 0.0)
        tried = arrays.tried & (block == 0) & (want > 0)
        turn = _Turn(arrays, want, np.lexsort((-due_as, ~tried)))
        found[block] = arrays.balance.kept(blocks.capacity[block], turn.share)
        due_as = due_as - found[block] * seconds
    return found


class _Turn:
    """What is wanted in one block, and who comes first where not all least currents fit."""

    def __init__(self, arrays: Arrays, want: Floats, order: Integers) -> None:
        self._tree = arrays.tree
        self._want = want
        self._order = order

    def share(self, capacity: Floats) -> Floats:
        """Return what each gets within the capacity: of what it wants, all the same share above the least."""
        tree = self._tree
        charged = admitted(tree, capacity, np.where(self._want > 0, tree.least, 0.0), lambda: self._order)
        low = np.where(charged, tree.minimum, 0.0)
        high = np.where(charged, self._want, 0.0)
        pace = np.maximum(high - low, TOLERANCE)
        return tree.stepped(fill(tree, capacity, Rise(low, high, pace, -low / pace)))


class _Schedules:
    """The schedules of all vehicles, blocks x vehicles, and what they put on each row of each node."""

    def __init__(self, arrays: Arrays, amperes: Floats) -> None:
        self.amperes = amperes
        self._tree = arrays.tree
        self._balance = arrays.balance
        self._tried = arrays.tried
        capacity = arrays.blocks.capacity
        self._room = capacity + near(capacity) - np.array([arrays.tree.loads(each) for each in amperes])
        self._ahead = np.array([arrays.tree.loads(each)[_FIRST_PAIR:] for each in amperes])
        self._need = needs_kwh(arrays.tree, arrays.stays).tolist()
        self._lacking = lacking_weight(arrays.stays).tolist()
        self._kwh = arrays.blocks.seconds * arrays.tree.wh_per_ampere_s / KILO
        self._soonest = np.lexsort((arrays.stays.until_s, ~arrays.stays.promised)).tolist()
        self._rows = [self._rows_of(vehicle) for vehicle in range(self._tree.size)]

    def improved(self, prices: Floats) -> bool:
        """Let each vehicle take the best schedule that fits beside the others'; says whether any did.

        What a kilowatt hour costs is given for each block and vehicle.
        """
        self._prices = prices
        self._orders = np.argsort(prices, axis=0, kind="stable")
        found = False
        for vehicle in self._soonest:
            if self._need[vehicle] > 0 and self._better(vehicle):
                found = True
        return found

    def _better(self, vehicle: int) -> bool:
        has = self.amperes[:, vehicle].copy()
        could = np.maximum(self._could(vehicle, has), has)
        # Where phases have to keep together, what one has may be what allows another one to have more.
        base = has.copy() if self._balance.bounded else np.zeros(len(has))
        if self._tried[vehicle]:
            base[0] = max(base[0], min(float(self._tree.minimum[vehicle]), float(has[0])))
        best = self._best(vehicle, base, could)
        if self._burden(vehicle, best) >= self._burden(vehicle, has) - _WORTH_IT:
            return False
        self._take(vehicle, best - has)
        self.amperes[:, vehicle] = best
        return True

    def _could(self, vehicle: int, has: Floats) -> Floats:
        """Return the most that a vehicle could have in each block."""
        rows, nodes, loads = self._rows[vehicle]
        room = (self._room[:, rows, nodes] / loads).min(axis=1)
        if self._balance.bounded:
            room = np.minimum(room, self._apart(vehicle))
        most = np.minimum(room + has, self._tree.maximum[vehicle])
        return np.where(self._kwh[:, vehicle] > 0, self._steps(vehicle, most), 0.0)

    def _steps(self, vehicle: int, amperes: Floats) -> Floats:
        """Return the next smaller amperes that a vehicle can take."""
        minimum, step = float(self._tree.minimum[vehicle]), float(self._tree.step[vehicle])
        above = amperes - minimum
        whole = np.floor(above / step + TOLERANCE) * step if step else above
        return np.where(above >= -TOLERANCE, minimum + np.maximum(whole, 0.0), 0.0)

    def _best(self, vehicle: int, base: Floats, could: Floats) -> Floats:
        """Return the cheapest way from a base to what a vehicle needs, or to all that it could have."""
        kwh = self._kwh[:, vehicle]
        order = self._orders[:, vehicle]
        lacking = self._need[vehicle] - float(kwh @ base)
        gains = np.cumsum((kwh * (could - base))[order])
        whole = int(np.searchsorted(gains, lacking - _WORTH_IT)) if lacking > _WORTH_IT else 0
        best = base.copy()
        best[order[:whole]] = could[order[:whole]]
        if whole < len(order) and lacking > _WORTH_IT:
            last = order[whole]
            rest = lacking - (float(gains[whole - 1]) if whole else 0.0)
            best[last] = min(self._at_least(vehicle, float(base[last] + rest / kwh[last])), float(could[last]))
            self._trim(vehicle, best, order[:whole], base)
        return best

    def _trim(self, vehicle: int, best: Floats, used: Integers, base: Floats) -> None:
        """Take what is too much, for least currents and steps, off the dearest blocks."""
        kwh = self._kwh[:, vehicle]
        excess = float(kwh @ best) - self._need[vehicle]
        for block in reversed(used.tolist()):
            if excess <= _WORTH_IT:
                return
            if best[block] > base[block] and kwh[block] > 0:
                less = max(float(best[block] - excess / kwh[block]), float(base[block]))
                less = min(self._at_least(vehicle, less), float(best[block]))
                excess -= float(kwh[block] * (best[block] - less))
                best[block] = less

    def _at_least(self, vehicle: int, amperes: float) -> float:
        """Return the next larger amperes that a vehicle can take."""
        minimum, step = float(self._tree.minimum[vehicle]), float(self._tree.step[vehicle])
        above = max(amperes - minimum, 0.0)
        return minimum + (float(np.ceil(above / step - TOLERANCE)) * step if step else above)

    def _burden(self, vehicle: int, amperes: Floats) -> float:
        kwh = self._kwh[:, vehicle] * amperes
        given = float(kwh.sum())
        need = self._need[vehicle]
        cost = float(kwh @ self._prices[:, vehicle]) * min(1.0, need / given if given else 1.0)
        return float(self._lacking[vehicle] * max(need - given, 0.0) + cost)

    def _take(self, vehicle: int, more: Floats) -> None:
        rows, nodes, loads = self._rows[vehicle]
        self._room[:, rows, nodes] -= more[:, None] * loads
        if self._balance.bounded:
            for row, node, load in self._tree.rows_of(vehicle):
                if row >= _FIRST_PAIR:
                    self._ahead[:, row - _FIRST_PAIR, node] += load * more

    def _apart(self, vehicle: int) -> Floats:
        """Return how many amperes more leave phases near enough."""
        found = np.full(len(self.amperes), np.inf)
        for row, node, load in self._tree.rows_of(vehicle):
            if row >= _FIRST_PAIR:
                pair = row - _FIRST_PAIR
                one, other = PAIRS[pair]
                behind = self._ahead[:, PAIRS.index((other, one)), node]
                room = behind + self._balance.slack[pair, node] - self._ahead[:, pair, node]
                np.minimum(found, room / load, out=found)
        return found

    def _rows_of(self, vehicle: int) -> tuple[Integers, Integers, Floats]:
        rows, nodes, loads = zip(*(each for each in self._tree.rows_of(vehicle) if each[0] < _FIRST_PAIR), strict=True)
        return np.array(rows, dtype=np.intp), np.array(nodes, dtype=np.intp), np.array(loads)

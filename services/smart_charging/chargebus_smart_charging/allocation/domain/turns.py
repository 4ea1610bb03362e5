"""Whose turn it is where the least currents of all who wait do not fit at once."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.tree import Floats, Integers, Mask, Tree, near

_MUST, _BEGUN, _UNTRIED, _URGENT, _IN_TURN, _PAUSED = range(6)
_BETWEEN: Final = 1e-6
_NOTHING_WH: Final = 1.0


class Waiting(msgspec.Struct, frozen=True):
    """For how long vehicles have been charged, or have waited, what they have had, and what they have left.

    `slack_s` is the time that is left if a vehicle waits now and is then charged at its most until it has what it is
    promised, `least_slack_s` if it is charged at its least; infinite where nothing is promised. Who is `late` will not
    have it even if it is charged at its most from now on.
    """

    charged_s: Floats
    paused_s: Floats
    served_wh: Floats
    slack_s: Floats
    least_slack_s: Floats
    late: Mask

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
    (untried ones, then the least slack first), then in turn: who waits before who charges, the longest first. Who was
    put on pause a short while ago comes last.

    An untried vehicle takes room on all phases that it may use, and lets others have the rest once it has shown which
    these are: tried at once for a short while, it is soon served beside them rather than after them.

    Where only those who have begun a short while ago stand in the way of whose turn it is, nobody else begins in its
    room: they will have charged for long enough, and it needs room for all of its least at once.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._must = np.array([demand.must_charge for demand in tree.demands], dtype=bool)
        self._untried = np.array([demand.untried for demand in tree.demands], dtype=bool)
        self._least_charge = np.array([demand.least_charge_s for demand in tree.demands])
        self._least_pause = np.array([demand.least_pause_s for demand in tree.demands])

    def order(self, waiting: Waiting) -> Integers:
        """Return the vehicles, those first that come first."""
        weight = self._tree.weight
        charges = waiting.charged_s > 0
        rank = self._ranks(waiting)
        late = np.where(rank == _URGENT, waiting.slack_s, 0.0)
        late = np.where(late < 0, late * weight, late / weight)
        turn = np.where(charges, waiting.charged_s / weight, -waiting.paused_s * weight)
        return np.lexsort((waiting.served_wh / weight, turn, charges, late, rank))

    def _ranks(self, waiting: Waiting) -> Integers:
        charges = waiting.charged_s > 0
        rank = np.full(self._tree.size, _IN_TURN)
        rank[waiting.least_slack_s < 0] = _URGENT
        rank[self._untried & (waiting.served_wh < _NOTHING_WH) & (waiting.least_slack_s < 0)] = _UNTRIED
        rank[(waiting.paused_s > 0) & (waiting.paused_s + _BETWEEN < self._least_pause)] = _PAUSED
        rank[charges & (waiting.charged_s + _BETWEEN < self._least_charge)] = _BEGUN
        rank[self._must] = _MUST
        return rank

    def admitted(self, capacity: Floats, wants: Floats, waiting: Waiting) -> Mask:
        """Return who may charge of those that want so much: at once with all who come before them.

        Who is urgent counts with what it wants, others with their least; so does who will be late anyway, which is no
        reason for others to be late as well.
        """
        ranks = self._ranks(waiting)
        urgent = ranks == _URGENT
        counted = np.where(wants > 0, np.where(urgent & ~waiting.late, wants, self._tree.least), 0.0)
        begins = waiting.charged_s <= 0
        queue = Queue(begins, begins & (urgent | (ranks == _UNTRIED) | (ranks == _IN_TURN)), ranks == _BEGUN)
        return admitted(self._tree, capacity, counted, lambda: self.order(waiting), queue)


class Queue(msgspec.Struct, frozen=True):
    """Of those in an order: who would begin to charge, whose turn it is of them, and who makes room before long."""

    begins: Mask
    in_turn: Mask
    begun: Mask


def admitted(
    tree: Tree, capacity: Floats, counted: Floats, order: Callable[[], Integers], queue: Queue | None = None
) -> Mask:
    """Return who can have what it is counted with, or at least its least, one after the other in an order.

    For the first in a queue whose turn it is, but for whom others must make room, room is kept: who comes later only
    begins beside that.
    """
    wants = counted > 0
    enough = capacity + near(capacity)
    over = tree.loads(counted) > enough
    if not over.any():
        return wants
    scarce = np.argwhere(over)
    members = [tree.members[row, node] for row, node in scarce.tolist()]
    place = np.repeat(np.arange(len(scarce)), [len(each) for each in members])
    vehicle = np.concatenate(members)
    by_vehicle = np.argsort(vehicle, kind="stable")
    ends = np.cumsum(np.bincount(vehicle, minlength=tree.size)).tolist()
    places = place[by_vehicle].tolist()
    loads = tree.loads_of[scarce[:, 0][place], vehicle][by_vehicle].tolist()
    room = enough[scarce[:, 0], scarce[:, 1]].tolist()
    minimum, most = tree.minimum.tolist(), counted.tolist()
    kept = _Kept(queue, tree.size, len(room))
    found = wants.copy()
    touched = wants & (np.bincount(vehicle, minlength=tree.size) > 0)
    candidates = order()
    full = set()  # of those who are alike, who comes later finds no more room
    for each in candidates[touched[candidates]].tolist():
        if tree.alike[each] in full:
            found[each] = False
            continue
        begin, end = ends[each - 1] if each else 0, ends[each]
        others = kept.beside(each)
        amperes = most[each]
        for entry in range(begin, end):
            fits = (room[places[entry]] - others[places[entry]]) / loads[entry]
            amperes = min(amperes, fits)
        if amperes >= minimum[each]:
            for entry in range(begin, end):
                room[places[entry]] -= loads[entry] * amperes
                kept.take(each, places[entry], loads[entry] * amperes)
            continue
        found[each] = False
        if others is not kept.load:
            full.add(tree.alike[each])
        kept.keep(each, [(places[entry], loads[entry] * minimum[each]) for entry in range(begin, end)], room)
    return found


class _Kept:
    """What is kept of the room for the first whose turn it is, and whom those who have begun leave too little."""

    def __init__(self, queue: Queue | None, vehicles: int, rooms: int) -> None:
        nobody = [False] * vehicles
        self._begins = nobody if queue is None else queue.begins.tolist()
        self._in_turn = nobody if queue is None else queue.in_turn.tolist()
        self._begun = nobody if queue is None else queue.begun.tolist()
        self._nothing = [0.0] * rooms
        self._returns = [0.0] * rooms
        self.load: list[float] | None = None

    def beside(self, vehicle: int) -> list[float]:
        """Return what a vehicle has to leave in each room: one that charges already leaves it when it is asked to."""
        return self.load if self.load is not None and self._begins[vehicle] else self._nothing

    def take(self, vehicle: int, room: int, load: float) -> None:
        """Note what a vehicle takes of a room: it comes back from one that has begun."""
        if self._begun[vehicle]:
            self._returns[room] += load

    def keep(self, vehicle: int, least: Sequence[tuple[int, float]], left: Sequence[float]) -> None:
        """Keep its least for a vehicle that found too little, if that is to be had."""
        if self.load is not None or not self._in_turn[vehicle]:
            return
        if all(left[room] + self._returns[room] >= load for room, load in least):
            self.load = list(self._nothing)
            for room, load in least:
                self.load[room] = load

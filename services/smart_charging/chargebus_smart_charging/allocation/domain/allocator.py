"""The fast allocator: shares what there is, interval by interval, without a solver; it always has an answer.

In each interval: who may charge at all (turns, where the least currents do not fit), then what is promised by
departure, the least slack first where not all can be met, then what is left, max-min fair by weight.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.balance import Balance
from chargebus_smart_charging.allocation.domain.filling import Rise, fill
from chargebus_smart_charging.allocation.domain.plans import DECIMALS, overloads, planned
from chargebus_smart_charging.allocation.domain.plenty import Plenty
from chargebus_smart_charging.allocation.domain.problem import ENOUGH_WH, Plan, PlanProblem
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.steps import topped_up
from chargebus_smart_charging.allocation.domain.tree import TOLERANCE, Floats, Integers, Tree, near, planted
from chargebus_smart_charging.allocation.domain.turns import Turns, Waiting
from chargebus_smart_charging.sites.domain.site import EvseKey

_FINE: Final = 4
"""So many intervals are planned one by one, those after them in at most as many pieces as `_COARSE`."""
_COARSE: Final = 10


def allocate(problem: PlanProblem, tree: Tree | None = None) -> Plan:
    """Return a plan that keeps every bound on every phase in every interval.

    In its first interval nobody is below what it wishes who could have its next step. What is more than some intervals
    ahead is planned in longer pieces, each bounded by the least that any of its intervals has. `tree` is the problem's,
    where it is there already.
    """
    return Allocated(problem, None if tree is None else lambda: tree).plan


def shared(problem: PlanProblem, tree: Tree, stays: Stays) -> Floats:
    """Return the amperes of an allocated plan: intervals x vehicles, in the tree's order."""
    return _Shared(problem, tree, stays).whole


class Allocated:
    """An allocated plan, reckoned as far ahead as somebody asks: of most decisions only the first interval matters."""

    def __init__(self, problem: PlanProblem, tree: Callable[[], Tree] | None = None, fallback: str = "") -> None:
        self._problem = problem
        self._tree = tree or planted(problem)
        self._fallback = fallback
        self._plenty = Plenty(problem)
        self._rows: dict[int, list[float]] = {}

    @cached_property
    def first_a(self) -> dict[EvseKey, float]:
        """What each vehicle gets in the first interval."""
        most_a = self._plenty.most_a()
        return most_a if most_a is not None else dict(zip(self._place, self._amperes(0), strict=True))

    def limit_a(self, key: EvseKey, interval: int) -> float | None:
        """Return what a vehicle gets in an interval; None: it is not planned."""
        place = self._place.get(key)
        return None if place is None else self._amperes(interval)[place]

    @cached_property
    def plan(self) -> Plan:
        """The plan to its end, with its reasons."""
        if not self._problem.demands:
            return Plan("allocator", (), self._fallback, overloads(self._problem))
        shared = self._shared
        plan = planned(self._problem, shared.tree, shared.stays, shared.whole, "allocator")
        return msgspec.structs.replace(plan, fallback=self._fallback) if self._fallback else plan

    @cached_property
    def _place(self) -> dict[EvseKey, int]:
        """The place of each vehicle in the tree."""
        if not self._problem.demands:
            return {}
        return {demand.key: place for place, demand in enumerate(self._shared.tree.demands)}

    def _amperes(self, interval: int) -> list[float]:
        """Return what each vehicle gets in an interval, in the tree's order."""
        known = self._rows.get(interval)
        if known is None:
            shared = self._shared
            given = np.round(shared.piece(shared.piece_of[interval]), DECIMALS)
            known = self._rows[interval] = np.where(shared.stays.seconds[interval] > 0, given, 0.0).tolist()
        return known

    @cached_property
    def _shared(self) -> "_Shared":
        tree = self._tree()
        return _Shared(self._problem, tree, Stays.of(tree, self._problem))


class _Shared:
    """What each vehicle of a tree gets, piece by piece of the time ahead."""

    def __init__(self, problem: PlanProblem, tree: Tree, stays: Stays) -> None:
        self.tree = tree
        self.stays = stays
        self._starts = _pieces(len(stays.lengths_s))
        room = np.maximum(np.minimum.reduceat(tree.capacities, self._starts, axis=0), 0.0)
        lengths_s = np.add.reduceat(stays.lengths_s, self._starts)
        self._coming = _Sharing(tree, stays, problem).given(room, lengths_s)
        self._known: list[Floats] = []

    @cached_property
    def piece_of(self) -> list[int]:
        """In which piece each interval lies; the first one is a piece of its own."""
        lengths = np.diff(self._starts, append=len(self.stays.lengths_s))
        found: list[int] = np.repeat(np.arange(len(self._starts)), lengths).tolist()
        return found

    def piece(self, number: int) -> Floats:
        """Return what each gets in a piece."""
        while len(self._known) <= number:
            self._known.append(next(self._coming))
        return self._known[number]

    @cached_property
    def whole(self) -> Floats:
        """What each gets in each interval: intervals x vehicles."""
        self._known.extend(self._coming)
        return np.where(self.stays.seconds > 0, np.array(self._known)[self.piece_of], 0.0)


class _Free(msgspec.Struct, frozen=True):
    """What vehicles would get if nothing bounded them together, all pieces x vehicles.

    Attributes:
        stays_s: for how long each is there.
        left_wh: what each still needs before.
        most: what each gets.
    """

    stays_s: Floats
    left_wh: Floats
    most: Floats


class _Sharing:
    """What is known of the vehicles, carried from piece to piece."""

    def __init__(self, tree: Tree, stays: Stays, problem: PlanProblem) -> None:
        self._tree = tree
        self._stays = stays
        self._left_wh = stays.energy_wh
        self._passed_s = 0.0
        self._must = np.array([d.must_charge for d in tree.demands], dtype=bool) & (tree.maximum > 0)
        self._turns = Turns(tree)
        self._balance = Balance(tree, problem.fixed)
        self._waiting = Waiting(
            charged_s=np.array([d.charged_s or float(d.present_a > 0) for d in tree.demands]),
            paused_s=np.array([d.paused_s for d in tree.demands]),
            served_wh=np.array([d.served_wh for d in tree.demands]),
            slack_s=np.full(tree.size, np.inf),
            least_slack_s=np.full(tree.size, np.inf),
            late=np.zeros(tree.size, dtype=bool),
        )

    def given(self, room: Floats, lengths_s: Floats) -> Iterator[Floats]:
        """Yield the amperes in each piece, by its room (pieces x rows x nodes) and length."""
        enough = room + near(room)
        piece, seconds = 0, lengths_s.tolist()
        while piece < len(seconds):
            free = self._freely(lengths_s[piece:])
            short = piece + self._first_short(free, enough[piece:])
            yield from free.most[: short - piece]
            if short == len(seconds):
                return
            for place in range(short - piece):
                self._pass(free, place, free.most[place], seconds[piece + place])
            given = self._scarce(room[short], free.most[short - piece], seconds[short])
            yield given
            self._pass(free, short - piece, given, seconds[short])
            piece = short + 1

    def _freely(self, lengths_s: Floats) -> _Free:
        """Return what each would get if it were alone: its most, until it has what it needs.

        At first that is really its most; later no more than is of use on average, as who is nearly done needs less.
        """
        tree = self._tree
        begins_s = self._passed_s + np.cumsum(lengths_s) - lengths_s
        stays_s = np.minimum(np.maximum(self._stays.until_s - begins_s[:, None], 0.0), lengths_s[:, None])
        most_wh = tree.maximum * tree.wh_per_ampere_s * stays_s
        left_wh = np.maximum(self._left_wh - (np.cumsum(most_wh, axis=0) - most_wh), 0.0)
        wants = (stays_s > TOLERANCE) & (left_wh > ENOUGH_WH) & (tree.maximum > 0)
        most = tree.stepped_up(left_wh / (tree.wh_per_ampere_s * np.maximum(stays_s, TOLERANCE)))
        if not self._passed_s:
            most[0] = tree.maximum
        most = np.where(wants, most, 0.0)
        return _Free(
            stays_s, left_wh, np.where((stays_s > TOLERANCE) & self._must, np.maximum(most, tree.minimum), most)
        )

    def _first_short(self, free: _Free, enough: Floats) -> int:
        """Return the first piece in which not all can have their most."""
        if self._balance.bounded:
            short = np.flatnonzero(free.most.any(axis=1))
        else:
            short = np.flatnonzero((self._tree.loads_each(free.most) > enough).any(axis=(1, 2)))
        return int(short[0]) if len(short) else len(free.most)

    def _pass(self, free: _Free, place: int, amperes: Floats, seconds: float) -> None:
        """Let a piece go by in which each has got so many amperes."""
        left_wh = free.left_wh[place]
        served_wh = np.minimum(amperes * self._tree.wh_per_ampere_s * free.stays_s[place], left_wh)
        self._left_wh = left_wh - served_wh
        self._waiting = self._waiting.after(amperes > 0, seconds, served_wh)
        self._passed_s += seconds

    def _scarce(self, capacity: Floats, most: Floats, seconds: float) -> Floats:
        """Return what each gets where not all can have their most."""
        if not self._balance.bounded and np.count_nonzero(most) == 1:
            room_a = self._tree.room_a(capacity + near(capacity))
            return self._tree.stepped(np.minimum(most, room_a))
        surely = self._tree.sure_wh_per_ampere_s
        slack_s = self._slack_s(self._tree.maximum, seconds, surely)
        waiting = msgspec.structs.replace(
            self._waiting,
            slack_s=slack_s,
            late=slack_s + seconds < -TOLERANCE,
            least_slack_s=self._slack_s(self._tree.minimum, seconds, surely),
        )
        amperes = self._balance.kept(capacity, lambda room: self._share(room, most, waiting, seconds))
        return amperes if self._passed_s else topped_up(self._balance, capacity, amperes, most)

    def _share(self, capacity: Floats, most: Floats, waiting: Waiting, seconds: float) -> Floats:
        """Return what each gets within the capacity, in whole steps."""
        tree = self._tree
        need = np.maximum(tree.stepped_up(self._evenly(seconds)), tree.least)
        need = np.where(most > 0, np.minimum(need, most), 0.0)
        admitted = self._turns.admitted(capacity, need, waiting)
        low = np.where(admitted, tree.minimum, 0.0)
        high = np.where(admitted, most, 0.0)
        promised = self._promised(capacity, low, np.where(admitted, need, 0.0), seconds)
        fair = Rise(promised, high, tree.weight, np.zeros(tree.size))
        return tree.stepped(fill(tree, capacity, fair))

    def _promised(self, capacity: Floats, low: Floats, need: Floats, seconds: float) -> Floats:
        """Return what each must have now so that, given evenly, it has what is promised when it leaves.

        Where not all can have that, those with the least slack come first: the slack that is left after the interval
        rises from the lowest up, until the rows are full.
        """
        tree = self._tree
        if (tree.loads(need) <= capacity + near(capacity)).all():
            return need
        slack_s = self._slack_s(tree.maximum, seconds, tree.wh_per_ampere_s)
        pace = np.maximum(tree.maximum, 1.0) / seconds * tree.weight
        return fill(tree, capacity, Rise(low, need, pace, np.where(self._stays.promised, slack_s, 0.0)))

    def _evenly(self, seconds: float) -> Floats:
        """Return the amperes by which a vehicle has what it is promised just when it leaves."""
        left_s = np.maximum(self._stays.until_s - self._passed_s, seconds)
        promised_wh = np.where(self._stays.promised, self._left_wh, 0.0)
        return promised_wh / (self._tree.wh_per_ampere_s * left_s)

    def _slack_s(self, at: Floats, seconds: float, wh_per_ampere_s: Floats) -> Floats:
        return self._stays.slack_s(self._left_wh, wh_per_ampere_s * np.maximum(at, 1.0), self._passed_s + seconds)


def _pieces(intervals: int) -> Integers:
    """Return the first interval of each piece."""
    fine = min(intervals, _FINE)
    length = max(1, -(-(intervals - fine) // _COARSE))
    return np.array([*range(fine), *range(fine, intervals, length)], dtype=np.intp)

"""A plan as a linear program: the amperes of each vehicle in each block, what it lacks, the peak, what changes now.

Its arrays are what a solver takes: minimise `cost` x with x between `low` and `high`, and rows between theirs.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.arrays import Arrays
from chargebus_smart_charging.allocation.domain.blocks import Blocks
from chargebus_smart_charging.allocation.domain.objectives import (
    KILO,
    WEIGHTS,
    dearness,
    lacking_weight,
    needs_kwh,
    peak_room_kva,
)
from chargebus_smart_charging.allocation.domain.tree import PAIRS, TOLERANCE, VA, Floats, Integers, Mask, near

_SHARES: Final = 4
"""What a vehicle lacks is measured in so many parts, each a little worse than the one before."""
_FIRST_PAIR: Final = VA + 1


class Rows(msgspec.Struct, frozen=True):
    """Rows of a sparse matrix: how many entries each has, their columns and values, and their least and most."""

    counts: Integers
    columns: Integers
    values: Floats
    low: Floats
    high: Floats

    @classmethod
    def joined(cls, parts: Iterable["Rows"]) -> "Rows":
        """Return rows one after the other."""
        fields = ("counts", "columns", "values", "low", "high")
        known = tuple(parts)
        return cls(*(np.concatenate([getattr(part, field) for part in known]) for field in fields))

    @classmethod
    def one(cls, columns: Integers, values: Floats, high: float) -> "Rows":
        """Return a row that is bounded above."""
        return cls(np.array([len(columns)]), columns, values, np.array([-np.inf]), np.array([high]))


class Program(msgspec.Struct, frozen=True):
    """The columns begin with the amperes of `vehicle` in `block`, 0 or from `least` to `high`, and never below `low`.

    Where `whole`, they are whole multiples of `unit`; one ampere gives so many `kwh`. The rows begin with what each
    vehicle needs.
    """

    block: Integers
    vehicle: Integers
    low: Floats
    least: Floats
    unit: Floats
    whole: Mask
    kwh: Floats
    cost: Floats
    high: Floats
    rows: Rows

    def amperes(self, solution: Floats, blocks: Blocks) -> Floats:
        """Return the amperes of a solution: blocks x vehicles."""
        found = np.zeros(blocks.seconds.shape)
        found[self.block, self.vehicle] = solution[: len(self.block)]
        return found

    def prices(self, reduced: Floats, worth: Floats, blocks: Blocks) -> Floats:
        """Return what a kilowatt hour costs with what room is worth to others: blocks x vehicles; 0 where it is none.

        It follows from the columns' reduced costs and from what energy is worth to each vehicle: the first rows' duals.
        """
        found = np.zeros(blocks.seconds.shape)
        found[self.block, self.vehicle] = reduced[: len(self.block)] / self.kwh + worth[self.vehicle]
        return found


def program(arrays: Arrays) -> Program:
    """Return the linear program of a problem; least currents and steps are not part of it."""
    return _Program(arrays).made()


class _Program:
    def __init__(self, arrays: Arrays) -> None:
        tree, stays, blocks = arrays.tree, arrays.stays, arrays.blocks
        self._tree = tree
        self._blocks = blocks
        self._need = needs_kwh(tree, stays)
        self._lacking = lacking_weight(stays)
        self._there: Mask = (blocks.seconds > 0) & (tree.maximum > 0) & (self._need > 0)
        self._block, self._vehicle = np.nonzero(self._there)
        self._size = len(self._block)
        self._column = np.full(self._there.shape, -1, dtype=np.intp)
        self._column[self._block, self._vehicle] = np.arange(self._size)
        self._room_kva = peak_room_kva(tree, arrays.problem)
        self._balance = arrays.balance
        self._tried = arrays.tried
        self._present = np.array([demand.present_a for demand in tree.demands], dtype=np.float64)

    @property
    def _peak(self) -> int:
        """The column of the peak."""
        return self._size + _SHARES * self._tree.size

    def made(self) -> Program:
        tree, blocks = self._tree, self._blocks
        kwh = self._kwh()
        shares = [self._lacking * (1 + WEIGHTS.unfair * share * tree.weight) for share in range(_SHARES)]
        steps = tree.minimum / np.where(tree.step > 0, tree.step, 1.0)
        whole = ((tree.step > 0) & (np.abs(steps - np.round(steps)) < TOLERANCE))[self._vehicle]
        changing = self._column[0][self._there[0]]
        return Program(
            block=self._block,
            vehicle=self._vehicle,
            low=np.where((self._block == 0) & self._tried[self._vehicle], tree.minimum[self._vehicle], 0.0),
            least=tree.minimum[self._vehicle],
            unit=np.where(whole, tree.step[self._vehicle], 1.0),
            whole=whole,
            kwh=kwh,
            cost=np.concatenate(
                (
                    kwh * dearness(blocks)[self._block, self._vehicle],
                    *shares,
                    [WEIGHTS.peak],
                    np.full(len(changing), WEIGHTS.change),
                )
            ),
            high=np.concatenate(
                (
                    tree.maximum[self._vehicle],
                    np.tile(self._need / _SHARES, _SHARES),
                    [np.inf],
                    np.full(len(changing), np.inf),
                )
            ),
            rows=Rows.joined((self._energy(kwh), *self._bounds(), *self._peaks(), self._changes(changing))),
        )

    def _kwh(self) -> Floats:
        """Return what one ampere gives, for each vehicle and block."""
        return self._tree.wh_per_ampere_s[self._vehicle] * self._blocks.seconds[self._block, self._vehicle] / KILO

    def _energy(self, kwh: Floats) -> Rows:
        """Return for each vehicle: what it is given and what it lacks is at least what it needs."""
        size = self._tree.size
        lacks = self._size + np.arange(_SHARES * size)
        row = np.concatenate((self._vehicle, np.tile(np.arange(size), _SHARES)))
        order = np.argsort(row, kind="stable")
        return Rows(
            counts=np.bincount(row, minlength=size),
            columns=np.concatenate((np.arange(self._size), lacks))[order],
            values=np.concatenate((kwh, np.ones(_SHARES * size)))[order],
            low=self._need,
            high=np.full(size, np.inf),
        )

    def _bounds(self) -> Iterable[Rows]:
        """Return for each block the rows of nodes that could be full, each once if phases are loaded alike."""
        tree = self._tree
        for block, capacity in enumerate(self._blocks.capacity):
            most = np.where(self._there[block], tree.maximum, 0.0)
            known = set()
            for row, node in np.argwhere(tree.loads(most) > capacity + near(capacity)).tolist():
                columns, loads = self._loads(block, row, node)
                scale = loads.max(initial=1.0)
                bound = float(capacity[row, node] / scale)
                if (columns.tobytes(), bound) not in known:
                    known.add((columns.tobytes(), bound))
                    yield Rows.one(columns, loads / scale, bound)
            if self._balance.bounded:
                yield from self._apart(block)

    def _apart(self, block: int) -> Iterable[Rows]:
        """Return the rows that keep phases from being too far apart."""
        for pair, (one, other) in enumerate(PAIRS):
            for node, slack in enumerate(self._balance.slack[pair].tolist()):
                if not np.isfinite(slack):
                    continue
                ahead, loads = self._loads(block, _FIRST_PAIR + pair, node)
                behind, counter = self._loads(block, _FIRST_PAIR + PAIRS.index((other, one)), node)
                if len(ahead):
                    yield Rows.one(np.concatenate((ahead, behind)), np.concatenate((loads, -counter)), slack)

    def _peaks(self) -> Iterable[Rows]:
        """Return for each block: the root draws no more than it ever did, and the peak on top of that."""
        if self._room_kva is None:
            return
        for block in range(len(self._blocks.first)):
            columns, loads = self._loads(block, VA, 0)
            yield Rows.one(np.append(columns, self._peak), np.append(loads / KILO, -1.0), self._room_kva)

    def _changes(self, changing: Integers) -> Rows:
        """Return for each vehicle that charges now: what it gets is no further from what it has than the change."""
        present = self._present[self._vehicle[changing]]
        change = self._peak + 1 + np.arange(len(changing))
        columns = np.column_stack((changing, change)).ravel()
        more = np.tile([1.0, -1.0], len(changing))
        less = np.tile([-1.0, -1.0], len(changing))
        return Rows(
            counts=np.full(2 * len(changing), 2),
            columns=np.concatenate((columns, columns)),
            values=np.concatenate((more, less)),
            low=np.full(2 * len(changing), -np.inf),
            high=np.concatenate((present, -present)),
        )

    def _loads(self, block: int, row: int, node: int) -> tuple[Integers, Floats]:
        """Return the columns of a block that load a row of a node, and by how much."""
        members = self._tree.members[row, node]
        members = members[self._there[block, members]]
        return self._column[block, members], self._tree.loads_of[row, members]

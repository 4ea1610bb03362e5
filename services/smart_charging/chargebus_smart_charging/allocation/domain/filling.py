"""Water-filling: what each gets rises at its own pace, until a row of a node above it is full.

The result is max-min fair: nobody can be given more but at the cost of one who has as little, measured by the level
at which they stand. All rows' levels are found at once; a row whose members no other row holds lower is settled.
"""

from typing import Final

import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.tree import TOLERANCE, Floats, Integers, Mask, Tree, near

_ATTEMPTS: Final = 64
_HALVED_EACH: Final = 8


class Rise(msgspec.Struct, frozen=True):
    """What a vehicle gets at a level: `slope` x (level - `offset`), but not below `low` or above `high`."""

    low: Floats
    high: Floats
    slope: Floats
    offset: Floats


class _Rows(msgspec.Struct, frozen=True):
    """The rows that could be full, and all (row, vehicle) of them: `vehicle`, and `row` as a place among the rows."""

    room: Floats
    starts: Integers
    row: Integers
    vehicle: Integers
    load: Floats


def fill(tree: Tree, capacity: Floats, rise: Rise) -> Floats:
    """Return the amperes of each vehicle, within the capacity (rows x nodes) but for what is `low`: all have that."""
    low, high = rise.low, np.maximum(rise.low, rise.high)
    capacity = np.maximum(capacity, tree.loads(low))
    for _ in range(tree.size):  # somebody settles each time
        rows = _that_could_be_full(tree, capacity, high) if (low < high).any() else None
        if rows is None:
            return high
        now = Rise(low, high, rise.slope, rise.offset)
        settled, amperes = _settled(rows, now, _levels(rows, now))
        low = np.where(settled, amperes, low)
        high = np.where(settled, amperes, high)
    return low


def _that_could_be_full(tree: Tree, capacity: Floats, high: Floats) -> _Rows | None:
    """Return the rows that would be overloaded if all had their most."""
    over = np.argwhere(tree.loads(high) > capacity + 2 * near(capacity))
    if not len(over):
        return None
    members = [tree.members[row, node] for row, node in over.tolist()]
    counts = np.array([len(each) for each in members], dtype=np.intp)
    row = np.repeat(np.arange(len(over)), counts)
    vehicle = np.concatenate(members)
    return _Rows(
        room=capacity[over[:, 0], over[:, 1]],
        starts=np.concatenate((np.zeros(1, dtype=np.intp), np.cumsum(counts)[:-1])),
        row=row,
        vehicle=vehicle,
        load=tree.loads_of[over[:, 0][row], vehicle],
    )


def _levels(rows: _Rows, rise: Rise) -> Floats:
    """Return for each row the level at which it is full, if nothing but this row holds its members."""
    low, high = rise.low[rows.vehicle], rise.high[rows.vehicle]
    slope, offset = rise.slope[rows.vehicle], rise.offset[rows.vehicle]
    bottom = np.minimum.reduceat(offset + low / slope, rows.starts)
    top = np.maximum.reduceat(offset + high / slope, rows.starts)
    pace = slope * rows.load
    spare = np.add.reduceat(low * rows.load, rows.starts) - rows.room
    excess = np.add.reduceat(high * rows.load, rows.starts) - rows.room
    level: Floats = bottom + (top - bottom) * np.clip(-spare / np.maximum(excess - spare, TOLERANCE), 0.0, 1.0)
    off = near(rows.room)
    for attempt in range(_ATTEMPTS):
        wanted = (level[rows.row] - offset) * slope
        given = np.clip(wanted, low, high)
        over = np.add.reduceat(given * rows.load, rows.starts) - rows.room
        if bool((np.abs(over) <= off).all()):
            return level
        full = over > 0
        top = np.where(full, np.minimum(top, level), top)
        bottom = np.where(full, bottom, np.maximum(bottom, level))
        steepness = np.add.reduceat(np.where(given == wanted, pace, 0.0), rows.starts)
        guess = level - over / np.maximum(steepness, TOLERANCE)
        outside = (guess <= bottom) | (guess >= top) | (steepness <= 0) | (attempt % _HALVED_EACH == _HALVED_EACH - 1)
        level = np.where(np.abs(over) <= off, level, np.where(outside, (bottom + top) / 2, guess))
    return np.where(np.abs(over) <= off, level, bottom)


def _settled(rows: _Rows, rise: Rise, levels: Floats) -> tuple[Mask, Floats]:
    """Return whose amperes can rise no more, and to what: those at their most, and all of the rows that hold them.

    A row's level only goes up while others settle, so that who reaches its most at all levels above it has it. A row
    is settled if none of its members that could still rise is held lower by another one.
    """
    lowest = np.full(len(rise.low), np.inf)
    np.minimum.at(lowest, rows.vehicle, levels[rows.row])
    has_most = rise.offset + rise.high / rise.slope <= lowest
    held = rise.offset + rise.low / rise.slope
    of_row = levels[rows.row]
    fixed = (rise.low >= rise.high) | has_most
    others = np.where(fixed[rows.vehicle] | (held[rows.vehicle] >= of_row), np.inf, lowest[rows.vehicle])
    full = np.minimum.reduceat(others, rows.starts) >= levels - TOLERANCE * np.maximum(1.0, np.abs(levels))
    at = np.full(len(rise.low), np.inf)
    in_full = full[rows.row]
    np.minimum.at(at, rows.vehicle[in_full], of_row[in_full])
    bounded = np.isfinite(at)
    amperes = np.clip((np.where(bounded, at, 0.0) - rise.offset) * rise.slope, rise.low, rise.high)
    return has_most | bounded, np.where(bounded, amperes, rise.high)

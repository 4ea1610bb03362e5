"""The optimiser: the plan that serves the objectives best in their order, by a linear program.

Energy that is promised comes first, then cost, peak and few changes. What the solver wants is rounded to what vehicles
can take; where the fast allocator's plan is as good, that one is given, as it shares more evenly.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Final

import highspy
import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.allocator import shared
from chargebus_smart_charging.allocation.domain.arrays import Arrays
from chargebus_smart_charging.allocation.domain.lasting import base_a, on_top
from chargebus_smart_charging.allocation.domain.objectives import KILO, burden, needs_kwh
from chargebus_smart_charging.allocation.domain.plans import planned
from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem
from chargebus_smart_charging.allocation.domain.program import Program, program
from chargebus_smart_charging.allocation.domain.rounding import polished, rounded
from chargebus_smart_charging.allocation.domain.tree import Floats
from chargebus_smart_charging.allocation.domain.trying import tried_now

_EXACT: Final = 400
"""Up to so many amperes to be found, 0 or at least the least is part of what is solved."""
_REFINED: Final = 6_000
"""Up to so many, what is rounded is solved once more where it charges."""
_SHARE: Final = 0.6
"""Of the time that is left, for the solver; the rest is for making what vehicles can take of its answer."""
_SHARE_OF_EXACT: Final = 0.4
"""The same for what seldom comes to its end: where processes wait for a core, it gets little done in its time."""
_GAP: Final = 1e-4
_WORTH_IT: Final = 1e-6
_LATE: Final = "not ready in time"


class SolverError(Exception):
    """The solver was late, or has no answer."""


def optimise(problem: PlanProblem, within_s: float) -> Plan:
    """Return the best plan that is found.

    It keeps every bound on every phase in every interval, as the allocator's does, and is never further from what is
    wanted (`objectives.burden`). An interval whose cost is not known counts as the mean of those that are known.

    Args:
        problem: what is to be planned.
        within_s: seconds of real time from now; at about their end comes the best that was found within them, or an
            error.

    Raises:
        SolverError: nothing was found in time, or the solver failed.
    """
    ends = time.perf_counter() + within_s
    arrays = Arrays.of(problem)
    tree, stays = arrays.tree, arrays.stays
    best = shared(problem, tree, stays)
    if not _nothing_better(arrays, best):
        base = base_a(tree, stays, best)
        rest = Arrays.of(on_top(problem, tree, base)) if base.any() else arrays
        rest = replace(rest, tried=tried_now(tree, stays, best))
        found = _in_time(_better(rest, np.maximum(best - base, 0.0), ends), ends)
        best = min((best, *(_whole(rest, each) + base for each in found)), key=partial(burden, tree, stays, problem))
    elif time.perf_counter() > ends:
        raise SolverError(_LATE)
    return planned(problem, tree, stays, best, "optimiser")


def _in_time(plans: Iterator[Floats], ends: float) -> list[Floats]:
    """Return the plans that are ready in time; what comes after the first that is late is not begun."""
    found = list(takewhile(lambda _: time.perf_counter() <= ends, plans))
    if not found:
        raise SolverError(_LATE)
    return found


def _better(arrays: Arrays, allocated: Floats, ends: float) -> Iterator[Floats]:
    """Return plans, blocks x vehicles, of which the best may be better than what is allocated."""
    made = program(arrays)
    solution = _solved(_model(made), ends)
    wanted = made.amperes(np.array(solution.col_value), arrays.blocks)
    prices = made.prices(np.array(solution.col_dual), np.array(solution.row_dual), arrays.blocks)
    found = rounded(arrays, wanted, prices)
    yield found
    yield polished(arrays, np.minimum.reduceat(allocated, arrays.blocks.first, axis=0))
    with suppress(SolverError):  # there is a plan already, which is only made better
        if len(made.block) <= _REFINED:
            yield rounded(arrays, _where_it_charges(arrays, made, found, ends), prices)
        if len(made.block) <= _EXACT:
            yield rounded(arrays, made.amperes(_exactly(made, ends), arrays.blocks), prices)


def _where_it_charges(arrays: Arrays, made: Program, found: Floats, ends: float) -> Floats:
    """Return the best amperes for vehicles that charge in the same blocks as in a plan, and in no others."""
    charges = found[made.block, made.vehicle] > 0
    settled = msgspec.structs.replace(made, high=made.high.copy())
    settled.high[: len(charges)][~charges] = 0.0
    solution = _solved(_model(settled, least=np.where(charges, made.least, 0.0)), ends)
    return made.amperes(np.array(solution.col_value), arrays.blocks)


def _nothing_better(arrays: Arrays, amperes: Floats) -> bool:
    """Whether all have what they need, and it does not matter when they get it.

    Where phases are bounded together, and somebody takes no 0, nothing better than the allocator's plan is looked for.
    """
    if arrays.balance.bounded and any(demand.must_charge for demand in arrays.tree.demands):
        return True
    kwh = (amperes * arrays.stays.seconds).sum(axis=0) * arrays.tree.wh_per_ampere_s / KILO
    served = bool((kwh >= needs_kwh(arrays.tree, arrays.stays) - _WORTH_IT).all())
    return served and arrays.problem.peak_va is None and not arrays.blocks.cost.any()


def _whole(arrays: Arrays, amperes: Floats) -> Floats:
    """Return the amperes of blocks for each interval in which vehicles are there."""
    seconds = arrays.stays.seconds
    return np.where(seconds > 0, arrays.blocks.spread(amperes, len(seconds)), 0.0)


def _exactly(made: Program, ends: float) -> Floats:
    """Return the best columns whose amperes are 0, or whole steps from the least on."""
    scale = np.ones(len(made.cost))
    scale[: len(made.block)] = made.unit
    rows = made.rows
    scaled = msgspec.structs.replace(
        made,
        low=made.low / made.unit,
        least=made.least / made.unit,
        cost=made.cost * scale,
        high=made.high / scale,
        rows=msgspec.structs.replace(rows, values=rows.values * scale[rows.columns]),
    )
    model = _model(scaled, least=scaled.least)
    kinds = {True: highspy.HighsVarType.kSemiInteger, False: highspy.HighsVarType.kSemiContinuous}
    tried = {True: highspy.HighsVarType.kInteger, False: highspy.HighsVarType.kContinuous}
    found = [
        (tried if low > 0 else kinds)[whole] for whole, low in zip(made.whole.tolist(), made.low.tolist(), strict=True)
    ]
    model.integrality_ = found + [highspy.HighsVarType.kContinuous] * (len(made.cost) - len(found))
    solution = _solved(model, ends, _SHARE_OF_EXACT, status_if_late=highspy.HighsModelStatus.kTimeLimit)
    return np.array(solution.col_value) * scale


def _solved(
    model: highspy.HighsLp,
    ends: float,
    share: float = _SHARE,
    status_if_late: highspy.HighsModelStatus | None = None,
) -> highspy.HighsSolution:
    """Return the best solution of a model, for which there is a share of the time that is left.

    A late one will do if one with that status is asked for. No time is no limit to the solver: it is not asked then.
    """
    within_s = (ends - time.perf_counter()) * share
    if within_s <= 0.0:
        raise SolverError(_LATE)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("threads", 1), ("time_limit", within_s), ("mip_rel_gap", _GAP)):
        solver.setOptionValue(option, value)
    solver.passModel(model)
    solver.run()
    status = solver.getModelStatus()
    solution = solver.getSolution()
    if status not in {highspy.HighsModelStatus.kOptimal, status_if_late} or not solution.value_valid:
        raise SolverError(f"the solver ended with {solver.modelStatusToString(status)}")
    return solution


def _model(made: Program, least: Floats | None = None) -> highspy.HighsLp:
    model = highspy.HighsLp()
    rows, columns = len(made.rows.low), len(made.cost)
    low = np.zeros(columns)
    low[: len(made.low)] = made.low if least is None else np.maximum(least, made.low)
    model.num_col_, model.num_row_ = columns, rows
    model.col_cost_, model.col_lower_, model.col_upper_ = made.cost, low, made.high
    model.row_lower_, model.row_upper_ = made.rows.low, made.rows.high
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_ = np.concatenate((np.zeros(1), np.cumsum(made.rows.counts))).astype(np.int32)
    matrix.index_ = made.rows.columns.astype(np.int32)
    matrix.value_ = made.rows.values
    return model

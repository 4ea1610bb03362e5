"""The optimiser: the plan that serves the objectives best in their order, by a linear program.

Energy that is promised comes first, then cost, peak and few changes. What the solver wants is rounded to what vehicles
can take; where the fast allocator's plan is as good, that one is given, as it shares more evenly.
"""

import time
from collections.abc import Iterator
from typing import Final

import highspy
import msgspec
import numpy as np

from chargebus_smart_charging.allocation.domain.allocator import shared
from chargebus_smart_charging.allocation.domain.arrays import Arrays
from chargebus_smart_charging.allocation.domain.lasting import base_a, on_top
from chargebus_smart_charging.allocation.domain.objectives import KILO, burden, needs_kwh
from chargebus_smart_charging.allocation.domain.plans import planned
from chargebus_smart_charging.allocation.domain.problem import Plan, Problem
from chargebus_smart_charging.allocation.domain.program import Program, program
from chargebus_smart_charging.allocation.domain.rounding import polished, rounded
from chargebus_smart_charging.allocation.domain.tree import Floats

_EXACT: Final = 400
"""Up to so many amperes to be found, 0 or at least the least is part of what is solved."""
_REFINED: Final = 6_000
"""Up to so many, what is rounded is solved once more where it charges."""
_SHARE: Final = 0.6
"""Of the time that is left, for the solver; the rest is for making what vehicles can take of its answer."""
_GAP: Final = 1e-4
_WORTH_IT: Final = 1e-6


class SolverError(Exception):
    """The solver was late, or has no answer."""


def optimise(problem: Problem, within_s: float) -> Plan:
    """Return the best plan that is found.

    It keeps every bound on every phase in every interval, as the allocator's does, and is never further from what is
    wanted (`objectives.burden`). An interval whose cost is not known counts as the mean of those that are known.

    Args:
        problem: what is to be planned.
        within_s: seconds of real time from now; the answer comes within them, or an error at about their end.

    Raises:
        SolverError: it is late, or the solver failed.
    """
    ends = time.perf_counter() + within_s
    arrays = Arrays.of(problem)
    tree, stays = arrays.tree, arrays.stays
    best = shared(problem, tree, stays)
    if not _nothing_better(arrays, best):
        base = base_a(tree, stays, best)
        rest = Arrays.of(on_top(problem, tree, base)) if base.any() else arrays
        better = (_whole(rest, each) + base for each in _better(rest, np.maximum(best - base, 0.0), ends))
        best = min((best, *better), key=lambda amperes: burden(tree, stays, problem, amperes))
    if time.perf_counter() > ends:
        raise SolverError(f"not ready within {within_s:g} s")
    return planned(problem, tree, stays, best, "optimiser")


def _better(arrays: Arrays, allocated: Floats, ends: float) -> Iterator[Floats]:
    """Return plans, blocks x vehicles, of which the best may be better than what is allocated."""
    made = program(arrays)
    solution = _solved(_model(made), ends)
    wanted = made.amperes(np.array(solution.col_value), arrays.blocks)
    prices = made.prices(np.array(solution.col_dual), np.array(solution.row_dual), arrays.blocks)
    found = rounded(arrays, wanted, prices)
    yield found
    if len(made.block) <= _REFINED:
        yield rounded(arrays, _where_it_charges(arrays, made, found, ends), prices)
    if len(made.block) <= _EXACT:
        yield rounded(arrays, made.amperes(_exactly(made, ends), arrays.blocks), prices)
    yield polished(arrays, np.minimum.reduceat(allocated, arrays.blocks.first, axis=0))


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
        least=made.least / made.unit,
        cost=made.cost * scale,
        high=made.high / scale,
        rows=msgspec.structs.replace(rows, values=rows.values * scale[rows.columns]),
    )
    model = _model(scaled, least=scaled.least)
    kinds = {True: highspy.HighsVarType.kSemiInteger, False: highspy.HighsVarType.kSemiContinuous}
    found = [kinds[whole] for whole in made.whole.tolist()]
    model.integrality_ = found + [highspy.HighsVarType.kContinuous] * (len(made.cost) - len(found))
    solution = _solved(model, ends, status_if_late=highspy.HighsModelStatus.kTimeLimit)
    return np.array(solution.col_value) * scale


def _solved(
    model: highspy.HighsLp, ends: float, status_if_late: highspy.HighsModelStatus | None = None
) -> highspy.HighsSolution:
    """Return the best solution of a model; a late one will do if one with that status is asked for."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    within_s = (ends - time.perf_counter()) * _SHARE
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
    if least is not None:
        low[: len(least)] = least
    model.num_col_, model.num_row_ = columns, rows
    model.col_cost_, model.col_lower_, model.col_upper_ = made.cost, low, made.high
    model.row_lower_, model.row_upper_ = made.rows.low, made.rows.high
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_ = np.concatenate((np.zeros(1), np.cumsum(made.rows.counts))).astype(np.int32)
    matrix.index_ = made.rows.columns.astype(np.int32)
    matrix.value_ = made.rows.values
    return model

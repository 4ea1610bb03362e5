"""The optimiser in a process of its own."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_smart_charging.allocation.domain.problem import (
    Costs,
    Demand,
    Horizon,
    Plan,
    PlanNode,
    PlanProblem,
)
from chargebus_smart_charging.planning.operations.solver import NoPlanError, Solvers
from chargebus_smart_charging.sites.domain.bound import Bound
from chargebus_testkit.waiting import eventually

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PROBLEM = PlanProblem(
    Horizon(NOW, (900.0, 900.0)),
    (PlanNode("grid", None, (Bound("grid: 20 A", (20.0, 20.0, 20.0)),)),),
    tuple(Demand((f"CS{n}", 1), 0, (0, 1, 2), 230.0, 6.0, 32.0, energy_wh=2000.0) for n in (1, 2)),
)
HARD = msgspec.structs.replace(PROBLEM, peak_va=1.0)
DEAR_NOW = PlanProblem(
    Horizon(NOW, (900.0,) * 4),
    PROBLEM.nodes,
    (Demand(("CS1", 1), 0, (0, 1, 2), 230.0, 6.0, 20.0, energy_wh=6900.0),),
    costs=Costs((2.0, 2.0, 1.0, 1.0)),
)
"""No plan of the allocator's is as good: the solver is asked, which says its name at each time."""
_SERVE = "from chargebus_smart_charging.planning.operations.serving import optimise, serve; serve("
SLOW = f"import time; {_SERVE}lambda problem, s: time.sleep(60) if problem.peak_va else optimise(problem, s))"
PRINTING = f"{_SERVE}lambda problem, s: print('Running', flush=True) or optimise(problem, s))"
BROKEN = f"{_SERVE}lambda problem, s: 1 / 0 if problem.peak_va else optimise(problem, s))"


@asynccontextmanager
async def running(solvers: Solvers):
    task = asyncio.create_task(solvers.run())
    yield solvers
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_problem_is_solved_in_another_process():
    async with running(Solvers(1, 20.0)) as solvers:
        plan = await solvers.solve(PROBLEM)

    assert plan.method == "optimiser"
    assert {each.key for each in plan.allocations} == {("CS1", 1), ("CS2", 1)}
    assert sum(each.limits_a[0] for each in plan.allocations) <= 20.0


async def test_what_a_solver_prints_comes_between_no_answers():
    async with running(Solvers(1, 20.0, PRINTING)) as solvers:
        plans = [await solvers.solve(DEAR_NOW) for _ in range(2)]

    assert [plan.allocations[0].limits_a for plan in plans] == [(0.0, 0.0, 20.0, 20.0)] * 2


async def eventually_solved(solvers: Solvers) -> Plan:
    return await eventually(lambda: plan_or_none(solvers), what="the optimiser solves again")


async def plan_or_none(solvers: Solvers) -> Plan | None:
    try:
        return await solvers.solve(PROBLEM)
    except NoPlanError:
        return None


async def test_a_process_that_is_late_is_killed_and_another_takes_its_place():
    async with running(Solvers(1, 1.0, SLOW)) as solvers:
        await eventually_solved(solvers)
        with pytest.raises(NoPlanError, match="took longer"):
            await solvers.solve(HARD)

        assert (await eventually_solved(solvers)).method == "optimiser"


async def test_a_process_that_breaks_is_told_and_another_takes_its_place():
    async with running(Solvers(1, 20.0, BROKEN)) as solvers:
        with pytest.raises(NoPlanError, match="ended"):
            await solvers.solve(HARD)

        assert (await eventually_solved(solvers)).method == "optimiser"


async def test_a_problem_waits_for_a_free_optimiser_no_longer_than_it_may_take():
    async with running(Solvers(1, 0.5, SLOW)) as solvers:
        await eventually_solved(solvers)
        found = await asyncio.gather(*(solvers.solve(HARD) for _ in range(2)), return_exceptions=True)

    assert sorted(str(each)[:30] for each in found) == ["all optimisers were busy", "the optimiser took longer than"]


async def test_without_optimisers_every_problem_goes_without():
    with pytest.raises(NoPlanError, match="no optimiser"):
        await Solvers(0, 1.0).solve(PROBLEM)

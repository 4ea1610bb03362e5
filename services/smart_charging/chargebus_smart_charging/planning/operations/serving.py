"""What runs in an optimiser's process: it alone loads the solver."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from chargebus_smart_charging.allocation.domain.optimiser import SolverError, optimise
from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem
from chargebus_smart_charging.planning.operations.framing import (
    LENGTH,
    SolverAnswer,
    SolverTask,
    encode,
    framed,
    read_task,
)

_READY: Final = b""

Solve = Callable[[PlanProblem, float], Plan]


def serve(solve: Solve = optimise) -> None:
    """Solve what comes in, one problem after the other, until nobody asks any more.

    HiGHS prints its name at each problem: what comes to the standard output but answers is dropped.
    """
    source, out = sys.stdin.buffer, sys.stdout.fileno()
    with (
        suppress(KeyboardInterrupt, BrokenPipeError),
        os.fdopen(os.dup(out), "wb") as sink,
        Path(os.devnull).open("wb") as nowhere,
    ):
        os.dup2(nowhere.fileno(), out)
        sink.write(framed(_READY))
        sink.flush()
        while (body := _next(source)) is not None:
            sink.write(framed(encode(_solved(read_task(body), solve))))
            sink.flush()


def _next(source: BinaryIO) -> bytes | None:
    head = source.read(LENGTH.size)
    return source.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None


def _solved(task: SolverTask, solve: Solve) -> SolverAnswer:
    try:
        return SolverAnswer(solve(task.problem, task.within_s))
    except SolverError as error:
        return SolverAnswer(error=str(error) or "the optimiser failed")

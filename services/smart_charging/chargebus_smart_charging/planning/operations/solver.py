"""The optimiser in a process of its own: it delays nothing else, and is killed when it is late."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine
from typing import Final

from chargebus_runtime.retry import until_done

from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem
from chargebus_smart_charging.planning.operations.framing import (
    LENGTH,
    SolverTask,
    encode,
    framed,
    read_answer,
)

_GRACE_S: Final = 0.5
_STARTS_WITHIN_S: Final = 60.0
_COMMAND: Final = "from chargebus_smart_charging.planning.operations.serving import serve; serve()"


class NoPlanError(Exception):
    """The optimiser gave no plan; the message says why, for people."""


class Solvers:
    """So many optimisers side by side; without any, each problem goes without.

    One whose process was killed or has ended is free again once its new process is ready.
    """

    def __init__(self, count: int, within_s: float, command: str = _COMMAND) -> None:
        self._within_s = within_s
        self._idle: asyncio.Queue[_Solver] = asyncio.Queue()
        self._all = [_Solver(command) for _ in range(count)]
        self._starting: set[asyncio.Task[None]] = set()

    async def solve(self, problem: PlanProblem) -> Plan:
        """Return the optimiser's plan.

        Raises:
            NoPlanError: it gave none, or was late.
        """
        if not self._all:
            raise NoPlanError("no optimiser is running")
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._within_s
        try:
            async with asyncio.timeout_at(ends_at):
                solver = await self._idle.get()
        except TimeoutError:
            raise NoPlanError("all optimisers were busy") from None
        try:
            return await solver.solve(problem, ends_at - loop.time())
        finally:
            self._free(solver)

    async def run(self) -> None:
        """Hold the processes for as long as the service runs."""
        try:
            for solver in self._all:
                self._free(solver)
            await asyncio.Event().wait()
        finally:
            starting = list(self._starting)
            for task in starting:
                task.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
            for solver in self._all:
                await solver.stop()

    def _free(self, solver: "_Solver") -> None:
        if solver.is_ready:
            self._idle.put_nowait(solver)
            return
        task = asyncio.create_task(self._start(solver), name="starting an optimiser")
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, solver: "_Solver") -> None:
        await until_done("starting an optimiser", solver.start, NoPlanError)
        self._idle.put_nowait(solver)


class _Solver:
    """One process; it lives until it is late, breaks or is stopped."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._process: Process | None = None

    @property
    def is_ready(self) -> bool:
        """Whether its process runs and waits for a problem."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            NoPlanError: it is not.
        """
        program = sys.executable, "-c", self._command
        self._process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)
        await self._within(_STARTS_WITHIN_S, self._read())

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def solve(self, problem: PlanProblem, within_s: float) -> Plan:
        """Return the plan of the process, which is killed if it takes longer than `within_s` and a moment.

        Raises:
            NoPlanError: there is none.
        """
        answer = read_answer(await self._within(within_s + _GRACE_S, self._ask(SolverTask(problem, within_s))))
        if answer.plan is None:
            raise NoPlanError(answer.error)
        return answer.plan

    async def _within(self, seconds: float, talk: Coroutine[None, None, bytes]) -> bytes:
        """Return what a talk with the process brings; one that does not end well is its end."""
        try:
            async with asyncio.timeout(seconds):
                return await talk
        except TimeoutError:
            await self.stop()
            raise NoPlanError(f"the optimiser took longer than {seconds:.1f} s") from None
        except (asyncio.IncompleteReadError, OSError) as error:
            await self.stop()
            raise NoPlanError("the optimiser's process ended") from error
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def _ask(self, task: SolverTask) -> bytes:
        if self._process is None or self._process.stdin is None:
            raise OSError("there is no process")
        self._process.stdin.write(framed(encode(task)))
        await self._process.stdin.drain()
        return await self._read()

    async def _read(self) -> bytes:
        if self._process is None or self._process.stdout is None:
            raise OSError("there is no process")
        (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
        return await self._process.stdout.readexactly(length)

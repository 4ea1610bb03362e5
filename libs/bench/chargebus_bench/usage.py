"""What processes cost: CPU seconds and memory, by name."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

CLIENT = "client"

_LOOK_EVERY_S = 0.5
_QUIET_CORES = 0.12  # of each process; what it uses at rest is well below


@dataclass(frozen=True)
class Meter:
    """Reads the cost of the system's processes, each with all its children, and of this one.

    `pids` names the processes; the load client is this process.
    """

    pids: Mapping[str, int]

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each has used since it started."""
        children = _children()
        used = {name: _cpu_s(psutil.Process(pid), children) for name, pid in self.pids.items()}
        return {**used, CLIENT: time.process_time()}

    def rss_bytes(self, name: str) -> int:
        """Return the resident memory of a process, without children."""
        return int(psutil.Process(self.pids[name]).memory_info().rss)

    async def quiet(self, within_s: float = 30.0) -> float:
        """Wait until the processes rest, their backlog worked off; return how many seconds that took.

        A process that does not come to rest is not waited for any longer than `within_s`. The client does not count:
        looking at others costs it something.
        """
        started = time.monotonic()
        before = self.cpu_s()
        while time.monotonic() - started < within_s:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = self.cpu_s()
            used = since(before, now)
            if all(used[name] < _QUIET_CORES * _LOOK_EVERY_S for name in self.pids):
                break
            before = now
        return max(0.0, time.monotonic() - started - _LOOK_EVERY_S)


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two readings."""
    return {name: after[name] - before[name] for name in after}


def _children() -> Mapping[int, Sequence[psutil.Process]]:
    """Return the children of every process of the machine, by its id: one look at all is enough for any family."""
    children: dict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):
        children[process.info["ppid"]].append(process)
    return children


def _cpu_s(process: psutil.Process, children: Mapping[int, Sequence[psutil.Process]]) -> float:
    """Return the CPU time of a process and its living and dead children; PostgreSQL has one for each connection."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # its parent has its time
    own = times.user + times.system + times.children_user + times.children_system
    return float(own) + sum(_cpu_s(child, children) for child in children.get(process.pid, ()))

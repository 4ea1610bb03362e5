"""What processes cost: CPU seconds and memory, by name."""

import asyncio
import time
from collections.abc import Mapping
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
        used = {name: _cpu_s(pid) for name, pid in self.pids.items()}
        return {**used, CLIENT: time.process_time()}

    def rss_bytes(self, name: str) -> int:
        """Return the resident memory of a process, without children."""
        return int(psutil.Process(self.pids[name]).memory_info().rss)

    async def quiet(self, within_s: float = 30.0) -> float:
        """Wait until the processes rest, their backlog worked off; return how many seconds that took.

        A process that does not come to rest is not waited for any longer than `within_s`.
        """
        started = time.monotonic()
        before = self.cpu_s()
        while time.monotonic() - started < within_s:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = self.cpu_s()
            if all(used < _QUIET_CORES * _LOOK_EVERY_S for used in since(before, now).values()):
                break
            before = now
        return max(0.0, time.monotonic() - started - _LOOK_EVERY_S)


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two readings."""
    return {name: after[name] - before[name] for name in after}


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its living and dead children; PostgreSQL has one for each connection."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its parent has its time
        total += times.user + times.system
    return float(total)

"""Service processes that are forked from one which has imported them all: what costs most of a start is paid once.

They are processes as any other, with a session, a log, an environment and an end of their own; `kill -9` ends one of
them and nothing else. What starts a service in production, the command `chargebus`, is started by tests of its own.
"""

import atexit
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Final

from chargebus_embedded.child import Command, Spawned, Started

_SERVICES: Final = "chargebus.services"
_LATE: Final = ("chargebus_cli.one", "httptools", "uvloop", "uvicorn.protocols.http.httptools_impl")
"""What a service imports only as it starts."""

_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}  # a library's threads would not come along
CAN_FORK: Final = hasattr(os, "pidfd_open")


class Forks:
    """The process that has imported everything, and what is asked of it; it is started with the first question."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._answers: IO[bytes] | None = None

    def start(self, command: Command, log: IO[bytes]) -> Started:
        """Start the process of a command of `chargebus`; where processes have no descriptors, run its program."""
        return Forked(self._pid(command)) if CAN_FORK else Spawned(command, log)

    def _end(self) -> None:
        """End it; what was forked goes on."""
        if self._server is not None and self._server.stdin is not None and self._answers is not None:
            self._server.stdin.close()
            self._server.wait()
            self._answers.close()

    def _pid(self, command: Command) -> int:
        server = self._server = self._server or self._begin()
        if server.stdin is None or self._answers is None:
            raise RuntimeError("there is nobody to be asked")
        wanted = {
            "arguments": command.arguments[1:],
            "environment": dict(command.environment),
            "folder": str(command.folder),
            "log": str(command.log),
        }
        server.stdin.write(json.dumps(wanted).encode() + b"\n")
        server.stdin.flush()
        return int(self._answers.readline())

    def _begin(self) -> "subprocess.Popen[bytes]":
        answers, their_end = os.pipe()
        self._answers = os.fdopen(answers, "rb")
        program = (sys.executable, "-m", __name__, str(their_end))
        server = subprocess.Popen(
            program, stdin=subprocess.PIPE, pass_fds=[their_end], env=os.environ | _ONE_THREAD, start_new_session=True
        )
        os.close(their_end)
        atexit.register(self._end)
        return server


class Forked:
    """A process that was forked, known by a descriptor: so no signal reaches one that has its number later."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor: int | None = None
        with suppress(ProcessLookupError):
            self._descriptor = os.pidfd_open(pid)

    def gone(self) -> bool:
        """Tell whether it has ended."""
        if self._descriptor is not None and select.select([self._descriptor], (), (), 0)[0]:
            os.close(self._descriptor)
            self._descriptor = None
        return self._descriptor is None

    def stands_still(self) -> bool:
        """Tell whether all its threads have stopped."""
        with suppress(FileNotFoundError):
            return all(_state(task) in "TZX" for task in _tasks(self.pid))
        return self.gone()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, number)


def _tasks(pid: int) -> list[Path]:
    """Return what the system says of each thread of a process, in a folder for each."""
    return list(Path(f"/proc/{pid}/task").iterdir())


def _state(task: Path) -> str:
    """Return the letter of a thread's state: it stands behind the name, which may have any brackets."""
    return (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]


def main(answers: int) -> None:
    """Fork a process for each line of the standard input, until it ends."""
    warm()
    signal.signal(signal.SIGCHLD, _reap)
    while line := sys.stdin.buffer.readline():
        wanted = json.loads(line)
        child = os.fork()
        if not child:
            os.close(answers)
            _become(wanted["environment"], wanted["folder"], wanted["log"])
            _run(wanted["arguments"])
            return
        os.write(answers, f"{child}\n".encode())


def warm() -> None:
    """Import whatever services need.

    Raises:
        RuntimeError: a thread runs, which no fork would have.
    """
    for point in entry_points(group=_SERVICES):
        point.load()
    for name in _LATE:
        import_module(name)
    if len(_tasks(os.getpid())) > 1:
        raise RuntimeError(f"more than one thread runs after the imports: {threading.enumerate()}")
    gc.freeze()


def _become(environment: Mapping[str, str], folder: str, log: str) -> None:
    """Make a fork what a process that was just started would be."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND)
    for mine, theirs in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(mine, theirs)
    os.close(nothing)
    os.close(written)


def _run(arguments: Sequence[str]) -> None:
    import_module("chargebus_cli.main").main(arguments)


def _reap(_number: int, _frame: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]))

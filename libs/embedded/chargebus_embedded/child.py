"""A server as a child process: its log, its end, and the guard that ends it when the parent is gone."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from chargebus_embedded.account import OURSELVES, Account
from chargebus_embedded.errors import StartError

_POLL_S = 0.02
_TAIL_LINES = 15

# A pipe from the parent is the guard's standard input: however the parent ends, kill -9 included, the kernel closes it.
# (Linux' parent-death signal would not do: it follows the thread that started the child, and other systems lack it.)
_GUARD = 'read -r _; kill -"$1" "$2" 2>/dev/null'


@dataclass(frozen=True)
class Command:
    """How to start and end one server.

    `stop` is the signal that asks for a clean end, `orphaned` the one that the guard sends when the parent is gone.
    """

    name: str
    arguments: tuple[str, ...]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    account: Account = OURSELVES
    stop: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGKILL


class Started(Protocol):
    """A process that was started, in a session of its own."""

    @property
    def pid(self) -> int:
        """Its id."""

    def gone(self) -> bool:
        """Tell whether it has ended."""

    def stands_still(self) -> bool:
        """Tell whether all its threads have stopped."""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""


Start = Callable[[Command, IO[bytes]], Started]
"""Starts the process of a command that writes into the file."""


class Spawned:
    """A process that runs a program."""

    def __init__(self, command: Command, log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=command.account.uid,
            group=command.account.gid,
            extra_groups=command.account.groups,
        )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def gone(self) -> bool:
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def stands_still(self) -> bool:
        """Tell whether all its threads have stopped."""
        return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)


class Child:
    """One running server process, in a session of its own so that the terminal's Ctrl-C reaches only the parent.

    Bound to no event loop: it may be started in one and stopped in another.
    """

    def __init__(self, command: Command, start: Start = Spawned) -> None:
        self._command = command
        if command.log.exists():
            command.log.replace(command.log.with_suffix(".log.1"))
        with command.log.open("wb") as log:
            self._process = start(command, log)
        self._guard: subprocess.Popen[bytes] | None = subprocess.Popen(
            ("/bin/sh", "-c", _GUARD, "chargebus-guard", str(int(command.orphaned)), str(self._process.pid)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there; the guard goes with it, so that it never signals a number used again."""
        if not self._process.gone():
            return True
        self._dismiss_guard()
        return False

    async def stop(self, grace_s: float = 15.0) -> None:
        """Ask the server to end, and kill it where it has not within `grace_s` seconds."""
        if self.running:
            self._process.send(self._command.stop)
        if not await _comes(self._gone, grace_s):
            await self.kill()

    async def kill(self) -> None:
        """End the process with SIGKILL."""
        if self.running:
            self._process.send(signal.SIGKILL)
        await _comes(self._gone, 60.0)

    async def pause(self) -> None:
        """Freeze the process, and wait until all its threads stand still: for a moment after the signal they go on."""
        if self.running:
            self._process.send(signal.SIGSTOP)
        await _comes(self._stands_still, 60.0)

    def resume(self) -> None:
        """Let the process go on after `pause`."""
        if self.running:
            self._process.send(signal.SIGCONT)

    def explain(self, what: str) -> StartError:
        """Return an error that says `what` and shows the end of the log."""
        lines = self._command.log.read_text(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        tail = "".join(f"\n  {line}" for line in lines) or " (it is empty)"
        return StartError(f"{self._command.name} {what}. The end of its log {self._command.log}:{tail}")

    def log_mentions(self, text: str) -> bool:
        """Tell whether the server's log holds `text`."""
        return text in self._command.log.read_text(errors="replace")

    def _stands_still(self) -> bool:
        return self._gone() or self._process.stands_still()

    def _gone(self) -> bool:
        return not self.running

    def _dismiss_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        guard.kill()
        guard.wait()
        if guard.stdin is not None:
            guard.stdin.close()


async def _comes(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def until_answering(child: Child, answers: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """Wait until the server behind `child` answers.

    Raises:
        StartError: its process ended, or it did not answer within `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not await answers():
        if not child.running:
            raise child.explain("ended while it started")
        if time.monotonic() > deadline:
            raise child.explain(f"did not answer within {within_s:.0f} s")
        await asyncio.sleep(_POLL_S)

"""One process of a service: started, killed, paused and brought back, on the same ports each time."""

import asyncio
import os
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from chargebus_embedded.child import Child, Command, Start

from chargebus_testkit.forking import Forks

_PROGRAM: Final = str(Path(sysconfig.get_path("scripts")) / "chargebus")
_READY_WITHIN_S: Final = 180.0
_LOOK_EVERY_S: Final = 0.05
_LOG_LINES: Final = 20
FORK: Final[Start] = Forks().start
"""Starts a process of this test process' one that has imported everything."""


class NotReadyError(Exception):
    """A process did not become ready, or ended; the message shows the end of its log."""


@dataclass(frozen=True)
class Place:
    """Where a process is: the services it runs, its folder for logs, its ports on the loopback interface."""

    name: str
    services: tuple[str, ...]
    folder: Path
    http_port: int
    ocpp_port: int

    @property
    def http_url(self) -> str:
        """Where its HTTP API answers."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def ocpp_url(self) -> str:
        """Where stations connect, without a station's identity."""
        return f"ws://127.0.0.1:{self.ocpp_port}/ocpp"


class ServiceProcess:
    """A process that can be ended and started again; each start has a log file of its own.

    Args:
        place: where it is.
        environment: its settings.
        start: starts it; `Spawned` as it is done in production, which takes longer.
    """

    def __init__(self, place: Place, environment: Mapping[str, str], start: Start = FORK) -> None:
        self.place = place
        self._start = start
        self._environment = dict(environment)
        self._child: Child | None = None
        self._starts = 0
        self._wanted = False

    @property
    def name(self) -> str:
        """The name by which tests know it."""
        return self.place.name

    @property
    def running(self) -> bool:
        """Whether its process is there (it may be paused)."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The process id of its newest start.

        Raises:
            NotReadyError: it was never started.
        """
        if self._child is None:
            raise NotReadyError(f"{self.name} was not started")
        return self._child.pid

    @property
    def crashed(self) -> bool:
        """Whether it ended though nobody killed or stopped it."""
        return self._wanted and not self.running

    @property
    def log(self) -> Path:
        """The log of the newest start."""
        return self.place.folder / f"{self.name}.{self._starts}.log"

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            NotReadyError: it ended, or was not ready in time.
        """
        self.launch()
        await self.ready()

    def launch(self) -> None:
        """Start it without waiting."""
        self._starts += 1
        self._wanted = True
        self._child = Child(
            Command(
                name=self.name,
                arguments=(_PROGRAM, "run", *self.place.services),
                folder=self.place.folder,
                log=self.log,
                environment={**os.environ, **self._environment},
            ),
            self._start,
        )

    async def ready(self, within_s: float = _READY_WITHIN_S) -> None:
        """Wait until it says that it is ready.

        Raises:
            NotReadyError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + within_s
        async with httpx.AsyncClient(base_url=self.place.http_url, timeout=5) as client:
            while (reason := await _not_ready(client)) is not None:
                if not self.running:
                    raise NotReadyError(f"{self.name} ended: {reason}\n{self.tail()}")
                if time.monotonic() > deadline:
                    raise NotReadyError(f"{self.name} is not ready after {within_s:.0f} s: {reason}\n{self.tail()}")
                await asyncio.sleep(_LOOK_EVERY_S)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        self._wanted = False
        if self._child is not None:
            await self._child.kill()

    async def stop(self) -> None:
        """Ask it to end, and wait until it has; it is resumed first if it was paused."""
        self._wanted = False
        if self._child is not None:
            self.resume()
            await self._child.stop()

    async def pause(self) -> None:
        """Freeze it, as an overloaded machine would; on return it does nothing more."""
        if self._child is not None:
            await self._child.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._child is not None:
            self._child.resume()

    def tail(self, lines: int = _LOG_LINES) -> str:
        """Return the end of its newest log."""
        if not self.log.exists():
            return f"{self.name} has no log"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


async def _not_ready(client: httpx.AsyncClient) -> str | None:
    try:
        answer = await client.get("/health/ready")
    except httpx.HTTPError as error:
        return repr(error)
    return None if answer.status_code == httpx.codes.OK else answer.text

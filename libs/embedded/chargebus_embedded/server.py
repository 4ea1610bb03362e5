"""What every embedded server can do: start, stop, die, come back."""

import asyncio
from types import TracebackType
from typing import Self

from chargebus_embedded.child import Child
from chargebus_embedded.errors import StartError

_LOOK_EVERY_S = 1.0


class Startable:
    """What is started and stopped; `async with` does both."""

    async def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            EmbeddedError: it did not come up; the message says why.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """End cleanly."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()


class EmbeddedServer(Startable):
    """A server in a process of its own, with its data in a folder, kept from one start to the next."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The process id of the server's first process."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._child is not None and self._child.running

    async def stop(self) -> None:
        """End the server cleanly; its data stays."""
        if self._child is not None:
            await self._child.stop()

    async def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        await self._started().kill()

    async def pause(self) -> None:
        """Freeze the server, as an overloaded machine would; on return it does nothing more."""
        await self._started().pause()

    def resume(self) -> None:
        """Let the server go on after `pause`."""
        self._started().resume()

    async def ended(self) -> str:
        """Wait until the server's process is gone; return what to say of that, with the end of its log."""
        child = self._started()
        while child.running:  # noqa: ASYNC110 - nothing tells of a process that is no child of this one's loop
            await asyncio.sleep(_LOOK_EVERY_S)
        return str(child.explain("ended"))

    async def restart(self) -> None:
        """Start the server again after `stop` or `kill`, with the same data and the same address."""
        self._started()
        await self.start()

    def _started(self) -> Child:
        if self._child is None:
            message = f"{self._name} was not started yet"
            raise StartError(message)
        return self._child

"""What stands between stations and edges in the field: a load balancer that sends each connection where it likes."""

import asyncio
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024


class Switchboard:
    """Forwards connections to the port that `target` names at the moment they are opened; old ones stay where they are.

    `url` is where stations connect; enter it to listen.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The OCPP address, without a station's identity."""
        if self._server is None:
            raise RuntimeError("the switchboard is not entered")
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ocpp"

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut every connection."""
        if self._server is not None:
            self._server.close()
        for passing in self._pipes:
            passing.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            passing = asyncio.create_task(pipe(source, sink))
            self._pipes.add(passing)
            passing.add_done_callback(self._pipes.discard)


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes, and the end of it."""
    try:
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.transport.abort()

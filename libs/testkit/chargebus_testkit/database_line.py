"""The line from a service to its PostgreSQL: cut and mended while the server goes on, as it serves other tests too."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit

from chargebus_embedded import free_port

from chargebus_testkit.switchboard import pipe


class DatabaseLine:
    """Forwards connections to a PostgreSQL server; enter it to listen, and give its `url` to who is to be cut off."""

    def __init__(self, server_url: str) -> None:
        self._parts = urlsplit(server_url)
        self._port = free_port()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The server's address by this line."""
        account = self._parts.netloc.rpartition("@")[0] or "postgres"
        return urlunsplit(self._parts._replace(netloc=f"{account}@127.0.0.1:{self._port}", query=""))

    async def mend(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """Tear all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        """Take connections."""
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut the line."""
        await self.cut()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._reach_server()
        ends = {writer, far_writer}
        self._connections |= ends
        try:
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
        finally:
            self._connections -= ends

    async def _reach_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        query = parse_qs(self._parts.query)
        if "host" in query:
            return await asyncio.open_unix_connection(f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}")
        return await asyncio.open_connection(self._parts.hostname, self._parts.port)

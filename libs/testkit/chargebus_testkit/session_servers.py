"""The servers of a test session: two Kafkas and one PostgreSQL for all its workers, started by who needs them first.

The session's first process owns them, whether it runs the tests itself or has workers (pytest-xdist) do so. A test asks
for them over a Unix socket, from whichever process it runs in; they end with the owner, however it ends. Workers tell
the owner over the same socket which tests belong together.
"""

import asyncio
import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Final

from chargebus_testkit.servers import Given, KafkaServer, PostgresServer, running_kafka, running_postgres

KAFKA: Final = "kafka"
SECOND_KAFKA: Final = "kafka-2"
POSTGRES: Final = "postgres"

_SERVER: Final = "server"
_GROUPS: Final = "groups"

_LONGEST_LINE: Final = 16 * 1024 * 1024

Json = dict[str, Any]
_Start = Callable[[Path, dict[str, str]], AbstractAsyncContextManager[KafkaServer | PostgresServer]]
_STARTS: Final[Mapping[str, _Start]] = {
    KAFKA: running_kafka,
    SECOND_KAFKA: running_kafka,
    POSTGRES: running_postgres,
}


class ServerError(Exception):
    """A server of the session did not start; the message says why."""


class SessionServers:
    """Owns the servers, and answers who asks for them; used by the session's first process, from `open` to `close`.

    Args:
        environment: decides which servers they are.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._folder = Path(tempfile.mkdtemp(prefix="chargebus-test-"))  # short, as Unix sockets need it
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="session servers", daemon=True)
        self._running = AsyncExitStack()
        self._started: dict[str, asyncio.Task[Json]] = {}
        self.groups: dict[str, str] = {}

    @property
    def socket(self) -> Path:
        """Where `ask` finds the owner."""
        return self._folder / "ask"

    def open(self) -> None:
        """Begin to answer; no server is started yet."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def close(self) -> None:
        """End the servers, and forget what they stored."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _listen(self) -> None:
        server = await asyncio.start_unix_server(self._answer, self.socket, limit=_LONGEST_LINE)
        self._running.push_async_callback(server.wait_closed)
        self._running.callback(server.close)

    async def _end(self) -> None:
        for starting in self._started.values():
            starting.cancel()
        await asyncio.gather(*self._started.values(), return_exceptions=True)
        await self._running.aclose()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = json.loads(await reader.readline())
        self.groups.update(said.get(_GROUPS, {}))
        answer = await self._server(said[_SERVER]) if _SERVER in said else {}
        writer.write(json.dumps(answer).encode())
        writer.close()
        await writer.wait_closed()

    async def _server(self, name: str) -> Json:
        if name not in self._started:
            self._started[name] = asyncio.create_task(self._start(name))
        return await self._started[name]

    async def _start(self, name: str) -> Json:
        """Start a server; return how to reach it, or why it is not there."""
        starting = _STARTS[name](self._folder / name, self._environment)
        try:
            server = await self._running.enter_async_context(starting)
        except Exception as error:  # noqa: BLE001 - told to whoever asked, in another process
            return {"error": f"{type(error).__name__}: {error}"}
        address = getattr(server, "bootstrap_servers", None) or getattr(server, "url", "")
        return {"address": address, "shortcomings": list(getattr(server, "shortcomings", ()))}


def ask(owner: Path, name: str) -> Given:
    """Return one of the session's servers; the first who asks waits until it has started.

    Raises:
        ServerError: it could not be started.
    """
    answer = _say(owner, {_SERVER: name})
    if "error" in answer:
        raise ServerError(answer["error"])
    return Given(answer["address"], tuple(answer["shortcomings"]))


def announce(owner: Path, groups: Mapping[str, str]) -> None:
    """Tell which tests belong together: the names of their groups, by their ids."""
    _say(owner, {_GROUPS: groups})


def _say(owner: Path, said: Mapping[str, object]) -> Json:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(str(owner))
        line.sendall(json.dumps(said).encode() + b"\n")
        with line.makefile("rb") as answer:
            told: Json = json.loads(answer.read())
    return told

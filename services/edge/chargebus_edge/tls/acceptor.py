"""A listening socket whose connections are taken one by one: PROXY header, TLS handshake, and only then HTTP.

The loop's own servers begin a handshake with whoever comes, as many as come, and say nothing of those that fail.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chargebus_edge.tls import proxy
from chargebus_edge.tls.arrival import Arrival
from chargebus_edge.tls.handshakes import BAD_HEADER, BROKEN_OFF, TOO_MANY, Handshakes, reason
from chargebus_edge.tls.proxy import Network, ProxyHeaderError

log = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""How many are accepted before stations that are connected have their turn."""

REST_S: Final = 0.5
"""How long none is accepted after the system had no file descriptor left for one."""

SHUTDOWN_S: Final = 5.0

Failed = Callable[[str, str, str], None]
"""Takes why, whose address, and what else is known."""

Make = Callable[[Arrival], asyncio.BaseProtocol]

Completed = Callable[[asyncio.BaseTransport], None]


@dataclass(frozen=True)
class AcceptorParts:
    """What an acceptor needs.

    Attributes:
        handshakes: counts those under way.
        failed: is told of each that came to nothing.
        context: returns what the next TLS handshake is made with; None: no TLS is spoken.
        proxies: whose connections begin with a PROXY header, and are those of whom it names.
        completed: is told of each TLS handshake that came to its end.
    """

    handshakes: Handshakes
    failed: Failed
    context: Callable[[], ssl.SSLContext] | None = None
    proxies: Sequence[Network] = field(default=())
    completed: Completed | None = None


class Acceptor:
    """Accepts connections and hands those that speak TLS to protocols of `make`.

    It is to `websockets` what the loop's `asyncio.Server` would be.
    """

    def __init__(self, listening: socket.socket, backlog: int, parts: AcceptorParts, make: Make) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._parts = parts
        self._make = make
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving = True
        self._reading = False
        self._looking_again: asyncio.TimerHandle | None = None
        listening.setblocking(False)  # noqa: FBT003 - the name of it
        listening.listen(backlog)
        self._read()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """What is listened on."""
        return (self._listening,) if self._serving else ()

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""
        return self._serving

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return self._loop

    def close(self) -> None:
        """Accept no more, and break off the handshakes that are under way."""
        if not self._serving:
            return
        self._rest()
        self._serving = False
        self._listening.close()
        if self._looking_again is not None:
            self._looking_again.cancel()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until no handshake is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    # Accepting

    def _read(self) -> None:
        if self._serving and not self._reading:
            self._reading = True
            self._loop.add_reader(self._listening, self._accept_some)

    def _rest(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._listening)

    def _accept_some(self) -> None:
        if self._parts.handshakes.full:  # and somebody waits
            self._rest()
            self._make_room()
            return
        for _ in range(AT_ONCE):
            if self._parts.handshakes.full:
                return
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it was gone before its turn
            except OSError as error:
                log.error("no more connections can be accepted for now: %s", error.strerror)
                self._rest()
                self._loop.call_later(REST_S, self._read)
                return
            accepted.setblocking(False)  # noqa: FBT003 - the name of it
            self._start(self._take(accepted, address[0], address[1]))

    def _make_room(self) -> None:
        """End a handshake that takes its time, of the address that has most of them; if none does yet, look again."""
        handshakes = self._parts.handshakes
        stalest = handshakes.stalest()
        if stalest is None or stalest.task is None:
            return
        wait_s = stalest.began + handshakes.limits.spared_s - self._loop.time()
        if wait_s > 0:
            if self._looking_again is None:
                self._looking_again = self._loop.call_later(wait_s, self._look_again)
            return
        handshakes.spoken(stalest)
        self._parts.failed(TOO_MANY, stalest.address, "")
        stalest.task.cancel()

    def _look_again(self) -> None:
        self._looking_again = None
        self._read()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._parts.handshakes.under_way += 1
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._parts.handshakes.under_way -= 1
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a connection was not taken", exc_info=failure)
        self._read()

    # One connection

    async def _take(self, accepted: socket.socket, host: str, port: int) -> None:
        arrival: Arrival | None = None
        try:
            arrival = await self._arrival(accepted, host, port)
            host = arrival.host
            await self._speak(accepted, arrival)
            return
        except ProxyHeaderError as error:
            self._parts.failed(BAD_HEADER, host, str(error))
        except OSError as error:  # TimeoutError, ConnectionError and ssl.SSLError among them
            why = reason(error)
            if why != BROKEN_OFF or arrival is None or not arrival.is_of_a_proxy_itself:
                self._parts.failed(why, host, "")
        except asyncio.CancelledError:
            accepted.close()
            raise
        accepted.close()

    async def _arrival(self, accepted: socket.socket, host: str, port: int) -> Arrival:
        """Return who arrives; a proxy that comes for itself, or does not say for whom, is who it is."""
        parts = self._parts
        if not proxy.is_trusted(host, parts.proxies):
            return Arrival(host, port, parts.context is not None)
        async with asyncio.timeout(parts.handshakes.limits.timeout_s):
            beginning = await self._exactly(accepted, proxy.BEGINNING_BYTES)
            proxied = proxy.read(beginning, await self._exactly(accepted, proxy.length(beginning)))
        return Arrival(*(proxied.address or (host, port)), parts.context is not None or proxied.encrypted, proxy=host)

    async def _exactly(self, accepted: socket.socket, count: int) -> bytes:
        read = b""
        while len(read) < count:
            piece = await self._loop.sock_recv(accepted, count - len(read))
            if not piece:
                raise ConnectionResetError(BROKEN_OFF)
            read += piece
        return read

    async def _speak(self, accepted: socket.socket, arrival: Arrival) -> None:
        handshakes, context = self._parts.handshakes, self._parts.context
        handshake = handshakes.begin(arrival.host, self._loop.time(), asyncio.current_task())
        if handshake is None:
            self._parts.failed(TOO_MANY, arrival.host, arrival.proxy)
            accepted.close()
            return
        arrival = replace(arrival, answered=handshake.end)
        try:
            if context is None:
                await self._loop.connect_accepted_socket(lambda: self._make(arrival), accepted)
            else:
                transport, _ = await self._loop.connect_accepted_socket(
                    lambda: self._make(arrival),
                    accepted,
                    ssl=context(),
                    ssl_handshake_timeout=handshakes.limits.timeout_s,
                    ssl_shutdown_timeout=SHUTDOWN_S,
                )
                if self._parts.completed is not None:
                    self._parts.completed(transport)
        except BaseException:
            handshake.end()
            raise
        handshakes.spoken(handshake)

"""A station's WebSocket: messages go straight to their owner, without a task, a queue or a timer for each.

`websockets` does the handshake and the framing. Its own receive loop and keep-alive need tasks and futures for every
message and connection; here a message is handled inside the call that reads it, and one timer serves all connections.

A message that is larger than is taken is read to its end and not kept, but for its beginning: the station is told, and
its socket stays. Only what is larger still by far ends the connection.

What is taken from inside `websockets` for that stands here and nowhere else, and may change with any of its releases.
So `pyproject.toml` declares the releases that it was tried with, and `test_edge_websockets_inside.py` fails on any
other, and where one of the names is gone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol, cast

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.typing import Subprotocol

from chargebus_edge.rpc.compression import ENDLESS_BYTES, HEAD_BYTES, DeflateOffer, Tally
from chargebus_edge.tls.arrival import Arrival

MAX_FRAGMENTS: Final = 16 * 1024

CLOSE_TIMEOUT_S: Final = 5.0

_TEXT, _CONT, _BINARY, _PONG = Opcode.TEXT, Opcode.CONT, Opcode.BINARY, Opcode.PONG


class Owner(Protocol):
    """Who gets what comes in over a WebSocket."""

    def received(self, data: bytes) -> None:
        """Take a whole text message, as bytes."""

    def oversized(self, head: bytes, size: int) -> None:
        """Take the beginning of a text message of `size` bytes, which are more than are taken."""

    def refused(self, reason: str) -> None:
        """Learn that a message was refused, and that the socket closes for it."""

    def heard(self) -> None:
        """Learn that the other side is there: a ping, or a piece of a message."""

    def ponged(self) -> None:
        """Learn of a pong."""

    def lost(self) -> None:
        """Learn that nothing more comes, and nothing more can be written; called once, last."""


class Listener(Protocol):
    """What `websockets` asks of what listens for it."""

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""

    def close(self) -> None:
        """Accept no more."""

    async def wait_closed(self) -> None:
        """Wait for the end of what was accepted and has no socket yet."""


class _BoundedReader(StreamReader):
    """Reads what a socket brings, and keeps of one large payload only the beginning.

    `sizes` has, for each payload that came out with `HEAD_BYTES`, how large it was, in order.
    """

    most: int
    sizes: "deque[int]"

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        """Read `n` bytes, or the first `HEAD_BYTES` of more than `most`, the rest of which is dropped as it comes.

        Raises:
            PayloadTooBig: they would never end.
        """
        if n <= self.most:
            if n == HEAD_BYTES:
                self.sizes.append(n)
            return (yield from super().read_exact(n))
        if n > ENDLESS_BYTES:
            raise PayloadTooBig(n, ENDLESS_BYTES)
        head = yield from super().read_exact(HEAD_BYTES)
        left = n - HEAD_BYTES
        while left := left - self._drop(left):
            if self.eof:
                raise EOFError(f"the stream ends {left} bytes before the end of a message")
            yield
        self.sizes.append(n)
        return head

    def _drop(self, most: int) -> int:
        dropped = min(most, len(self.buffer))
        del self.buffer[:dropped]
        return dropped


class StationSocket(ServerConnection):
    """The server's side of one WebSocket; `owner` is set during the handshake, before any message.

    `max_size`, as it is given to the server, is how large a message may be that is taken. Where there is a tally of
    compressed messages, compression is agreed on with stations that offer it.
    """

    owner: Owner | None = None  # until it is told that the socket is lost
    arrival: Arrival | None = None  # during the handshake, of one that a listener of ours took
    answered: Callable[[], None] | None = None  # so long, too: is to be told when that is over
    _message: bytearray | None = None  # the fragments of a message that has no end yet
    _fragments = 0
    _size = 0

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        *,
        compressed: Tally | None = None,
        **options: Any,  # noqa: ANN401 - those of websockets
    ) -> None:
        super().__init__(protocol, server, **options)
        # The parser holds methods of its reader already, so the reader must stay the same object.
        reader = protocol.reader
        reader.__class__ = _BoundedReader
        self._reader = cast(_BoundedReader, reader)
        self._reader.most = max(HEAD_BYTES, cast(int, protocol.max_message_size))
        self._reader.sizes = deque()
        self._most = cast(int, protocol.max_message_size)
        protocol.max_message_size = None
        if compressed is not None:
            protocol.available_extensions = (DeflateOffer(self._most, self._reader.sizes, compressed),)

    # What the owner does with it

    @property
    def congested(self) -> bool:
        """Whether the other side does not read what was written."""
        return self.paused

    def write(self, text: str) -> bool:
        """Send a text message; return False, and do nothing, on a socket that is not open."""
        if self.protocol.state is not State.OPEN:
            return False
        self.protocol.send_text(text.encode())
        self.send_data()
        return True

    def poke(self) -> None:
        """Send a ping; its pong is not matched, for any will do."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_ping(b"")
            self.send_data()

    def shut(self, code: int, reason: str) -> None:
        """Start the closing handshake and cut the connection if the other side does not finish it."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(code, reason)
            self.send_data()
            self._expect_end()

    def cut(self) -> None:
        """Drop the connection: the other side is not there to be told."""
        self.transport.abort()

    def hold(self) -> None:
        """Stop reading, so that the other side feels it."""
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def release(self) -> None:
        """Read again."""
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def speak(self, subprotocol: str) -> None:
        """Have it that this subprotocol was agreed on."""
        self.protocol.subprotocol = Subprotocol(subprotocol)

    def forget_handshake(self) -> None:
        """Let go of the request and response, a kilobyte each, that nobody asks for any more."""
        self.request = None
        self.response = None
        self.arrival = None
        self.protocol.available_extensions = None
        self._answered()

    # What websockets tells

    def data_received(self, data: bytes) -> None:
        """Hand over what was read, and then, if a Close frame or what is no WebSocket was in it, the end."""
        super().data_received(data)
        if self.protocol.eof_sent:
            self._end()

    def process_event(self, event: Request | Response | Frame) -> None:
        """Hand a frame to the owner, if it has one; the handshake's request goes the usual way."""
        owner = self.owner
        if not isinstance(event, Frame):
            super().process_event(event)
            return
        size = len(event.data)
        if size == HEAD_BYTES:
            size = self._reader.sizes.popleft()
        if owner is None:
            return
        if event.opcode is _TEXT and event.fin:
            self._hand_over(owner, bytes(event.data), size)
        elif event.opcode is _TEXT:
            kept = event.data if size <= self._most else event.data[:HEAD_BYTES]
            self._message, self._size, self._fragments = bytearray(kept), size, 1
        elif event.opcode is _CONT:
            self._collect(owner, event, size)
        elif event.opcode is _BINARY:
            self._refuse(owner, CloseCode.UNSUPPORTED_DATA, "binary messages are not OCPP")
        elif event.opcode is _PONG:
            owner.ponged()
        else:
            owner.heard()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, if it does not know yet."""
        super().connection_lost(exc)
        self._answered()
        self._let_go()

    def _answered(self) -> None:
        answered, self.answered = self.answered, None
        if answered is not None:
            answered()

    def _end(self) -> None:
        if self.owner is not None:
            self._let_go()
            self._expect_end()

    def _let_go(self) -> None:
        owner, self.owner = self.owner, None
        if owner is None:
            return
        failure = self.protocol.parser_exc
        if failure is not None and not isinstance(failure, EOFError):
            owner.refused(str(failure))  # too big, compressed without agreement, no WebSocket at all, …
        owner.lost()

    def _expect_end(self) -> None:
        """Give the other side a while to end the connection, then cut it."""
        self.release()  # its close frame, or the end of the stream, has to be read
        self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def _collect(self, owner: Owner, frame: Frame, size: int) -> None:
        message = self._message
        if message is None:
            return  # the rest of a binary message, already refused
        self._size += size
        self._fragments += 1
        if self._size <= self._most:
            message += frame.data
        elif len(message) < HEAD_BYTES:
            message += frame.data[: HEAD_BYTES - len(message)]
        else:
            del message[HEAD_BYTES:]
        if self._fragments > MAX_FRAGMENTS or self._size > ENDLESS_BYTES:
            self._refuse(owner, CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        elif frame.fin:
            self._message = None
            self._hand_over(owner, bytes(message), self._size)
        else:
            owner.heard()

    def _hand_over(self, owner: Owner, message: bytes, size: int) -> None:
        if size <= self._most:
            owner.received(message)
        else:
            owner.oversized(message[:HEAD_BYTES], size)

    def _refuse(self, owner: Owner, code: CloseCode, reason: str) -> None:
        self._message = None
        owner.refused(reason)
        self.shut(code, reason)
        self._let_go()


def listen_by(
    server: Server,
    open_listener: Callable[[Callable[[Arrival], StationSocket]], Listener],
    max_size: int,
    compressed: Tally | None = None,
) -> Server:
    """Have a server that is not awaited yet take its sockets from a listener of ours in the place of the loop's.

    Args:
        server: as `websockets` made it.
        open_listener: begins to listen; it gets what makes a socket of who arrived.
        max_size: how large a message may be.
        compressed: where compressed messages are counted; None: there are none.
    """
    logger = cast(logging.Logger, server.logger)

    def make(arrival: Arrival) -> StationSocket:
        protocol = ServerProtocol(max_size=max_size, logger=logger)
        socket = StationSocket(
            protocol, server, compressed=compressed, ping_interval=None, close_timeout=CLOSE_TIMEOUT_S
        )
        socket.arrival, socket.answered = arrival, arrival.answered
        return socket

    async def create_server() -> asyncio.Server:
        return cast(asyncio.Server, open_listener(make))

    server.create_server = create_server
    return server

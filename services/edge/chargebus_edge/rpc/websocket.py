"""A station's WebSocket: messages go straight to their owner, without a task, a queue or a timer for each.

`websockets` does the handshake and the framing. Its own receive loop and keep-alive need tasks and futures for every
message and connection; here a message is handled inside the call that reads it, and one timer serves all connections.

What is taken from inside `websockets` for that stands here and nowhere else, and may change with any of its releases.
So `pyproject.toml` declares the releases that it was tried with, and `test_edge_websockets_inside.py` fails on any
other, and where one of the names is gone.
"""

from typing import Final, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

MAX_FRAGMENTS: Final = 1024
CLOSE_TIMEOUT_S: Final = 5.0

_TEXT, _CONT, _BINARY, _PONG = Opcode.TEXT, Opcode.CONT, Opcode.BINARY, Opcode.PONG


class Owner(Protocol):
    """Who gets what comes in over a WebSocket."""

    def received(self, data: bytes) -> None:
        """Take a whole text message, as bytes."""

    def refused(self, reason: str) -> None:
        """Learn that a message was refused, and that the socket closes for it."""

    def heard(self) -> None:
        """Learn that the other side is there: a ping, or a piece of a message."""

    def ponged(self) -> None:
        """Learn of a pong."""

    def lost(self) -> None:
        """Learn that nothing more comes, and nothing more can be written; called once, last."""


class StationSocket(ServerConnection):
    """The server's side of one WebSocket; `owner` is set during the handshake, before any message."""

    owner: Owner | None = None  # until it is told that the socket is lost
    _fragments: list[bytes] | None = None

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
        elif owner is None:
            return
        elif event.opcode is _TEXT and event.fin:
            owner.received(bytes(event.data))
        elif event.opcode is _TEXT:
            self._fragments = [bytes(event.data)]
        elif event.opcode is _CONT:
            self._collect(owner, event)
        elif event.opcode is _BINARY:
            self._refuse(owner, CloseCode.UNSUPPORTED_DATA, "binary messages are not OCPP")
        elif event.opcode is _PONG:
            owner.ponged()
        else:
            owner.heard()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, if it does not know yet."""
        super().connection_lost(exc)
        self._let_go()

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

    def _collect(self, owner: Owner, frame: Frame) -> None:
        fragments = self._fragments
        if fragments is None:
            return  # the rest of a binary message, already refused
        fragments.append(bytes(frame.data))
        if len(fragments) > MAX_FRAGMENTS:
            self._refuse(owner, CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        elif frame.fin:
            self._fragments = None
            owner.received(b"".join(fragments))
        else:
            owner.heard()

    def _refuse(self, owner: Owner, code: CloseCode, reason: str) -> None:
        self._fragments = None
        owner.refused(reason)
        self.shut(code, reason)
        self._let_go()

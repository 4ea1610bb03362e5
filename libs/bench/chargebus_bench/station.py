"""A station of the load: one WebSocket over picows, which costs a fifth of what the edge spends on it."""

import asyncio
import ssl
from time import perf_counter
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from chargebus_bench import frames

_TEXT = WSMsgType.TEXT


class ConnectionLostError(Exception):
    """A station's connection ended while the load went on."""


class Caller(Protocol):
    """Whoever has a call under way on a station."""

    def answered(self, answer: bytes, at: float) -> None:
        """Take the answer; `at` is when it came, by `perf_counter`."""

    def lost(self) -> None:
        """Learn that no answer will come."""


class Station(WSListener):
    """Sends one call at a time for its caller, and accepts every call of the system."""

    def __init__(self, station_id: str, password: str) -> None:
        super().__init__()
        self.station_id = station_id
        self.calls_accepted = 0
        self._authorization = frames.basic_authorization(station_id, password)
        self._transport: WSTransport | None = None
        self._caller: Caller | None = None
        self._number = 0

    async def connect(self, ocpp_url: str, tls: ssl.SSLContext | None = None) -> None:
        """Open the connection, with TLS where the address asks for it.

        Raises:
            OSError, picows.WSError: the edge refused, or is not there.
        """
        headers = {"Authorization": self._authorization, "Sec-WebSocket-Protocol": frames.SUBPROTOCOL}
        url = f"{ocpp_url}/{self.station_id}"
        await ws_connect(lambda: self, url, ssl_context=tls, extra_headers=headers, logger_name="bench")

    async def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            transport = self._transport
            transport.send_close(WSCloseCode.OK)
            await transport.wait_disconnected()

    def next_number(self) -> int:
        """Return a message id that this station has not used."""
        self._number += 1
        return self._number

    def send(self, frame: bytes, caller: Caller) -> None:
        """Send a call; `caller` gets its answer.

        Raises:
            ConnectionLostError: the station is not connected.
        """
        if self._transport is None:
            raise ConnectionLostError(self.station_id)
        self._caller = caller
        self._transport.send(_TEXT, frame)

    async def call(self, frame: bytes) -> bytes:
        """Send a call and return its answer.

        Raises:
            ConnectionLostError: the connection ended first.
        """
        waiting = _Waiting()
        self.send(frame, waiting)
        return await waiting.answer

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Note the connection."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand an answer to the caller, or accept a call."""
        now = perf_counter()
        if frame.msg_type is not _TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        if payload.startswith(frames.CALL):
            self.calls_accepted += 1
            transport.send(_TEXT, frames.accepted(payload))
            return
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.answered(payload, now)

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        """Tell the caller that no answer will come."""
        self._transport = None
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.lost()


class _Waiting:
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answered(self, answer: bytes, _at: float) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def lost(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectionLostError())

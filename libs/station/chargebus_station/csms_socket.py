"""One open socket: reads without end, answers the CSMS at once, makes one CALL at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from chargebus_ocppj.frames import Frame, encode
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from chargebus_station.effects import Message
from chargebus_station.faults import Fault, Faults
from chargebus_station.rpc import (
    Answer,
    CallOutcome,
    Concluded,
    Malformed,
    NoAnswer,
    Received,
    Refusal,
    Requested,
    ResultRejected,
    Rpc,
    StrayAnswer,
    Why,
)

Answering = Callable[[Received], "Response"]


@dataclass(frozen=True)
class Response:
    """What to write back, and what to do after that, even if the connection was lost in writing."""

    frame: Frame | None = None
    then: Callable[[], None] | None = None


@dataclass(frozen=True)
class Outgoing:
    """A CALL to make; `kind` tells transaction events apart for the faults."""

    message: Message
    message_id: str
    kind: str = ""


class CsmsSocket:
    """One open WebSocket of one station."""

    def __init__(self, socket: ClientConnection, rpc: Rpc, faults: Faults, answering: Answering) -> None:
        self.websocket = socket
        self._rpc = rpc
        self._faults = faults
        self._answering = answering
        self._outgoing: Outgoing | None = None
        self._outcome: asyncio.Future[CallOutcome] | None = None
        self._lost: Answer | Refusal | None = None
        self.open = True

    async def read(self) -> None:
        """Read until the connection ends; a call in flight is lost with it."""
        try:
            async for text in self.websocket:
                await self._take(self._rpc.receive(text))
        except ConnectionClosed:
            pass
        finally:
            self.open = False
            self._conclude(NoAnswer(Why.CONNECTION_LOST, self._lost))

    async def call(self, outgoing: Outgoing, timeout_s: float) -> CallOutcome:
        """Make a CALL and wait for what becomes of it; real seconds."""
        message = outgoing.message
        call = self._rpc.call(outgoing.message_id, message.action, message.payload)
        self._outgoing, self._lost = outgoing, None
        self._outcome = asyncio.get_running_loop().create_future()
        try:
            await self.websocket.send(encode(call))
            if self._faults.take(Fault.DROP_AFTER_SENDING, message.action, outgoing.kind):
                self.drop()
            return await asyncio.wait_for(self._outcome, timeout_s)
        except ConnectionClosed:
            self.open = False  # the reader has not run yet, and would not while the caller tries again at once
            return NoAnswer(Why.CONNECTION_LOST)
        except TimeoutError:
            return NoAnswer(Why.TIMEOUT, self._lost)
        finally:
            self._rpc.give_up()

    async def send(self, text: str) -> None:
        """Write anything at all."""
        await self.websocket.send(text)

    def drop(self) -> None:
        """Tear the connection down without a word, as a lost network does."""
        self.websocket.transport.abort()

    async def close(self) -> None:
        """Close the connection in good order."""
        await self.websocket.close()

    async def _take(self, received: Received) -> None:
        match received:
            case Concluded(outcome, reply):
                self._settle(outcome)
                response = Response(reply)
            case Requested() | Malformed() | ResultRejected() | StrayAnswer():
                response = self._answering(received)
        try:
            if response.frame is not None:
                await self.websocket.send(encode(response.frame))
        finally:
            if response.then is not None:
                response.then()

    def _settle(self, outcome: Answer | Refusal) -> None:
        outgoing = self._outgoing
        if outgoing is not None and self._faults.take(Fault.LOSE_ANSWER, outgoing.message.action, outgoing.kind):
            self._lost = outcome
            return
        self._conclude(outcome)

    def _conclude(self, outcome: CallOutcome) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(outcome)

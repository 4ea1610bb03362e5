"""One socket of a raw station: it finds the answer to each call, and answers what the CSMS asks as a test says."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]
Frame = list[Any]

_CALL: Final = 2
_RESULT: Final = 3
_ERROR: Final = 4
_WITHIN_S: Final = 60.0


class RefusedError(Exception):
    """A call was answered with a CALLERROR; `code` is its error code."""

    def __init__(self, code: str, description: str, details: Json) -> None:
        self.code = code
        self.details = details
        super().__init__(f"{code}: {description} {details}")


class SocketClosedError(Exception):
    """The socket was closed before what a test waits for came; `code` is the close code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(f"closed with {code} {reason}")


class RawSocket:
    """A connection of a raw station.

    Args:
        connection: opened already.
        replies: payloads for what the CSMS asks, by action, or the error with which it is refused; a missing one is
            refused as NotImplemented.
    """

    def __init__(self, connection: ClientConnection, replies: Mapping[str, Json | RefusedError]) -> None:
        self.connection = connection
        self._replies = replies
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._unexpected: deque[Frame] = deque()
        self._asked: deque[tuple[str, Json]] = deque()
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def send(self, text: str | bytes) -> None:
        """Send a text frame as it stands; bytes are sent as text, whatever they hold."""
        await self.connection.send(text, text=True)

    async def call(self, message_id: str, action: str, payload: object) -> Json:
        """Send a CALL and return the payload of its answer.

        Raises:
            RefusedError: it was a CALLERROR.
            SocketClosedError: none came any more.
        """
        answer = self._waiting[message_id] = asyncio.get_running_loop().create_future()
        if self._reading.done():
            self._lose()
        else:
            await self.send(json.dumps([_CALL, message_id, action, payload]))
        return await asyncio.wait_for(answer, _WITHIN_S)

    async def receive(self) -> Frame:
        """Return the next frame that answers none of `call`'s calls, such as those to what `send` sent."""
        frame: Frame = await self._next(self._unexpected)
        return frame

    async def asked(self, action: str) -> Json:
        """Return the payload of the next call of the CSMS with that action; those before it are passed over."""
        while True:
            name: str
            payload: Json
            name, payload = await self._next(self._asked)
            if name == action:
                return payload

    async def close(self) -> None:
        """Close the connection as a station does that shuts down."""
        await self.connection.close()
        await self._reading

    async def cut(self) -> None:
        """Break the connection without a word; what was sent may not have been read."""
        self.connection.transport.abort()
        await self._reading

    async def closed(self) -> SocketClosedError:
        """Wait until the CSMS has closed the connection, and tell how."""
        await asyncio.wait_for(asyncio.shield(self._reading), _WITHIN_S)
        return self._loss()

    async def _next(self, found: deque[Any]) -> Any:  # noqa: ANN401 - of either deque
        async with asyncio.timeout(_WITHIN_S), self._news:
            await self._news.wait_for(lambda: found or self._reading.done())
        if not found:
            raise self._loss()
        return found.popleft()

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                await self._take(json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self._lose()
            async with self._news:
                self._news.notify_all()

    async def _take(self, frame: Frame) -> None:
        match frame:
            case [3, str(message_id), payload] if message_id in self._waiting:
                self._waiting.pop(message_id).set_result(payload)
            case [4, str(message_id), code, description, details] if message_id in self._waiting:
                self._waiting.pop(message_id).set_exception(RefusedError(code, description, details))
            case [2, message_id, action, payload]:
                await self._reply(message_id, action)
                self._asked.append((action, payload))
            case _:
                self._unexpected.append(frame)
        async with self._news:
            self._news.notify_all()

    async def _reply(self, message_id: str, action: str) -> None:
        reply = self._replies.get(action)
        if reply is None or isinstance(reply, RefusedError):
            code, details = ("NotImplemented", {}) if reply is None else (reply.code, reply.details)
            await self.send(json.dumps([_ERROR, message_id, code, "", details]))
        else:
            await self.send(json.dumps([_RESULT, message_id, reply]))

    def _lose(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(self._loss())

    def _loss(self) -> SocketClosedError:
        return SocketClosedError(self.connection.close_code or 0, self.connection.close_reason or "")

"""Messages that are not about a transaction: they go out in order while the station is online, and are not kept."""

import asyncio
from collections import deque
from dataclasses import dataclass

from chargebus_station.effects import Message
from chargebus_station.registration import Origin, Registration
from chargebus_station.rpc import CallOutcome, NoAnswer, Why


@dataclass(frozen=True)
class Request:
    """A message that waits for its turn, and who waits for its outcome."""

    message: Message
    origin: Origin
    outcome: asyncio.Future[CallOutcome]


class MessageQueue:
    """In order of arrival; `work` is set when there may be something to send."""

    def __init__(self) -> None:
        self.work = asyncio.Event()
        self._requests: deque[Request] = deque()

    def put(self, message: Message, origin: Origin = Origin.STATION) -> asyncio.Future[CallOutcome]:
        """Queue a message; the future tells what became of it."""
        request = Request(message, origin, asyncio.get_running_loop().create_future())
        self._requests.append(request)
        self.work.set()
        return request.outcome

    def holds(self, action: str) -> bool:
        """Whether a message of this action waits already."""
        return any(request.message.action == action for request in self._requests)

    def next(self, registration: Registration) -> Request | None:
        """Take the first message that may go out."""
        for request in self._requests:
            if registration.may_send(request.origin):
                self._requests.remove(request)
                return request
        return None

    def flush(self) -> None:
        """Drop everything: the station is offline."""
        requests, self._requests = self._requests, deque()
        for request in requests:
            if not request.outcome.done():
                request.outcome.set_result(NoAnswer(Why.OFFLINE))

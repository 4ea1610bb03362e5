"""How a queue gets through: in its order, over a line that breaks before and after a message is heard."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final, Protocol

from chargebus_testkit.offline.lives import Life
from chargebus_testkit.offline.telling import ISSUED, Told, queue

Json = dict[str, Any]

_DROPPED: Final = 0.04
_UNHEARD: Final = 0.08
_LOST_POWER: Final = 0.02


class Line(Protocol):
    """A station's way to the CSMS."""

    async def open(self) -> None:
        """Connect."""

    async def boot(self) -> None:
        """Send a BootNotification; the station has just got power, or learns the time."""

    async def call(self, message_id: str, action: str, payload: Mapping[str, object]) -> Json:
        """Send a call and return the payload of its answer."""

    async def say(self, message_id: str, action: str, payload: Mapping[str, object]) -> None:
        """Send a call whose answer does not come back; it may have been heard."""

    async def cut(self) -> None:
        """Break the connection."""


async def deliver(life: Life, line: Line) -> int:
    """Bring a station's queue through, with cuts and resends; return how many messages were sent, some again."""
    return await _Delivery(life, line).run()


class _Delivery:
    def __init__(self, life: Life, line: Line) -> None:
        self._life = life
        self._line = line
        self._queue = queue(life)
        self._dice = random.Random(f"the line of {life.station_id}")  # noqa: S311 - a test's dice
        self._issued: dict[int, int] = {}
        self._sent = 0

    async def run(self) -> int:
        noted = 0  # up to where the station knows that it was answered
        for contact in self._life.contacts:
            until = sum(told.happening.at <= contact for told in self._queue)
            await self._line.open()
            await self._line.boot()
            while noted < until:
                noted = await self._send(noted, min(until, noted + self._life.make.ahead))
            await self._line.cut()
        return self._sent

    async def _send(self, place: int, until: int) -> int:
        """Send messages of the queue and return which one comes next."""
        fate = self._dice.random()
        if fate < _DROPPED:
            await self._reopen()
            return place
        places = range(place, until)
        if fate < _DROPPED + _UNHEARD:
            for each in places:
                await self._line.say(*self._message(each))
            await self._reopen()
            return place
        answers = await asyncio.gather(*(self._line.call(*self._message(each)) for each in places))
        for each, answer in zip(places, answers, strict=True):
            if ISSUED in answer:
                self._issued[self._queue[each].charge.number] = answer[ISSUED]
        if fate < 1 - _LOST_POWER:
            return until
        await self._reopen()
        await self._line.boot()
        return max(0, until - self._dice.randint(0, self._life.make.forgets))

    def _message(self, place: int) -> tuple[str, str, Json]:
        self._sent += 1
        told = self._queue[place]
        number = place if self._life.make.same_message_id else self._sent
        return f"q{number}", told.action, self._filled_in(told)

    def _filled_in(self, told: Told) -> Json:
        """Return the payload with the id that was issued for its transaction, if that is to be in it."""
        if told.action != "StopTransaction":
            return told.payload
        return {**told.payload, ISSUED: self._issued[told.charge.number]}

    async def _reopen(self) -> None:
        await self._line.cut()
        await self._line.open()

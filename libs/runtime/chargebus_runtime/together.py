"""Calls that come at the same time, done as one: a transaction for all of them instead of one for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from chargebus_runtime.away import is_away

K = TypeVar("K")
V = TypeVar("V")


class Together(Generic[K, V]):
    """What callers ask for one by one, carried out in pieces.

    A piece is what came in one turn of the loop, or while the piece before it was under way: nobody waits for others.

    Args:
        carry_out: does it for one or several, in the order in which they came, and returns what each caller gets; an
            exception in its place is raised there. What it raises befalls the whole piece: one that is alone in it, or
            all where the database is away; otherwise each is tried alone, so that the guilty one harms nobody.
        most: how many are taken at once.
    """

    def __init__(self, carry_out: Callable[[Sequence[K]], Awaitable[Sequence[V | Exception]]], most: int = 100) -> None:
        self._carry_out = carry_out
        self._most = most
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, item: K) -> V:
        """Carry out one, with those that came at the same time."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="calls together")
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # those that come in this turn come along
                piece, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer([each for each in piece if not each[1].done()])  # who has left is left out
        finally:
            self._working = None

    async def _answer(self, piece: "Sequence[tuple[K, asyncio.Future[V]]]") -> None:
        if not piece:
            return
        try:
            done = await self._carry_out([item for item, _ in piece])
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            if len(piece) > 1 and not is_away(error):
                for alone in piece:
                    await self._answer([alone])
                return
            done = [error] * len(piece)
        for (_, answer), each in zip(piece, done, strict=True):
            if answer.done():
                continue
            if isinstance(each, Exception):
                answer.set_exception(each)
            else:
                answer.set_result(each)

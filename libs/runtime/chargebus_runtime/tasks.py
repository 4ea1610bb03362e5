"""What time does in a service: work that repeats, and rows that fall due."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.retry import until_done
from chargebus_runtime.service import Hook

T = TypeVar("T")

Action = Callable[[], Awaitable[None]]


def every(seconds: float, what: str, action: Action) -> Hook:
    """Return a task that acts, rests for `seconds`, and so on until it is cancelled.

    Where the database is away or transactions are in each other's way it tries again; any other error ends the task,
    and the process with it. `what` says in the log what is being done ("counting stations").
    """

    async def repeat() -> None:
        while True:
            await until_done(what, action, is_away, *CONFLICT)
            await asyncio.sleep(seconds)

    return repeat


@dataclass(frozen=True)
class DueWork(Generic[T]):
    """A sweeper: carries out what is due, piece by piece, each in a transaction of its own; any copy may do so.

    Attributes:
        database: where it lies.
        piece: the most that is taken at once.
        take: returns up to `piece` of what is due at the transaction's `now`, with its rows locked. It passes over
            what another copy holds (FOR UPDATE SKIP LOCKED), so that no two do the same and none waits.
        carry_out: does what is to be done with what was taken; returns how much of it is due no more.
    """

    database: Database
    piece: int
    take: Callable[[Transaction, int], Awaitable[Sequence[T]]]
    carry_out: Callable[[Transaction, Sequence[T]], Awaitable[int]]

    async def sweep(self) -> None:
        """Carry out all that is due: until a piece is not full, or nothing of it could be done."""
        more = True
        while more:
            more = await self.sweep_some()

    async def sweep_some(self) -> bool:
        """Carry out a piece, where there is a limit to what is done at once; tell whether there may be more."""
        async with self.database.transaction() as tx:
            taken = await self.take(tx, self.piece)
            done = await self.carry_out(tx, taken) if taken else 0
        return done > 0 and len(taken) >= self.piece

"""Calls that wait are answered: each copy of the service takes some, finds out what they need, and ends them.

Who is about a call has written so into its row, until a moment that is later than anything takes: if it dies, another
copy is about it after that; if it is stopped, at once. Each action has room of its own: vehicles that wait for a pool
hold up no driver.

A copy looks for calls when a batch of its own has committed some, when one has ended, and from time to time, for what
other copies left behind.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from chargebus_ocppj.errors import InternalRpcError
from chargebus_ocppj.versions import as_version
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.batch import Batch
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.retry import until_done
from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_calls.waiting import store
from chargebus_calls.waiting.calls import Ended, Finish, Kind, WaitingCall, Work
from chargebus_calls.waiting.store import Wanted

log = logging.getLogger(__name__)

_SWEEP_EVERY_S: Final = 2.0
_PRUNE_EVERY_S: Final = 30.0
_AT_ONCE: Final = 500
"""How many calls of an action a copy is about at the same time."""

_RELEASE_WITHIN_S: Final = 5.0
_WAITED_FOR: Final = timedelta(seconds=120)
"""How long an edge holds a call: nobody waits for an answer after that."""

_KEPT: Final = timedelta(hours=1)


class WaitingCalls:
    """Keeps calls that wait, and answers them for as long as its `tasks` run.

    Args:
        service: who answers.
        database: of the service; it has the table of `create_waiting_tables`.
        kinds: how calls are treated, by their action; others are left to whoever knows them.
        gave_up: counts a call, by action and outcome, that nobody waits for any more (expired) or that our code failed
            at (error).
    """

    def __init__(
        self, service: str, database: Database, kinds: Mapping[str, Kind], gave_up: Callable[[str, str], None]
    ) -> None:
        self._source = f"/{service}"
        self._database = database
        self._kinds = dict(kinds)
        self._gave_up = gave_up
        self._wakes = {action: asyncio.Event() for action in kinds}
        self._under_way = dict.fromkeys(kinds, 0)
        self._left: list[WaitingCall] = []

    @property
    def tasks(self) -> Sequence[Hook]:
        """What is to run for as long as the service does."""
        return (self.run, every(_PRUNE_EVERY_S, "dropping calls that waited", self.prune))

    async def add(self, batch: Batch, calls: Sequence[WaitingCall]) -> None:
        """Have calls wait, as soon as their batch is committed."""
        if calls:
            await store.add(batch.connection, calls, batch.now)
            for action in {each.frame.action for each in calls}:
                batch.after_commit(self._wakes[action].set)

    async def run(self) -> None:
        """Look for calls that wait, and answer them."""
        try:
            async with asyncio.TaskGroup() as answering:
                for action in self._kinds:
                    answering.create_task(self._serve(action, answering))
        finally:
            await self._release()

    async def prune(self) -> None:
        """Give up calls that nobody waits for, and drop what is over."""
        async with self._database.transaction() as tx:
            expired = await store.expire(tx.connection, tx.now - _WAITED_FOR)
            await store.prune(tx.connection, tx.now - _KEPT)
        for action in expired:
            self._gave_up(action, "expired")

    async def _serve(self, action: str, answering: asyncio.TaskGroup) -> None:
        look, wake = partial(self._look, action, answering), self._wakes[action]
        while True:
            wake.clear()
            await until_done("looking for calls", look, is_away, *CONFLICT)
            try:
                async with asyncio.timeout(_SWEEP_EVERY_S):
                    await wake.wait()
            except TimeoutError:
                continue

    async def _look(self, action: str, answering: asyncio.TaskGroup) -> None:
        free = _AT_ONCE - self._under_way[action]
        if free <= 0:
            return
        kind = self._kinds[action]
        async with self._database.transaction() as tx:
            wanted = Wanted(action, free, kind.of_station)
            taken = await store.claim(tx.connection, wanted, tx.now, tx.now + kind.lease)
            for call_id in taken.unreadable:
                await store.end(tx.connection, call_id, "error")
        for call_id, why in taken.unreadable.items():
            log.error("%s that waited cannot be read, and is not answered: %s: %s", action, call_id, why)
            self._gave_up(action, "error")
        for call in taken.calls:
            self._under_way[action] += 1
            answering.create_task(self._answer(call, kind.work))

    async def _answer(self, call: WaitingCall, work: Work) -> None:
        action = call.frame.action
        try:
            await self._work(call, work)
        except asyncio.CancelledError:
            self._left.append(call)
            raise
        finally:
            self._under_way[action] -= 1
        self._wakes[action].set()  # there is room for the next one of this station

    async def _work(self, call: WaitingCall, work: Work) -> None:
        """Do what a call needs, and end it; where our code fails at it, it ends so, and the others go on."""
        try:
            finish = await work(call)
            await until_done("answering a call", partial(self._end, call, finish), is_away, *CONFLICT)
        except Exception:
            log.exception("%s of %s cannot be handled: %s", call.frame.action, call.frame.station_id, call.frame.id)
            failed = partial(self._end, call, partial(self._failed, call))
            await until_done("ending a call", failed, is_away, *CONFLICT)
            self._gave_up(call.frame.action, "error")

    async def _end(self, call: WaitingCall, finish: Finish) -> None:
        async with self._database.transaction() as tx:
            ended = await finish(tx)
            if await store.end(tx.connection, call.frame.id, ended.outcome):
                tx.send(ended.record)

    async def _failed(self, call: WaitingCall, tx: Transaction) -> Ended:
        frame = call.frame
        error = InternalRpcError(as_version(frame.version), "The CSMS could not handle this message.")
        return Ended("error", frame.error(error.code, error.description, self._source, tx.now))

    async def _release(self) -> None:
        """Leave what is under way to other copies: those who wait for it do so no longer than they have to."""
        if not self._left:
            return
        try:
            async with asyncio.timeout(_RELEASE_WITHIN_S), self._database.transaction() as tx:
                await store.release(tx.connection, self._left, tx.now)
        except Exception as error:
            if not isinstance(error, TimeoutError) and not is_away(error):
                raise
            log.warning("%d calls are taken by other copies later: %r", len(self._left), error)

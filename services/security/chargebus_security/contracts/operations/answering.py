"""Calls that wait are answered: each copy of the service takes some, finds out what they need, and ends them.

Who is about a call has written so into its row, until a moment that is later than anything takes: if it dies, another
copy is about it after that; if it is stopped, at once. Each action has room of its own: vehicles that wait for a pool
hold up no driver.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec
from chargebus_events.record import Record
from chargebus_ocppj.errors import InternalRpcError
from chargebus_ocppj.versions import as_version
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.retry import until_done

from chargebus_security.contracts import store
from chargebus_security.contracts.store import WaitingCall, Wanted
from chargebus_security.metrics import Metrics
from chargebus_security.names import SOURCE

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.2
_AT_ONCE: Final = 500
_OF_A_STATION: Final = 4
"""How many calls of an action a copy is about at the same time, and how many of a station all copies are."""

_RELEASE_WITHIN_S: Final = 5.0
_WAITED_FOR: Final = timedelta(seconds=120)
"""How long an edge holds a call: nobody waits for an answer after that."""

_KEPT: Final = timedelta(hours=1)


class Ended(msgspec.Struct, frozen=True):
    """How a call ended, and the record that tells of it."""

    outcome: str
    record: Record


Finish = Callable[[Transaction], Awaitable[Ended]]
"""Returns how a call ends, in the transaction that ends it."""

Work = Callable[[WaitingCall], Awaitable[Finish]]
"""Finds out, outside of any transaction, what a call needs."""


class Kind(msgspec.Struct, frozen=True):
    """What is done for the calls of an action, and how long a copy may be about one."""

    work: Work
    lease: timedelta


class Answering:
    """Answers what waits; `run` does so until it is cancelled.

    Args:
        database: of the service.
        metrics: of the service.
        kinds: how calls are treated, by their action; others are left to whoever knows them.
    """

    def __init__(self, database: Database, metrics: Metrics, kinds: Mapping[str, Kind]) -> None:
        self._database = database
        self._metrics = metrics
        self._kinds = dict(kinds)
        self._under_way = dict.fromkeys(kinds, 0)
        self._left: list[WaitingCall] = []

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
            for action in await store.expire(tx.connection, tx.now - _WAITED_FOR):
                self._metrics.contract_ended(action, "expired")
            await store.prune(tx.connection, tx.now - _KEPT)

    async def _serve(self, action: str, answering: asyncio.TaskGroup) -> None:
        look = partial(self._look, action, answering)
        while True:
            await until_done("looking for calls", look, is_away, *CONFLICT)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self, action: str, answering: asyncio.TaskGroup) -> None:
        free = _AT_ONCE - self._under_way[action]
        if free <= 0:
            return
        kind = self._kinds[action]
        async with self._database.transaction() as tx:
            wanted = Wanted(action, free, _OF_A_STATION)
            taken = await store.claim(tx.connection, wanted, tx.now, tx.now + kind.lease)
        for call in taken:
            self._under_way[action] += 1
            answering.create_task(self._answer(call, kind.work))

    async def _answer(self, call: WaitingCall, work: Work) -> None:
        try:
            await self._work(call, work)
        except asyncio.CancelledError:
            self._left.append(call)
            raise
        finally:
            self._under_way[call.frame.action] -= 1

    async def _work(self, call: WaitingCall, work: Work) -> None:
        """Do what a call needs, and end it; where our code fails at it, it ends so, and the others go on."""
        try:
            finish = await work(call)
            await until_done("answering a call", partial(self._end, call, finish), is_away, *CONFLICT)
        except Exception:
            log.exception("%s of %s cannot be handled: %s", call.frame.action, call.frame.station_id, call.frame.id)
            await until_done("ending a call", partial(self._end, call, partial(_failed, call)), is_away, *CONFLICT)
            self._metrics.contract_ended(call.frame.action, "error")

    async def _end(self, call: WaitingCall, finish: Finish) -> None:
        async with self._database.transaction() as tx:
            ended = await finish(tx)
            if await store.end(tx.connection, call, ended.outcome):
                tx.send(ended.record)

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


async def _failed(call: WaitingCall, tx: Transaction) -> Ended:
    frame = call.frame
    error = InternalRpcError(as_version(frame.version), "The CSMS could not handle this message.")
    return Ended("error", frame.error(error.code, error.description, SOURCE, tx.now))

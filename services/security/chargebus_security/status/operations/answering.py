"""Calls that wait are answered: each copy of the service takes some, finds out what they ask, and answers them.

Who is about a call has written so into its row, until a moment that is later than anything takes: if it dies, another
copy is about it after that.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from chargebus_ocppj.schemas import encode_result
from chargebus_ocppj.versions import as_version
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database
from chargebus_runtime.retry import until_done

from chargebus_security.metrics import Metrics
from chargebus_security.names import SOURCE
from chargebus_security.status import store
from chargebus_security.status.domain.asked import Found, Question
from chargebus_security.status.operations.lookups import Lookups
from chargebus_security.status.routes import row_of
from chargebus_security.status.store import WaitingCall

_LOOK_EVERY_S: Final = 0.2
_AT_ONCE: Final = 500
_LEASE: Final = timedelta(seconds=60)
_WAITED_FOR: Final = timedelta(seconds=120)
"""How long an edge holds a call: nobody waits for an answer after that."""


class Answering:
    """Answers what waits; `run` does so until it is cancelled."""

    def __init__(self, database: Database, lookups: Lookups, metrics: Metrics) -> None:
        self._database = database
        self._lookups = lookups
        self._metrics = metrics
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look for calls that wait, and answer them."""
        try:
            async with asyncio.TaskGroup() as answering:
                while True:
                    await until_done("looking for calls", lambda: self._look(answering), is_away, *CONFLICT)
                    await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            await self._lookups.stop()

    async def prune(self) -> None:
        """Drop answers that do not count any more, and calls that nobody waits for."""
        async with self._database.transaction() as tx:
            await store.prune(tx.connection, tx.now)
            self._metrics.status_expired(await store.expire(tx.connection, tx.now - _WAITED_FOR))

    async def _look(self, answering: asyncio.TaskGroup) -> None:
        free = _AT_ONCE - len(self._under_way)
        if free <= 0:
            return
        async with self._database.transaction() as tx:
            taken = await store.claim(tx.connection, tx.now, tx.now + _LEASE, free)
        for call in taken:
            task = answering.create_task(self._answer(call))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answer(self, call: WaitingCall) -> None:
        asked = (self._lookups.find(each, call.frame.station_id) for each in call.questions)
        found = await asyncio.gather(*asked)
        by_question = dict(zip(call.questions, found, strict=True))
        await until_done("answering a call", partial(self._end, call, by_question), is_away, *CONFLICT)

    async def _end(self, call: WaitingCall, found: Mapping[Question, Found]) -> None:
        frame = call.frame
        answer = row_of(frame.version, frame.action).answer
        if answer is None:
            raise TypeError(f"the edge answers {frame.action} of OCPP {frame.version}")
        async with self._database.transaction() as tx:
            if not await store.end(tx.connection, call):
                return
            payload = answer(call.questions, [found[each] for each in call.questions])
            if not isinstance(payload, bytes):
                payload = encode_result(as_version(frame.version), frame.action, payload)
            tx.send(frame.answer(payload, SOURCE, tx.now))
        self._metrics.status_answered(frame.action, "asked")

"""What time does to logs: they are given up, their files are deleted, and at last they are forgotten."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from chargebus_objects import Objects, ObjectsError
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_firmware.logs.domain import log as domain
from chargebus_firmware.logs.domain.log import Log, Patience
from chargebus_firmware.logs.store import files, logs
from chargebus_firmware.metrics import Metrics

log_ = logging.getLogger(__name__)

_AT_ONCE: Final = 100
_EXPIRING_AT_ONCE: Final = 20
_FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC), 0)


class Keeping:
    """Sweeps over logs; any copy may do so."""

    def __init__(
        self, database: Database, objects: Objects, patience: Patience, clock: Clock, metrics: Metrics
    ) -> None:
        self._database = database
        self._objects = objects
        self._patience = patience
        self._clock = clock
        self._metrics = metrics
        self._due = DueWork(database, _AT_ONCE, self._take_due, self._pass_time)

    async def give_up(self) -> None:
        """Give up what does not come, take stalled uploads for pieces, and forget what ended long ago."""
        await self._due.sweep()

    async def expire(self) -> None:
        """Delete the files of logs that were kept for their time; one that cannot be deleted now is tried next time."""
        after = _FIRST
        while True:
            async with self._database.pool.acquire() as connection:
                some = await logs.expiring(connection, self._clock(), after, _EXPIRING_AT_ONCE)
            for log in some:
                await self._expire(log)
                after = (log.expires_at or after[0], log.log_id)
            if len(some) < _EXPIRING_AT_ONCE:
                return

    async def _expire(self, log: Log) -> None:
        try:
            await files.drop(self._objects, log.key)
        except ObjectsError as error:
            log_.warning("the files of log %d are deleted later: %s", log.log_id, error)
            return
        async with self._database.transaction() as tx:
            known = (await logs.lock(tx.connection, [log.log_id])).get(log.log_id)
            if known is not None and known.expires_at == log.expires_at:
                await logs.change(tx, {known.log_id: known}, [domain.expired(known, tx.now)], self._patience)
                self._metrics.logs_expired.add(1)

    async def _take_due(self, tx: Transaction, limit: int) -> Sequence[Log]:
        return await logs.take_due(tx.connection, tx.now, limit)

    async def _pass_time(self, tx: Transaction, due: Sequence[Log]) -> int:
        old = [log.log_id for log in due if domain.is_forgotten(log, tx.now, self._patience)]
        changed = [domain.after(log, tx.now, self._patience) for log in due if log.log_id not in old]
        await logs.forget(tx.connection, old)
        before = {log.log_id: log for log in due}
        await logs.change(tx, before, changed, self._patience)
        for log in changed:
            if before[log.log_id].is_open and not log.is_open:
                self._metrics.logs_given_up.add(1, {"reason": log.reason})
        return len(old) + sum(domain.due_at(log, self._patience) > tx.now for log in changed)

"""What time does to commands: deadlines, expiry, stations that are back without a word, and the ledger's end.

Any number of copies may sweep: each takes the stations that no other holds. An idle sweep is one small query.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from chargebus_runtime.database import AWAY, CONFLICT, Database
from chargebus_runtime.retry import until_done

from chargebus_command import stations
from chargebus_command.desk import Case, Desk
from chargebus_command.metrics import CommandMetrics
from chargebus_command.records import outgoing

# A command is due when its deadline or its life is over, or when it waits while its station could take it: an edge
# that was silent speaks again, or a connection that was left alone may be tried again. Nothing announces those two.
_DUE = """
SELECT station_id FROM command WHERE state <> 'ended' AND due_at <= $1
UNION
SELECT c.station_id FROM command AS c JOIN station AS s USING (station_id) JOIN edge AS e ON e.slot = s.slot
WHERE c.state <> 'ended' AND c.state = 'queued' AND s.connected AND e.epoch = s.edge_epoch AND NOT e.stopped
    AND e.seen_at >= $2 AND (s.void_epoch IS DISTINCT FROM s.epoch OR s.void_until <= $1)
    AND NOT EXISTS (SELECT FROM command AS f WHERE f.station_id = c.station_id AND f.state = 'sent')
LIMIT $3
"""
_COUNT = "SELECT state, count(*) AS open FROM command WHERE state <> 'ended' GROUP BY state"
_PRUNE = """
DELETE FROM command WHERE number IN (
    SELECT number FROM (SELECT number, ended_at FROM command WHERE state = 'ended' ORDER BY number LIMIT $2) AS oldest
    WHERE ended_at < $1)
"""
_PRUNE_AT_ONCE = 1000


@dataclass(frozen=True)
class SweepTimes:
    """How often, and how much at once."""

    sweep_every_s: float
    sweep_stations: int
    census_every_s: float
    keep_days: float


class Sweeper:
    """Looks after what no record announces."""

    def __init__(self, database: Database, desk: Desk, metrics: CommandMetrics, times: SweepTimes) -> None:
        self._database = database
        self._desk = desk
        self._metrics = metrics
        self._times = times

    async def sweep_for_ever(self) -> None:
        """Sweep until cancelled."""
        await _repeat("sweeping the commands", self.sweep, self._times.sweep_every_s)

    async def count_for_ever(self) -> None:
        """Count and prune until cancelled."""
        await _repeat("counting the commands", self.take_census, self._times.census_every_s)

    async def sweep(self) -> None:
        """Carry out all that is due."""
        while await self._sweep_some() >= self._times.sweep_stations:
            pass

    async def take_census(self) -> None:
        """Count the open commands, and delete some of the oldest ended ones."""
        pool = self._database.pool
        self._metrics.count_open({row["state"]: row["open"] for row in await pool.fetch(_COUNT)})
        async with self._database.transaction() as tx:
            await tx.connection.execute(_PRUNE, tx.now - timedelta(days=self._times.keep_days), _PRUNE_AT_ONCE)

    async def _sweep_some(self) -> int:
        """Take some of what is due; return how many stations that moved."""
        async with self._database.transaction() as tx:
            due = await self._due(tx.connection, tx.now)
            if not due:
                return 0
            taken = await stations.take(tx.connection, await stations.lock_free(tx.connection, due))
            case = Case(taken, await stations.load_edges(tx.connection), tx.now)
            decisions = (await self._desk.carry_out(tx.connection, case)).values()
            for decision in decisions:
                for record in outgoing(decision):
                    tx.send(record)
        return sum(1 for decision in decisions if decision.ended or decision.sent is not None)

    async def _due(self, connection: asyncpg.Connection, now: datetime) -> list[str]:
        silent_since = now - timedelta(seconds=self._desk.rules.edge_silence_s)
        rows = await connection.fetch(_DUE, now, silent_since, self._times.sweep_stations)
        return [row["station_id"] for row in rows]


async def _repeat(what: str, action: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        await until_done(what, action, *AWAY, *CONFLICT)
        await asyncio.sleep(every_s)

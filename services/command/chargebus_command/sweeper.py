"""What time does to commands: deadlines, expiry, stations that are back without a word, and the ledger's end.

Any number of copies may sweep: each takes the stations that no other holds. An idle sweep is one small query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import DueWork, every

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
        self._due = DueWork(database, times.sweep_stations, self._take, self._carry_out)

    @property
    def tasks(self) -> Sequence[Hook]:
        """What is to run for as long as the service does."""
        return (
            every(self._times.sweep_every_s, "sweeping the commands", self.sweep),
            every(self._times.census_every_s, "counting the commands", self.take_census),
        )

    async def sweep(self) -> None:
        """Carry out all that is due."""
        await self._due.sweep()

    async def take_census(self) -> None:
        """Count the open commands, and delete some of the oldest ended ones."""
        pool = self._database.pool
        self._metrics.count_open({row["state"]: row["open"] for row in await pool.fetch(_COUNT)})
        async with self._database.transaction() as tx:
            await tx.connection.execute(_PRUNE, tx.now - timedelta(days=self._times.keep_days), _PRUNE_AT_ONCE)

    async def _take(self, tx: Transaction, limit: int) -> Sequence[str]:
        """Return stations with something due that no other copy looks after, locked."""
        silent_since = tx.now - timedelta(seconds=self._desk.rules.edge_silence_s)
        rows = await tx.connection.fetch(_DUE, tx.now, silent_since, limit)
        return await stations.lock_free(tx.connection, [row["station_id"] for row in rows]) if rows else []

    async def _carry_out(self, tx: Transaction, station_ids: Sequence[str]) -> int:
        """Decide for stations; return for how many of them that moved something."""
        taken = await stations.take(tx.connection, station_ids)
        case = Case(taken, await stations.load_edges(tx.connection), tx.now)
        decisions = (await self._desk.carry_out(tx.connection, case)).values()
        for decision in decisions:
            for record in outgoing(decision):
                tx.send(record)
        return sum(1 for decision in decisions if decision.ended or decision.sent is not None)

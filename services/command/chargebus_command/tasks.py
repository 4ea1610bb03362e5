"""What time does to commands: deadlines, expiry, stations that are back without a word, and the ledger's end.

Any number of copies may sweep: each takes the stations that no other holds. An idle sweep is one small query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import DueWork, every

from chargebus_command.block import Queues, Situation
from chargebus_command.metrics import Metrics
from chargebus_command.store import stations

# A command is due when its deadline or its life is over; when it waits while its station could take it: an edge that
# was silent speaks again, or a connection that was left alone, or a station that was pending, may be tried again; or
# when it was sent through an edge that is no more. No record announces those.
_DUE = """
SELECT station_id FROM command WHERE state <> 'ended' AND due_at <= $1
UNION
SELECT c.station_id FROM command AS c JOIN station AS s USING (station_id)
    JOIN unnest($2::int[], $3::bigint[]) AS living (slot, epoch) ON living.slot = s.slot AND living.epoch = s.edge_epoch
WHERE c.state <> 'ended' AND c.state = 'queued' AND s.connected
    AND (c.held_until IS NULL OR c.held_until <= $1)
    AND (s.avoided_epoch IS DISTINCT FROM s.epoch OR s.avoided_until <= $1)
    AND NOT EXISTS (SELECT FROM command AS f WHERE f.station_id = c.station_id AND f.state = 'sent')
UNION
SELECT c.station_id FROM command AS c JOIN station AS s USING (station_id)
    JOIN unnest($4::int[], $5::bigint[]) AS over (slot, before) ON over.slot = s.slot AND s.edge_epoch < over.before
WHERE c.state <> 'ended' AND c.state = 'sent' AND c.due_at > $6
LIMIT $7
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

    def __init__(self, database: Database, queues: Queues, metrics: Metrics, times: SweepTimes) -> None:
        self._database = database
        self._queues = queues
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
        living, ended = _columns(self._queues.living_edges()), _columns(self._queues.ended_edges())
        soon = tx.now + timedelta(seconds=self._queues.rules.lost_grace_s)
        rows = await tx.connection.fetch(_DUE, tx.now, *living, *ended, soon, limit)
        return await stations.lock_free(tx.connection, [row["station_id"] for row in rows]) if rows else []

    async def _carry_out(self, tx: Transaction, station_ids: Sequence[str]) -> int:
        """Decide for stations; return for how many of them that moved something."""
        taken = await self._queues.take(tx.connection, station_ids, tx.now)
        decisions = (await self._queues.carry_out(tx.connection, Situation(taken, tx.now))).values()
        for decision in decisions:
            for record in self._queues.records(decision):
                tx.send(record)
        return sum(1 for decision in decisions if decision.ended or decision.sent is not None)


def _columns(edges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [slot for slot, _ in edges], [epoch for _, epoch in edges]

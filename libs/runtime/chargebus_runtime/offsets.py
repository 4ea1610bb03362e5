"""Consumer offsets in the service's own database, committed with the effects of the records they count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from aiokafka import TopicPartition

from chargebus_runtime.outbox import Outgoing

_REBASE = """
UPDATE consumer_offset SET next_offset = 0, cluster_id = $1 WHERE cluster_id <> $1 RETURNING topic
"""
_CLAIM = """
INSERT INTO consumer_offset (topic, partition, next_offset, cluster_id)
SELECT topic, partition, 0, $3 FROM unnest($1::text[], $2::int[]) AS p (topic, partition)
ON CONFLICT (topic, partition) DO NOTHING
"""
_READ = """
SELECT topic, partition, next_offset FROM consumer_offset
JOIN unnest($1::text[], $2::int[]) AS p (topic, partition) USING (topic, partition)
"""
_LOCK = _READ + " ORDER BY topic, partition FOR UPDATE OF consumer_offset"
_LOCK_TOPIC = "SELECT partition FROM consumer_offset WHERE topic = $1 ORDER BY topic, partition FOR UPDATE"
_ADVANCE = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY($4::bigint[])), moved AS (
    UPDATE consumer_offset AS c SET next_offset = n.next_offset
    FROM unnest($1::text[], $2::int[], $3::bigint[]) AS n (topic, partition, next_offset)
    WHERE c.topic = n.topic AND c.partition = n.partition
)
INSERT INTO outbox (source_topic, source_partition, records, created_at)
SELECT topic, partition, records, $8 FROM unnest($5::text[], $6::int[], $7::bytea[]) AS o (topic, partition, records)
RETURNING id
"""
_HOLE = """
INSERT INTO log_hole (topic, partition, from_offset, to_offset, reason, found_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_MOVE = """
UPDATE consumer_offset SET next_offset = $4 WHERE topic = $1 AND partition = $2 AND next_offset = $3 RETURNING topic
"""
_OPEN_HOLES = """
SELECT id, topic, partition, from_offset, to_offset, reason, found_at FROM log_hole
WHERE acknowledged_at IS NULL ORDER BY id
"""
_ACKNOWLEDGE = "UPDATE log_hole SET acknowledged_at = $1 WHERE acknowledged_at IS NULL RETURNING id"


@dataclass(frozen=True)
class Hole:
    """Offsets from `start` to before `end` that can never be read, and why."""

    topic: str
    partition: int
    start: int
    end: int
    reason: str

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] offsets {self.start} to {self.end}: {self.reason}"


def _columns(partitions: Iterable[TopicPartition]) -> tuple[list[str], list[int]]:
    listed = list(partitions)
    return [tp.topic for tp in listed], [tp.partition for tp in listed]


async def rebase(connection: asyncpg.Connection, cluster_id: str) -> bool:
    """Start every partition anew if the offsets were counted on another Kafka cluster; tell whether they were."""
    return bool(await connection.fetch(_REBASE, cluster_id))


async def claim(
    connection: asyncpg.Connection, partitions: Sequence[TopicPartition], cluster_id: str
) -> dict[TopicPartition, int]:
    """Return the stored next offset of each partition, 0 for one never read before."""
    topics, numbers = _columns(partitions)
    await connection.execute(_CLAIM, topics, numbers, cluster_id)
    rows = await connection.fetch(_READ, topics, numbers)
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def lock(connection: asyncpg.Connection, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Lock the offsets of partitions until the transaction ends, in one order for all, and return them."""
    rows = await connection.fetch(_LOCK, *_columns(partitions))
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def lock_topic(connection: asyncpg.Connection, topic: str) -> None:
    """Lock the offsets of a whole topic until the transaction ends, in the order of `lock`.

    For who changes, outside of a batch, rows that batches of this topic read, decide on and write.
    """
    await connection.execute(_LOCK_TOPIC, topic)


async def reached(pool: asyncpg.Pool, goal: Mapping[TopicPartition, int]) -> bool:
    """Tell whether all records before these offsets are applied."""
    topics, numbers = _columns(goal)
    stored = {(row["topic"], row["partition"]): row["next_offset"] for row in await pool.fetch(_READ, topics, numbers)}
    return all(stored.get(place, 0) >= end for place, end in goal.items())


async def advance(
    connection: asyncpg.Connection, offsets: Mapping[TopicPartition, int], outgoing: Outgoing, now: datetime
) -> list[int]:
    """Store next offsets and what is to be sent, in one round trip; return the ids of the new outbox rows."""
    topics, numbers = _columns(offsets)
    rows = await connection.fetch(
        _ADVANCE, topics, numbers, list(offsets.values()), outgoing.sent, *outgoing.columns(), now
    )
    return [row["id"] for row in rows]


async def move(connection: asyncpg.Connection, tp: TopicPartition, seen: int, to: int) -> bool:
    """Lock the offset of a partition and move it, unless it is no longer the one that was seen; tell whether it was."""
    return bool(await connection.fetch(_MOVE, tp.topic, tp.partition, seen, to))


async def record_hole(connection: asyncpg.Connection, hole: Hole, now: datetime) -> None:
    """Keep a hole for the operator."""
    await connection.execute(_HOLE, hole.topic, hole.partition, hole.start, hole.end, hole.reason, now)


async def open_holes(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    """Return the holes that no operator acknowledged yet."""
    rows: list[asyncpg.Record] = await pool.fetch(_OPEN_HOLES)
    return rows


async def acknowledge_holes(pool: asyncpg.Pool, now: datetime) -> int:
    """Acknowledge all open holes; return how many there were."""
    return len(await pool.fetch(_ACKNOWLEDGE, now))

"""Where a consumer stands in each partition: the database's offsets, sought on assignment, verified in every batch.

A partition is read only after `establish` has sought to its stored offset, so a batch always begins there; a
stored offset that is smaller than ours means that the database was set back, and everything is sought anew.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from chargebus_events.record import Received
from chargebus_events.topics import TOPICS

from chargebus_runtime import offsets
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.offsets import Hole
from chargebus_runtime.telemetry import metrics

log = logging.getLogger(__name__)


class StaleOffsetError(Exception):
    """The stored offset is not the one this consumer read from: its partition must be sought anew."""


@dataclass(frozen=True)
class PositionParts:
    """What positions are established with."""

    service: str
    database: Database
    cluster_id: Callable[[], Awaitable[str]]
    on_new_cluster: Callable[[asyncpg.Connection], Awaitable[None]]
    clock: Clock


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]
    """The partitions this consumer holds, and the next offset that it expects in each."""

    def __init__(self, parts: PositionParts) -> None:
        self._parts = parts
        self._next: dict[TopicPartition, int] = {}
        self._assigned: set[TopicPartition] = set()
        self._cut: set[TopicPartition] = set()
        self._ends: dict[TopicPartition, int] = {}

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget partitions that another copy takes over."""
        for tp in revoked:
            self._next.pop(tp, None)
            self._assigned.discard(tp)
        self._parts.database.outbox.release(list(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Note new partitions; they are read only once `establish` has sought to their stored offsets."""
        self._assigned = set(assigned)
        self._next.clear()
        self._cut.clear()

    @property
    def established(self) -> bool:
        """Whether all assigned partitions are being read."""
        return self._assigned == set(self._next)

    def current(self, assigned: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the next offset of each partition that is held and still assigned."""
        return {tp: self._next[tp] for tp in assigned if tp in self._next}

    def behind(self, client: AIOKafkaConsumer) -> int:
        """Return how many records of our partitions Kafka is known to hold that were not applied yet."""
        held = self.current(client.assignment())
        return sum(max(0, self._ends.get(tp, 0) - at, (client.highwater(tp) or 0) - at) for tp, at in held.items())

    def wait_at(self, tp: TopicPartition, offset: int) -> bool:
        """Tell whether a partition is ours and has not got past an offset yet."""
        return tp in self._assigned and self._next.get(tp, offset) <= offset

    def lose_all(self) -> None:
        """Seek every partition anew before the next batch."""
        self._next.clear()

    def lose_end(self, partitions: Iterable[TopicPartition]) -> None:
        """Note that Kafka did not know our offsets there: the log was cut, even if it has grown past them since."""
        self._cut.update(partitions)

    async def establish(self, client: AIOKafkaConsumer) -> bool:
        """Seek to where the database says, all partitions if there is one that is not being read yet.

        Outbox rows that an earlier owner left behind go out first. A log that does not hold the stored offset
        any more is reported as a hole.

        Returns:
            Whether anything was sought: what was taken before comes again.

        Raises:
            KafkaError, IllegalStateError, StaleOffsetError, asyncpg errors: not all were sought; call again.
        """
        missing = sorted(client.assignment())
        if all(tp in self._next for tp in missing):
            return False
        stored = await self._claim(missing)
        await self._parts.database.outbox.send_left_behind(missing)
        first = await client.beginning_offsets(missing)
        last = self._ends = await client.end_offsets(missing)
        for tp in missing:
            end = min(last[tp], stored[tp] - 1) if tp in self._cut else last[tp]
            hole, start = _start(tp, stored[tp], first[tp], end)
            if start != stored[tp]:
                await self._move(tp, stored[tp], start, hole)
            client.seek(tp, start)
            self._next[tp] = start
            self._cut.discard(tp)
        return True

    def expected(self, taken: Mapping[TopicPartition, Sequence[Received]]) -> dict[TopicPartition, list[Received]]:
        """Return the records of partitions that are being read, without those from before the seek."""
        kept = {
            tp: [record for record in records if record.offset >= self._next[tp]]
            for tp, records in taken.items()
            if tp in self._next
        }
        return {tp: records for tp, records in kept.items() if records}

    def holes_before(self, records: Mapping[TopicPartition, Sequence[Received]]) -> list[Hole]:
        """Return the holes that opened while we were reading: retention ran over a consumer that lagged."""
        return [
            Hole(
                tp.topic, tp.partition, self._next[tp], group[0].offset, "retention deleted records before we read them"
            )
            for tp, group in records.items()
            if group[0].offset > self._next[tp] and not _compacted(tp.topic)
        ]

    async def leap(self, hole: Hole) -> None:
        """Go on after a hole that opened while we were reading.

        Raises:
            StaleOffsetError: the stored offset is not ours; seek anew.
        """
        tp = TopicPartition(hole.topic, hole.partition)
        await self._move(tp, hole.start, hole.end, hole)
        self.advanced({tp: hole.end})

    def verify(self, stored: Mapping[TopicPartition, int]) -> None:
        """Check stored offsets, locked, against ours: larger ones were applied by another copy, smaller ones are stale.

        Raises:
            StaleOffsetError: seek anew.
        """
        for tp, offset in stored.items():
            if offset < self._next.get(tp, offset + 1):
                raise StaleOffsetError(f"{tp.topic}[{tp.partition}]: stored {offset}, read from {self._next.get(tp)}")

    def advanced(self, new: Mapping[TopicPartition, int]) -> None:
        """Note what a committed transaction stored; of a partition that was taken from us meanwhile, nothing."""
        for tp, offset in new.items():
            if tp in self._next:
                self._next[tp] = offset

    async def _move(self, tp: TopicPartition, seen: int, to: int, hole: Hole | None) -> None:
        """Go on elsewhere than at the offset that we saw; a hole stands in health until an operator acknowledges it.

        Another copy may have moved the offset since we saw it: then the partition is that one's, and there is no hole.
        """
        async with self._parts.database.writing() as connection:
            if not await offsets.move(connection, tp, seen, to):
                raise StaleOffsetError(f"{tp.topic}[{tp.partition}]: {seen} is not the stored offset any more")
            if hole is not None:
                await offsets.record_hole(connection, hole, self._parts.clock())
        if hole is not None:
            log.error("%s can never read %s", self._parts.service, hole)
            metrics().holes.add(1, {"service": self._parts.service, "topic": hole.topic})

    async def _claim(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        cluster_id = await self._parts.cluster_id()
        async with self._parts.database.writing() as connection:
            if await offsets.rebase(connection, cluster_id):
                log.warning("%s starts from the beginning of a new Kafka cluster", self._parts.service)
                await self._parts.on_new_cluster(connection)
            return await offsets.claim(connection, partitions, cluster_id)


def _start(tp: TopicPartition, stored: int, first: int, end: int) -> tuple[Hole | None, int]:
    """Decide where to go on, and whether records are missing there."""
    if stored < first:
        hole = Hole(tp.topic, tp.partition, stored, first, "the log begins after our offset")
        never_read = stored == 0 or _compacted(tp.topic)
        return (None if never_read else hole), first
    if stored > end:
        return Hole(tp.topic, tp.partition, end, stored, "the topic is shorter than what we had read of it"), first
    return None, stored


def _compacted(topic: str) -> bool:
    declared = TOPICS.get(topic)
    return declared is not None and declared.compacted

"""The outbox: records are written in the transaction that decides them, and go out after its commit.

They are sent from memory; the rows are for the case that the process dies in between.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import msgspec
from chargebus_events.record import Record

from chargebus_runtime.producer import Producer, excess
from chargebus_runtime.telemetry import metrics

log = logging.getLogger(__name__)

SWEEP_AFTER = timedelta(seconds=15)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Record])

_INSERT = """
INSERT INTO outbox (source_topic, source_partition, records, created_at)
SELECT topic, partition, records, $4 FROM unnest($1::text[], $2::int[], $3::bytea[]) AS o (topic, partition, records)
RETURNING id
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_LEFT_BEHIND = """
SELECT id, records FROM outbox JOIN unnest($1::text[], $2::int[]) AS p (topic, partition)
ON source_topic = p.topic AND source_partition = p.partition ORDER BY id
"""
_UNSWEPT = """
SELECT id, records FROM outbox WHERE source_topic = '' AND created_at < $1
ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
"""


class RecordTooLargeError(ValueError):
    """A record is larger than Kafka takes: it could be committed, and would then never go out."""


def check_size(record: Record) -> Record:
    """Return the record.

    Raises:
        RecordTooLargeError: Kafka would never take it.
    """
    if too_large := excess(record):
        raise RecordTooLargeError(too_large)
    return record


Source = tuple[str, int]
FROM_HTTP: Source = ("", 0)


def pack(records: Sequence[Record]) -> bytes:
    """Return the stored form of records."""
    return _encoder.encode(records)


def unpack(stored: bytes) -> list[Record]:
    """Return the records of a stored form."""
    return _decoder.decode(stored)


@dataclass(frozen=True)
class Outgoing:
    """What a transaction does to the outbox: `records` by source partition go in, `sent` are the rows that go out."""

    records: Mapping[Source, Sequence[Record]]
    sent: Sequence[int] = ()

    def columns(self) -> tuple[list[str], list[int], list[bytes]]:
        """Return the columns of the rows to insert: source topic, source partition, records."""
        sources = self.records.items()
        return [topic for (topic, _), _ in sources], [part for (_, part), _ in sources], [pack(g) for _, g in sources]


async def insert(connection: asyncpg.Connection, outgoing: Outgoing, now: datetime) -> list[int]:
    """Write records inside the caller's transaction; return the rows' ids."""
    if not outgoing.records:
        return []
    rows = await connection.fetch(_INSERT, *outgoing.columns(), now)
    return [row["id"] for row in rows]


class Outbox:
    """Sends what one database's transactions left to send, and deletes what was sent."""

    def __init__(self, pool: asyncpg.Pool, producer: Producer) -> None:
        self._pool = pool
        self._producer = producer
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[int] = set()
        self._sent: list[int] = []

    def send_soon(self, ids: list[int], records: Sequence[Record]) -> "asyncio.Task[None]":
        """Publish committed records in the background; their rows are deleted later, see `take_sent`."""
        self._sending.update(ids)
        task = asyncio.create_task(self._send(ids, records))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def take_sent(self) -> list[int]:
        """Return the ids of rows whose records went out, for the caller to delete in its next transaction."""
        sent, self._sent = self._sent, []
        return sent

    async def delete_sent(self) -> None:
        """Delete the rows whose records went out, where no transaction comes by to do it.

        Raises:
            asyncpg.PostgresError, OSError: the database is away; nothing is forgotten.
        """
        sent = self.take_sent()
        if not sent:
            return
        try:
            await self._pool.execute(_DELETE, sent)
        except BaseException:
            self.give_back(sent)
            raise

    def give_back(self, ids: list[int]) -> None:
        """Take back ids of `take_sent` that were not deleted after all."""
        self._sent += ids

    async def send_left_behind(self, sources: Sequence[Source]) -> None:
        """Send what a crash left of the given source partitions; called before their first batch.

        What this process is sending itself, or has sent, does not go out again.
        """
        found = await self._pool.fetch(_LEFT_BEHIND, [topic for topic, _ in sources], [part for _, part in sources])
        rows = [row for row in found if row["id"] not in self._sending and row["id"] not in self._sent]
        if not rows:
            return
        log.info("sending %d outbox rows that an earlier owner of the partitions left behind", len(rows))
        for row in rows:
            await self._producer.publish(unpack(row["records"]))
        await self._pool.execute(_DELETE, [row["id"] for row in rows])
        metrics().outbox_recovered.add(len(rows))

    async def sweep(self, now: datetime) -> None:
        """Send what crashed HTTP calls or timers left behind; any copy of the service may."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_UNSWEPT, now - SWEEP_AFTER)
            if not rows:
                return
            for row in rows:
                await self._producer.publish(unpack(row["records"]))
            await connection.execute(_DELETE, [row["id"] for row in rows])
        metrics().outbox_recovered.add(len(rows))

    async def settle(self) -> None:
        """Wait until all that is being sent is sent and its rows are deleted."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self.delete_sent()

    async def _send(self, ids: list[int], records: Sequence[Record]) -> None:
        try:
            await self._producer.publish(records)
            self._sent += ids
        finally:
            self._sending.difference_update(ids)

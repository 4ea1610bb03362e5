"""The outbox: records are written in the transaction that decides them, and go out after its commit.

They are sent from memory; the rows are for what cannot be sent then, or not in time: the process dies in between, Kafka
is away, a topic is missing or forbidden. What can be sent of a row is sent at once and taken out of it; the rest waits
in the database, not in memory, and goes out in order when it can (`backlog`). A destination that cannot be written to
holds up nothing else.
"""

import asyncio
import logging
import secrets
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

import asyncpg
import msgspec
from chargebus_events.record import Record

from chargebus_runtime.away import MAYBE_AWAY
from chargebus_runtime.backlog import Backlog
from chargebus_runtime.partition_sender import PATIENCE_S
from chargebus_runtime.producer import Answer, Destination, Objection, Refused, Sending, excess
from chargebus_runtime.telemetry import metrics

log = logging.getLogger(__name__)

SWEEP_AFTER = timedelta(seconds=15)
OLD_AFTER_S: Final = 30.0
"""How long records may wait before that stands in the service's health."""

_ROWS_AT_ONCE = 20
_PIECES_A_SWEEP = 50
_REASONS = 3

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Record])

_INSERT = """
INSERT INTO outbox (source_topic, source_partition, records, created_at)
SELECT topic, partition, records, $4 FROM unnest($1::text[], $2::int[], $3::bytea[]) AS o (topic, partition, records)
RETURNING id
"""
_SHRINK = """
UPDATE outbox SET records = n.records FROM unnest($1::bigint[], $2::bytea[]) AS n (id, records) WHERE outbox.id = n.id
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_OF_THIS_COPY = """(
    source_topic = '' AND source_partition = $1
    OR (source_topic, source_partition) IN (SELECT topic, part FROM unnest($2::text[], $3::int[]) AS p (topic, part))
)"""
# What this copy left itself may be skipped where it is locked: it is being deleted. A new owner waits for the old one.
_OURS = f"""
SELECT id, records FROM outbox WHERE {_OF_THIS_COPY} AND id BETWEEN $4 AND $5
ORDER BY id LIMIT $6 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 (text from above)
_LEFT_BEHIND = """
SELECT id, records FROM outbox JOIN unnest($1::text[], $2::int[]) AS p (topic, partition)
ON source_topic = p.topic AND source_partition = p.partition WHERE id > $3 ORDER BY id LIMIT $4 FOR UPDATE OF outbox
"""
_UNSWEPT = """
SELECT id, records FROM outbox
WHERE source_topic = '' AND source_partition <> $1 AND created_at < $2 AND id > $3
ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
"""
# A commit whose answer got lost, or a caller that was cancelled right after it: nobody was told of the row.
_OURS_FOR_LONG = f"SELECT id FROM outbox WHERE {_OF_THIS_COPY} AND created_at < $4 ORDER BY id LIMIT 1000"  # noqa: S608
_RECORDS = "SELECT id, records FROM outbox WHERE id = ANY($1::bigint[])"
_OLDEST = "SELECT created_at FROM outbox ORDER BY id LIMIT 1"
_OLDEST_RECORDS = "SELECT records FROM outbox ORDER BY id LIMIT 1"


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


class Producing(Protocol):
    """What an outbox needs of the process's producer."""

    async def look_up(self, topics: Collection[str], within_s: float) -> None:
        """Find out which partitions topics have; one that is just being made is waited for."""

    async def ask(self, topics: Collection[str], within_s: float) -> None:
        """Ask Kafka once which partitions topics have."""

    def destination(self, record: Record) -> Destination:
        """Return where a record goes."""
        ...

    def take(self, records: Sequence[Record], objection: Objection) -> Sending:
        """Take records to send."""
        ...


@dataclass(frozen=True)
class OutboxOptions:
    """Whose outbox it is, and how long its rows may be locked while records go out."""

    service: str
    locked_s: float


Rows = Mapping[int, Sequence[Record]]


class _Result(NamedTuple):
    """Rows of which nothing is left, and what is left of rows that hold more in the database."""

    gone: list[int]
    shrunk: dict[int, list[Record]]

    def shrunk_columns(self) -> tuple[list[int], list[bytes]]:
        return list(self.shrunk), [pack(records) for records in self.shrunk.values()]


class Outbox:
    """Sends what one database's transactions left to send, and deletes what was sent.

    A row is in hand from its commit until Kafka has answered for it; no other row of this copy holds anything that
    was sent.
    """

    def __init__(self, pool: asyncpg.Pool, producer: Producing, options: OutboxOptions) -> None:
        self._pool = pool
        self._producer = producer
        self._options = options
        self.from_http: Source = ("", 1 + secrets.randbelow(2**31 - 1))  # tells the copies apart
        self._sources: Sequence[Source] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._in_hand: set[int] = set()
        self._sent: list[int] = []
        self._deleting: set[int] = set()
        self._left: dict[int, list[Record]] = {}  # what is left of rows that hold more in the database
        self._watched: WeakValueDictionary[int, asyncio.Future[None]] = WeakValueDictionary()
        self._backlog = Backlog()
        self._catching_up = asyncio.Lock()
        self._swept_to = 0
        self._sweep_at = 0.0
        self._old: str | None = None

    def send_soon(self, ids: Sequence[int], groups: Sequence[Sequence[Record]]) -> "asyncio.Task[None]":
        """Publish the records of committed rows in the background; the rows are deleted later, see `deleting`.

        The task ends when Kafka has answered for them, or did not in time: it is then no longer waited for.
        """
        self._in_hand.update(ids)
        return self._start(self._send(dict(zip(ids, groups, strict=True))), self._tasks)

    def watch(self, row: int) -> "asyncio.Future[None]":
        """Return what is done once all records of a row that is just being sent have gone out."""
        future = self._watched[row] = asyncio.get_running_loop().create_future()
        return future

    @contextmanager
    def deleting(self) -> Iterator[list[int]]:
        """Hand out the ids of rows whose records went out, to be deleted by whatever is done within.

        If that fails they are kept for the next time; until it has ended nobody sends them again.
        """
        sent, self._sent = self._sent, []
        self._deleting.update(sent)
        try:
            yield sent
        except BaseException:
            self._sent += sent
            raise
        finally:
            self._deleting.difference_update(sent)

    async def delete_sent(self) -> None:
        """Delete the rows whose records went out, where no transaction comes by to do it.

        Raises:
            asyncpg.PostgresError, OSError: the database is away; nothing is forgotten.
        """
        with self.deleting() as sent:
            if sent:
                await self._pool.execute(_DELETE, sent)

    async def send_left_behind(self, sources: Sequence[Source]) -> None:
        """Send what a crash left of the given source partitions, as far as it can be sent; the rest waits.

        Called before their first batch. From then on they are this copy's, and no others.
        """
        self._sources = list(sources)
        blocked: dict[Destination, str] = {}
        last, sent = 0, 0
        while True:
            piece = _LEFT_BEHIND, *_columns(sources), last
            seen, gone = await self._resend_some(piece, blocked, ours=True)
            sent += gone
            if len(seen) < _ROWS_AT_ONCE:
                break
            last = seen[-1]
        if sent:
            log.info("sent %d outbox rows that an earlier owner of the partitions left behind", sent)
            metrics().outbox_recovered.add(sent)

    def release(self, sources: Sequence[Source]) -> None:
        """Leave what waits of some source partitions to their next owner."""
        self._sources = [source for source in self._sources if source not in sources]

    async def tend(self, now: datetime) -> None:
        """Delete what was sent, send what waits, and what crashes of other copies left behind; call it every second."""
        await self.delete_sent()
        await self._write_left()
        await self._catch_up()
        if asyncio.get_running_loop().time() >= self._sweep_at:
            self._sweep_at = asyncio.get_running_loop().time() + SWEEP_AFTER.total_seconds()
            await self.sweep(now)
            await self._find_forgotten(now)
        await self._measure(now)

    async def sweep(self, now: datetime) -> None:
        """Send what crashed HTTP calls or timers of other copies left behind; any copy of the service may.

        At most a thousand rows are looked at; the next sweep goes on from there.
        """
        blocked: dict[Destination, str] = {}
        sent = 0
        for _ in range(_PIECES_A_SWEEP):
            piece = _UNSWEPT, self.from_http[1], now - SWEEP_AFTER, self._swept_to
            seen, gone = await self._resend_some(piece, blocked, ours=False)
            sent += gone
            self._swept_to = seen[-1] if len(seen) == _ROWS_AT_ONCE else 0
            if not self._swept_to:
                break
        if sent:
            metrics().outbox_recovered.add(sent)

    def _own(self) -> tuple[int, list[str], list[int]]:
        """Return the arguments that name the sources of this copy."""
        return self.from_http[1], *_columns(self._sources)

    def _known(self) -> set[int]:
        """Return the rows that are being sent, or were sent and are not deleted yet."""
        return self._in_hand.union(self._sent, self._deleting)

    async def _find_forgotten(self, now: datetime) -> None:
        """Have rows of this copy sent that it does not know of."""
        waiting = await self._pool.fetch(_OURS_FOR_LONG, *self._own(), now - SWEEP_AFTER)
        known = self._known()
        forgotten = [row["id"] for row in waiting if row["id"] not in known and not self._backlog.holds(row["id"])]
        for row in await self._pool.fetch(_RECORDS, forgotten) if forgotten else ():
            self._defer(row["id"], [(record, Refused("nobody knew of it")) for record in unpack(row["records"])])

    @property
    def empty(self) -> bool:
        """Whether Kafka has all that was committed here, and its rows are gone; what other copies left is not known."""
        return not (self._tasks or self._late or self._backlog or self._sent or self._deleting or self._left)

    async def settle(self) -> None:
        """Wait until all that is being sent is sent, or waits in its rows."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self.delete_sent()
        await self._write_left()

    def stop(self) -> None:
        """Wait for no more answers; whatever has none is in its rows."""
        for task in self._late:
            task.cancel()

    def trouble(self) -> str | None:
        """Say what has waited for too long to be sent and why, or None."""
        return self._old

    async def _send(self, rows: Rows) -> None:
        try:
            await self._send_now(rows)
        except Exception:  # a fault of our own: the rows are not lost, and are tried again like any that wait
            log.exception("the outbox of %s broke on %d rows", self._options.service, len(rows))
            self._in_hand.difference_update(rows)
            for row, records in rows.items():
                self._defer(row, [(record, Refused("sending it failed, see the log")) for record in records])

    async def _send_now(self, rows: Rows) -> None:
        sending = self._producer.take([record for group in rows.values() for record in group], self._backlog.objection)
        await sending.answered(PATIENCE_S)
        if sending.all_sent:
            self._note_sent(rows)
            return
        looked_up = self._backlog.unknown()
        self._conclude_ours(rows, sending)
        for topic in self._backlog.unknown() - looked_up:
            self._start(self._learn(topic), self._tasks)

    async def _learn(self, topic: str) -> None:
        """Look up a topic that is new to this process, or to its new Kafka client, and send what waits for it."""
        await self._producer.look_up([topic], PATIENCE_S)
        try:
            await self._catch_up()
        except MAYBE_AWAY as error:
            log.warning("the outbox of %s waits: %r", self._options.service, error)

    def _note_sent(self, rows: Iterable[int]) -> None:
        self._in_hand.difference_update(rows)
        self._sent += rows
        if self._watched:
            self._tell(rows)

    def _tell(self, rows: Iterable[int]) -> None:
        for row in rows:
            future = self._watched.pop(row, None)
            if future is not None and not future.done():
                future.set_result(None)

    def _conclude_ours(self, rows: Rows, sending: Sending) -> None:
        result = self._conclude(rows, sending, ours=True)
        self._note_sent(result.gone)
        self._left.update(result.shrunk)

    def _conclude(self, rows: Rows, sending: Sending, *, ours: bool) -> "_Result":
        """Note what became of rows; those without an answer stay, or come, in hand."""
        gone: list[int] = []
        shrunk: dict[int, list[Record]] = {}
        start = 0
        for row, records in rows.items():
            part = sending.part(start, start + len(records))
            start += len(records)
            outcomes = list(zip(records, part.outcomes(), strict=True))
            left = [record for record, outcome in outcomes if isinstance(outcome, Refused)]
            if ours:
                self._defer(row, outcomes)
            if any(outcome is Answer.LATE for _, outcome in outcomes):
                self._follow(row, records, part, ours=ours)
                continue
            self._in_hand.discard(row)
            if not left:
                gone.append(row)
            elif len(left) < len(records):
                shrunk[row] = left
        return _Result(gone, shrunk)

    def _defer(self, row: int, outcomes: Iterable[tuple[Record, Answer | Refused]]) -> None:
        for record, outcome in outcomes:
            if isinstance(outcome, Refused):
                self._backlog.defer(self._producer.destination(record), row, outcome.reason)

    def _follow(self, row: int, records: Sequence[Record], part: Sending, *, ours: bool) -> None:
        """Keep a row in hand until Kafka has answered: it must not be sent twice because the answer is late."""

        async def see_off() -> None:
            await part.answered()
            if ours:
                self._conclude_ours({row: records}, part)
            else:
                self._note_sent(self._conclude({row: records}, part, ours=False).gone)

        self._in_hand.add(row)
        self._start(see_off(), self._late)

    def _start(self, work: Coroutine[None, None, None], tasks: "set[asyncio.Task[None]]") -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=f"outbox of {self._options.service}")
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    async def _write_left(self) -> None:
        """Take out of the rows what was sent of them."""
        left, self._left = self._left, {}
        if not left:
            return
        try:
            await self._pool.execute(_SHRINK, list(left), [pack(records) for records in left.values()])
        except BaseException:
            self._left = left | self._left
            raise

    async def _catch_up(self) -> None:
        """Send what waits, in order, until nothing is left or nothing more can be sent."""
        blocked: dict[Destination, str] = {}
        async with self._catching_up:
            while (span := self._backlog.begin(but_not=blocked)) is not None:
                piece = _OURS, *self._own(), *span
                seen, _ = await self._resend_some(piece, blocked, ours=True)
                last = seen[-1] if len(seen) == _ROWS_AT_ONCE else span[1]
                self._backlog.passed(span[0], last, but_not=blocked)

    async def _resend_some(
        self, piece: Sequence[object], blocked: dict[Destination, str], *, ours: bool
    ) -> tuple[list[int], int]:
        """Send what can be sent of a piece of the rows, which are locked meanwhile.

        Args:
            piece: the query for them and its arguments, but for the limit.
            blocked: where nothing can be sent to, as found out so far; grows.
            ours: whether what cannot be sent is this copy's to send later.

        Returns:
            The ids of the rows, and how many are gone.
        """
        query, *arguments = piece
        result = _Result([], {})
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                found = await connection.fetch(query, *arguments, _ROWS_AT_ONCE)
                known = self._known()
                rows = {
                    row["id"]: self._left.get(row["id"]) or unpack(row["records"])
                    for row in found
                    if row["id"] not in known
                }
                result = await self._resend(rows, blocked, ours=ours)
                for row in (*result.gone, *result.shrunk):
                    self._left.pop(row, None)
                await connection.execute(_DELETE, result.gone)
                await connection.execute(_SHRINK, *result.shrunk_columns())
        except BaseException:  # Kafka has what was sent, whatever becomes of the transaction
            self._note_sent(result.gone)
            if ours:
                self._left.update(result.shrunk)
            raise
        self._tell(result.gone)
        return [row["id"] for row in found], len(result.gone)

    async def _resend(self, rows: Rows, blocked: dict[Destination, str], *, ours: bool) -> "_Result":
        records = [record for group in rows.values() for record in group]
        topics = {record.topic for record in records if Destination(record.topic) not in blocked}
        await self._producer.ask(topics, self._options.locked_s / 2)
        sending = self._producer.take(records, lambda topic, partition: blocked.get(Destination(topic, partition), ""))
        await sending.answered(self._options.locked_s)
        for record, outcome in zip(records, sending.outcomes(), strict=True):
            if isinstance(outcome, Refused):
                blocked[self._producer.destination(record)] = outcome.reason
        return self._conclude(rows, sending, ours=ours)

    async def _measure(self, now: datetime) -> None:
        """Find out for how long the oldest row has waited."""
        created_at = await self._pool.fetchval(_OLDEST)
        age_s = 0.0 if created_at is None else max(0.0, (now - created_at).total_seconds())
        metrics().outbox_age.set(age_s, {"service": self._options.service})
        if created_at is None or age_s < OLD_AFTER_S:
            self._old = None
        else:
            why = "; ".join(self._backlog.reasons()[:_REASONS]) or await self._oldest_topics()
            self._old = f"records have waited for {age_s:.0f} s to be sent: {why}"

    async def _oldest_topics(self) -> str:
        """Name the topics of the oldest row: it is another copy's, or its answer is late."""
        records = await self._pool.fetchval(_OLDEST_RECORDS)
        return ", ".join(sorted({record.topic for record in unpack(records)})) if records else "for what has gone now"


def _columns(sources: Sequence[Source]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in sources], [partition for _, partition in sources]

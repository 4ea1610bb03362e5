"""Applies records: each micro-batch in one transaction with its offsets; what our code cannot handle is parked.

Parking has a limit (`parking_limit`): beyond it nothing more is taken from a partition until its next record can be
applied, as then our code is at fault, or what it stands on.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition
from chargebus_events.record import Received, Record

from chargebus_runtime import offsets, parking
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.gathering import Records
from chargebus_runtime.outbox import Outgoing, check_size
from chargebus_runtime.parking_limit import ParkingLimit
from chargebus_runtime.pieces import Pieces
from chargebus_runtime.positions import Positions, StaleOffsetError
from chargebus_runtime.telemetry import Tracing, metrics

log = logging.getLogger(__name__)

_PUBLISHING_AT_ONCE: Final = 4

Handle = Callable[[Batch], Awaitable[None]]
Refuse = Callable[[Received, str], Sequence[Record]]


class NotAppliedError(Exception):
    """Records were not applied, and are to be tried again; the message says why."""


@dataclass(frozen=True)
class ApplyingParts:
    """What records are applied with; see `ConsumerSpec` for `handle`, `refuse` and `together`."""

    service: str
    database: Database
    clock: Clock
    tracing: Tracing
    handle: Handle
    refuse: Refuse
    together: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Stuck:
    """Where a partition cannot go on, and why."""

    offset: int
    why: str


class Applying:
    """Applies what a consumer takes, and sends what comes of it."""

    def __init__(self, parts: ApplyingParts, positions: Positions) -> None:
        self._parts = parts
        self._positions = positions
        self._limit = ParkingLimit()
        self._stuck: dict[TopicPartition, _Stuck] = {}
        self._publishing: set[asyncio.Task[None]] = set()

    @property
    def publishing(self) -> bool:
        """Whether something that was committed is still being sent."""
        return bool(self._publishing)

    @property
    def stuck(self) -> str | None:
        """Why nothing more is taken from a partition of ours; None if there is no such."""
        reasons = [stuck.why for tp, stuck in self._stuck.items() if self._positions.wait_at(tp, stuck.offset)]
        more = f" (and {len(reasons) - 1} more partitions)" if len(reasons) > 1 else ""
        return reasons[0] + more if reasons else None

    async def apply(self, records: Records) -> set[TopicPartition]:
        """Apply records, in order per partition; those that our code cannot handle are parked.

        Returns:
            The partitions that stopped, as more was to be parked than may be; all else is applied.

        Raises:
            NotAppliedError: something is away or in the way; what could be applied is.
        """
        taken = [record for group in records.values() for record in group]
        ends = {tp: group[-1].offset + 1 for tp, group in records.items()}
        failure = await self._try(taken, ends)
        if failure is None:
            return set()
        if not self._stuck:  # else it was told
            log.error("%s cannot apply %d records", self._parts.service, len(taken), exc_info=failure)
        return await self._apply_around(Pieces(taken))

    async def _apply_around(self, pieces: Pieces) -> set[TopicPartition]:
        """Apply what can be applied in pieces as large as can be; park what cannot, or leave its partition there."""
        left = set()
        while piece := pieces.next():
            failure = await self._try(piece, _ends(piece))
            if failure is None:
                pieces.applied(piece)
            elif pieces.failed(piece):
                (guilty,) = piece
                if await self._parked(guilty, failure):
                    pieces.pass_over()
                else:
                    tp = TopicPartition(guilty.topic, guilty.partition)
                    left.add(tp)
                    pieces.leave(tp)
        return left

    async def _try(self, taken: Sequence[Received], ends: Mapping[TopicPartition, int]) -> Exception | None:
        """Apply records together; return why that cannot be, if it is their or their handler's fault.

        Raises:
            NotAppliedError: it is not their fault.
        """
        try:
            await self._transact(taken, ends, self._parts.handle)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is judged here
            await self._check_ours(error)
            return error
        self._limit.applied()
        return None

    async def _check_ours(self, error: Exception) -> None:
        """Return if an error is the fault of records or of their handler: nothing is while the database is away.

        Raises:
            NotAppliedError: it is not.
        """
        passes = isinstance(error, (StaleOffsetError, *CONFLICT)) or is_away(error)
        if passes or not await self._parts.database.answers():
            raise NotAppliedError(repr(error)) from error

    async def _parked(self, record: Received, error: Exception) -> bool:
        """Park a record, if that may be and can be; tell whether it is parked."""
        reason = parking.reason_of(error)
        why = self._limit.reached(record)
        if why is None:
            try:
                await self._park(record, reason)
            except Exception as failure:
                await self._check_ours(failure)
                log.exception("%s cannot park %s", self._parts.service, _place(record))
                why = f"a record can neither be applied nor parked ({parking.in_short(parking.reason_of(failure))})"
            else:
                log.error("%s parked %s", self._parts.service, _place(record), exc_info=error)
                return True
        self._stop_at(
            record, f"it stopped, and tries again: {why}; the next is {_place(record)}: {parking.in_short(reason)}"
        )
        return False

    def _stop_at(self, record: Received, why: str) -> None:
        tp = TopicPartition(record.topic, record.partition)
        if tp not in self._stuck:
            log.error("%s: %s", self._parts.service, why)
            metrics().stops.add(1, {"service": self._parts.service, "topic": record.topic})
        self._stuck[tp] = _Stuck(record.offset, why)

    async def _park(self, record: Received, reason: str) -> None:
        await self._transact([record], _ends([record]), functools.partial(self._set_aside, reason=reason))
        self._limit.parked(record)
        metrics().parked.add(1, {"service": self._parts.service, "topic": record.topic})

    async def _set_aside(self, batch: Batch, reason: str) -> None:
        for record in batch.records:
            await parking.set_aside(self._parts.service, batch, record, reason)
            for answer in self._refusal(record, reason):
                batch.send(answer, because=record)

    def _refusal(self, record: Received, reason: str) -> list[Record]:
        """Return what is sent for a record that is parked; nothing if the service fails at that, too."""
        try:
            return [check_size(answer) for answer in self._parts.refuse(record, reason)]
        except Exception:
            log.exception("%s cannot tell anybody that %s is parked", self._parts.service, _place(record))
            metrics().faults.add(1, {"service": self._parts.service, "where": "refuse"})
            return []

    async def _transact(self, taken: Sequence[Received], ends: Mapping[TopicPartition, int], handle: Handle) -> None:
        """Apply records and store the offsets in one transaction; afterwards their records go out."""
        started = time.monotonic()
        database = self._parts.database
        trace = self._parts.tracing.batch(self._parts.service, taken)
        with database.outbox.deleting() as sent:
            async with database.writing_sets() as connection:
                stored = await offsets.lock(connection, {*ends, *self._siblings(ends)})
                self._positions.verify({tp: stored[tp] for tp in ends if tp in stored})
                fresh = [r for r in taken if r.offset >= stored[TopicPartition(r.topic, r.partition)]]
                batch = Batch(fresh, connection, self._parts.clock(), trace)
                if fresh:
                    await handle(batch)
                new = {tp: max(end, stored[tp]) for tp, end in ends.items()}
                ids = await offsets.advance(connection, new, Outgoing(batch.outgoing, sent), batch.now)
        batch.committed()
        self._positions.advanced(new)
        for tp in [tp for tp, stuck in self._stuck.items() if new.get(tp, 0) > stuck.offset]:
            log.warning("%s goes on with %s[%d]", self._parts.service, tp.topic, tp.partition)
            del self._stuck[tp]
        trace.end()
        self._count(fresh, time.monotonic() - started)
        await self._publish(ids, batch)

    def _siblings(self, partitions: Iterable[TopicPartition]) -> Iterable[TopicPartition]:
        """Return the partitions that another copy must not apply meanwhile."""
        together = self._parts.together
        return (TopicPartition(topic, tp.partition) for tp in partitions if tp.topic in together for topic in together)

    async def _publish(self, ids: list[int], batch: Batch) -> None:
        if not ids:
            return
        task = self._parts.database.outbox.send_soon(ids, list(batch.outgoing.values()))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)
        if len(self._publishing) >= _PUBLISHING_AT_ONCE:
            await asyncio.wait(self._publishing, return_when=asyncio.FIRST_COMPLETED)

    def _count(self, fresh: list[Received], duration_s: float) -> None:
        attributes = {"service": self._parts.service}
        metrics().batch_records.record(len(fresh), attributes)
        metrics().batch_duration.record(duration_s, attributes)
        for topic in {record.topic for record in fresh}:
            count = sum(1 for record in fresh if record.topic == topic)
            metrics().records.add(count, {**attributes, "topic": topic})


def _ends(taken: Sequence[Received]) -> dict[TopicPartition, int]:
    return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in taken}


def _place(record: Received) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset} of {record.key or 'nobody'}"

"""A service's consumer out of its parts, applied in the order in which they are given."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import asyncpg
from chargebus_events.record import Received, Record
from chargebus_runtime.batch import Batch
from chargebus_runtime.consumer import ConsumerSpec, keep_state
from chargebus_runtime.gathering import no_patience


class Part(Protocol):
    """What takes the records of some topics: `Frames` or a `Topic`."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it reads."""
        ...

    @property
    def rests(self) -> Mapping[str, float]:
        """How long topics rest once they are read to their end, in seconds; those not named do not."""
        ...

    async def apply(self, batch: Batch, records: Sequence[Received]) -> None:
        """Apply the records of a batch, at least one."""
        ...

    def refuse(self, record: Received, reason: str) -> Sequence[Record]:
        """Return what is sent for a record that is parked."""
        ...

    @property
    def patient(self) -> bool:
        """Whether any of its records may wait for others; if none may, none is asked for."""
        ...

    def may_wait_s(self, record: Received) -> float:
        """Return how long a record may wait for others, in seconds."""
        ...


OnNewCluster = Callable[[asyncpg.Connection], Awaitable[None]]


def consumer(
    *parts: Part,
    on_new_cluster: OnNewCluster = keep_state,
    gather_s: float = 0.0,
    together: Collection[str] = (),
) -> ConsumerSpec:
    """Return what a service consumes.

    Args:
        parts: each batch goes through them in this order, whatever the order of its records across topics.
        on_new_cluster: drops what was known from the log of another Kafka cluster.
        gather_s: how long records may wait in Kafka, for a service that nobody waits for.
        together: topics with as many partitions each that bring different records about the same rows: what is of one
            partition's number is applied by one transaction at a time.
    """
    by_topic = {topic: part for part in parts for topic in part.topics}
    assembled = _Assembled(parts, by_topic)
    rests = {topic: rest_s for part in parts for topic, rest_s in part.rests.items()}
    return ConsumerSpec(
        tuple(by_topic),
        assembled.handle,
        assembled.refuse,
        on_new_cluster,
        gather_s,
        assembled.may_wait_s if any(part.patient for part in parts) else no_patience,
        rests,
        frozenset(together),
    )


class _Assembled:
    """The parts as one."""

    def __init__(self, parts: Sequence[Part], by_topic: Mapping[str, Part]) -> None:
        self._parts = parts
        self._by_topic = by_topic

    async def handle(self, batch: Batch) -> None:
        """Apply a batch, part by part."""
        for part in self._parts:
            records = [record for record in batch.records if record.topic in part.topics]
            if records:
                await part.apply(batch, records)
        await batch.finish()

    def refuse(self, record: Received, reason: str) -> Sequence[Record]:
        """Return what is sent for a record that is parked: what its part says."""
        return self._by_topic[record.topic].refuse(record, reason)

    def may_wait_s(self, record: Received) -> float:
        """Return how long a record may wait for others: what its part says."""
        return self._by_topic[record.topic].may_wait_s(record)

"""A producer for tests without Kafka: it takes everything at once, and keeps it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from chargebus_events.record import Record
from chargebus_runtime.producer import Destination, Objection, Sending


@dataclass
class KeepingProducer:
    """Takes the place of the Kafka producer and keeps what it was given, in order."""

    records: list[Record] = field(default_factory=list)

    def keep(self, record: Record) -> None:
        """Keep a record; a subclass may do more."""
        self.records.append(record)

    async def publish(self, records: Iterable[Record]) -> None:
        """Take records, as if they were acknowledged at once."""
        for record in records:
            self.keep(record)

    async def look_up(self, topics: Collection[str], within_s: float) -> None:
        """Know every topic."""

    async def ask(self, topics: Collection[str], within_s: float) -> None:
        """Know every topic."""

    def destination(self, record: Record) -> Destination:
        """Return the only partition there is of each topic, or the one that the record names."""
        return Destination(record.topic, record.partition or 0)

    def take(self, records: Sequence[Record], objection: Objection) -> Sending:  # noqa: ARG002 - as the producer's
        """Take records, as if they were acknowledged at once."""
        for record in records:
            self.keep(record)
        return Sending(())

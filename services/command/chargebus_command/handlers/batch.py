"""A batch of what others tell, made into events of stations' queues."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chargebus_events.record import Received, Record
from chargebus_events.topics import COMMANDS, DELIVERIES, PRESENCE, REGISTRY
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.kafka_clock import KafkaClock

from chargebus_command.block import Queues, Situation
from chargebus_command.domain.events import Asked, Event
from chargebus_command.domain.state import Station
from chargebus_command.handlers.reading import Reading, read_event, refusal
from chargebus_command.metrics import Metrics
from chargebus_command.store import commands, stations

TOPICS: Final = (COMMANDS, DELIVERIES, PRESENCE, REGISTRY)
PRESENCE_S: Final = 0.03
"""How long who comes and goes, a whole fleet at times, may wait for others: a command may come right after."""


@dataclass
class StationEvents:
    """What a batch tells, by station, and the record to name as the cause of what is sent for it."""

    events: dict[str, list[Event]] = field(default_factory=dict)
    because: dict[str, Received] = field(default_factory=dict)
    to_have_rows: set[str] = field(default_factory=set)

    def add(self, station_id: str, event: Event, record: Received) -> None:
        """Add what happened to a station; only a delivery concerns one that must be there already."""
        self.events.setdefault(station_id, []).append(event)
        self.because[station_id] = record
        if record.topic != DELIVERIES:
            self.to_have_rows.add(station_id)


class Handlers:
    """Applies batches to the queues."""

    def __init__(self, queues: Queues, metrics: Metrics, clock: Clock, kafka_clock: KafkaClock) -> None:
        self._queues = queues
        self._metrics = metrics
        self._clock = clock
        self._kafka_clock = kafka_clock

    def consumer(self) -> ConsumerSpec:
        """Return what the service consumes."""
        return ConsumerSpec(
            TOPICS, self.handle, self.refuse, on_new_cluster=stations.forget_connections, patience=patience
        )

    async def handle(self, batch: Batch) -> None:
        """Apply a batch: one lock, one look, one write for all its stations."""
        told = await self._read(batch)
        if not told.events:
            return
        await stations.ensure(batch.connection, told.to_have_rows)
        found = await self._queues.take(batch.connection, told.events, batch.now)
        concerned = {station_id: found.get(station_id, Station(station_id)) for station_id in told.events}
        decisions = await self._queues.carry_out(batch.connection, Situation(concerned, batch.now, told.events))
        for station_id, decision in decisions.items():
            for record in self._queues.records(decision):
                batch.send(record, because=told.because[station_id])

    def refuse(self, record: Received, _reason: str) -> Sequence[Record]:
        """Return what who asked gets for a request that was parked: its command has ended."""
        told = refusal(record, self._clock())
        return () if told is None else (told,)

    async def _read(self, batch: Batch) -> StationEvents:
        reading = Reading(self._queues.rules, batch.now, self._kafka_clock.skew_s(), self._queues.keeping)
        told = [(record, read_event(record, reading)) for record in batch.records]
        asked = [event.command.command_id for _, event in told if isinstance(event, Asked)]
        known = await commands.known(batch.connection, asked)
        events = StationEvents()
        for record, event in told:
            if isinstance(event, Asked):
                if event.command.command_id in known:
                    self._metrics.repeated_requests.add(1)
                    continue
                known.add(event.command.command_id)
            if event is not None:
                events.add(record.key, event, record)
        return events


def patience(record: Received) -> float:
    """Return how long a record may wait for others, in seconds."""
    return PRESENCE_S if record.topic == PRESENCE else 0.0

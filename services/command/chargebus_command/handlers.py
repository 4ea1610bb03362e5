"""Kafka in: requests, reports of edges, presence, heartbeats and the registry, a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chargebus_events.record import Received, Record
from chargebus_events.topics import EDGES, PRESENCE, REGISTRY
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec

from chargebus_command import ledger, stations
from chargebus_command.desk import Case, Desk
from chargebus_command.domain.events import Asked, EdgeChanged, Event
from chargebus_command.domain.state import Edge, Station
from chargebus_command.metrics import CommandMetrics
from chargebus_command.records import TOPICS, outgoing, read_edge, read_event, refusal

NEWS_S: Final = 0.03
"""How long who comes and goes, a whole fleet at times, may wait for others: a command may come right after."""


@dataclass
class News:
    """What a batch tells, by station, and the record to name as the cause of what is sent for it.

    `announced`: the stations that presence or the registry speaks of; others need not exist.
    """

    events: dict[str, list[Event]] = field(default_factory=dict)
    because: dict[str, Received] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)

    def tell(self, station_id: str, event: Event, record: Received) -> None:
        """Add what happened to a station."""
        self.events.setdefault(station_id, []).append(event)
        self.because[station_id] = record
        if record.topic in {PRESENCE, REGISTRY}:
            self.announced.add(station_id)


class Handlers:
    """Turns batches into cases for the desk."""

    def __init__(self, desk: Desk, metrics: CommandMetrics, clock: Clock) -> None:
        self._desk = desk
        self._metrics = metrics
        self._clock = clock

    def spec(self) -> ConsumerSpec:
        """Return what the service consumes."""
        return ConsumerSpec(
            TOPICS, self.handle, self.refuse, on_new_cluster=stations.forget_connections, patience=patience
        )

    async def handle(self, batch: Batch) -> None:
        """Apply a batch: one lock, one look, one write for all its stations."""
        connection = batch.connection
        edges = await stations.load_edges(connection)
        news = News()
        await self._hear_edges(batch, edges, news)
        await self._hear_stations(batch, news)
        if not news.events:
            return
        await stations.ensure(connection, news.announced)
        found = await stations.take(connection, news.events)
        asked = {station_id: found.get(station_id, Station(station_id)) for station_id in news.events}
        decisions = await self._desk.carry_out(connection, Case(asked, edges, batch.now, news.events))
        for station_id, decision in decisions.items():
            for record in outgoing(decision):
                batch.send(record, because=news.because[station_id])

    def refuse(self, record: Received, _reason: str) -> Sequence[Record]:
        """Return what who asked gets for a request that was parked: its command has ended."""
        told = refusal(record, self._clock())
        return () if told is None else (told,)

    async def _hear_edges(self, batch: Batch, edges: dict[int, Edge], news: News) -> None:
        """Note heartbeats in `edges`; a new life of an edge, or its end, concerns what is in flight there."""
        heard: dict[int, Edge] = {}
        over: dict[int, Received] = {}
        for record in batch.records:
            edge = read_edge(record, batch.now) if record.topic == EDGES else None
            known = None if edge is None else edges.get(edge.slot)
            if edge is None or (known is not None and edge.epoch < known.epoch):
                continue
            if known is not None and (edge.epoch, edge.stopped) != (known.epoch, known.stopped):
                over[edge.slot] = record
            heard[edge.slot] = edges[edge.slot] = edge
        await stations.write_edges(batch.connection, heard.values())
        for slot, station_id in await stations.in_flight_on(batch.connection, over):
            news.tell(station_id, EdgeChanged(), over[slot])

    async def _hear_stations(self, batch: Batch, news: News) -> None:
        rules = self._desk.rules
        told = [(r, read_event(r, rules, batch.now)) for r in batch.records if r.topic != EDGES]
        asked = [event.command.command_id for _, event in told if isinstance(event, Asked)]
        known = await ledger.known(batch.connection, asked)
        for record, event in told:
            if isinstance(event, Asked):
                if event.command.command_id in known:
                    self._metrics.repeated_requests.add(1)
                    continue
                known.add(event.command.command_id)
            if event is not None:
                news.tell(record.key, event, record)


def patience(record: Received) -> float:
    """Return how long a record may wait for others, in seconds."""
    return NEWS_S if record.topic in {PRESENCE, EDGES} else 0.0

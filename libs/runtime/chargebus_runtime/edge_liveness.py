"""Owns which edges live, as this process hears them on `ocpp.edges`, and how far apart clocks are.

An edge lives if we heard its heartbeat within some seconds on our own monotonic clock: no clock of another host
counts. What stands in the topic when we begin to read counts as heard at that moment, so whoever has just started
declares nobody dead before there was time to hear of him.

A process has one, `process.edges`; a service that needs it has `process.edges.view` among its views, and services in
one process share it. Every copy of a service reads by itself, not as a member of the consumer group: while a group
settles after the death of a copy nobody reads, and silence there must not look like the death of an edge.

- `life(slot, epoch, silent_after_s)` says of the edge that announced a connection whether it is "alive", "silent" or
  "over" (stopped, or its slot has a newer edge). One that we have not heard of yet is alive: its first heartbeat
  stands in the log before any presence of it, so we are about to read it.
- `newest()` are the edges as they are known, one for each slot, for what is kept or asked in sets.
- `follow(listener)` tells of each heartbeat, old ones too; a new epoch or `stopped` is how the end of a life is seen.
- `kafka_clock` tells the time by which the freshness of commands is judged.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from chargebus_events.presence import EdgeHeartbeat
from chargebus_events.record import Received
from chargebus_events.topics import EDGES
from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from chargebus_runtime.clock import Clock
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.view import View

log = logging.getLogger(__name__)

SKEW_TO_WARN_OF_S: Final = 2.0
_SKEWS_KEPT: Final = 10  # a heartbeat that waited for Kafka looks like a slow clock: the fastest of some counts

_decode = msgspec.json.Decoder(EdgeHeartbeat).decode

Life = Literal["alive", "silent", "over"]


class HeardEdge(msgspec.Struct, frozen=True):
    """The newest edge on a slot; `heard_at` is on our monotonic clock.

    `live`: it was heard since we read along, not only found in the topic. `told_at` is when it told so, by Kafka's
    clock, and `issuers` are those under whom its certificates stand.
    """

    slot: int
    epoch: int
    instance: str
    stopped: bool
    heard_at: float
    live: bool
    told_at: datetime | None = None
    issuers: tuple[str, ...] = ()


Listener = Callable[[HeardEdge], None]


class EdgeLiveness:
    """The edges, from the topic; `name` is what this process is called in metrics and warnings."""

    def __init__(self, name: str, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._monotonic = monotonic
        self._newest: dict[int, HeardEdge] = {}
        self._skews: dict[int, deque[float]] = {}
        self._offset = -1
        self._listeners: list[Listener] = []
        self.kafka_clock = KafkaClock(clock, monotonic)
        self.view = View(EDGES, self.apply)

    def follow(self, listener: Listener) -> None:
        """Have `listener` called for each heartbeat of an edge that is the newest on its slot."""
        self._listeners.append(listener)

    def newest(self) -> list[HeardEdge]:
        """Return the newest edge of each slot."""
        return list(self._newest.values())

    def silence_s(self, edge: HeardEdge) -> float:
        """Return for how long nothing was heard of an edge."""
        return self._monotonic() - edge.heard_at

    def life(self, slot: int, epoch: int, silent_after_s: float) -> Life:
        """Return what is known of the edge that held a slot with an epoch."""
        edge = self._newest.get(slot)
        if edge is None or epoch > edge.epoch:
            return "alive"
        if epoch < edge.epoch or edge.stopped:
            return "over"
        return "silent" if self.silence_s(edge) > silent_after_s else "alive"

    def forget(self) -> None:
        """Drop what was heard: the log that counted the epochs is no more."""
        self._newest.clear()
        self._skews.clear()

    def apply(self, record: Received) -> None:
        """Take the next record of the topic.

        Raises:
            msgspec.MsgspecError: it cannot be read; what was heard before still counts.
        """
        if record.offset <= self._offset:
            log.warning("%s starts anew: forgetting the edges of the old log", record.topic)
            self.forget()
        self._offset = record.offset
        live = self.view.ready.is_set()
        self.kafka_clock.hear(record, live=live)
        if record.value is None:
            return
        heartbeat = _decode(record.value)
        self._hear(heartbeat, heartbeat.epoch_at(record.offset), record, live=live)

    def _hear(self, heartbeat: EdgeHeartbeat, epoch: int, record: Received, *, live: bool) -> None:
        slot, known = heartbeat.slot, self._newest.get(heartbeat.slot)
        if known is not None and epoch < known.epoch:
            return
        told_at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) if record.stamped_by_kafka else heartbeat.at
        edge = HeardEdge(
            slot,
            epoch,
            heartbeat.instance,
            heartbeat.stopped,
            self._monotonic(),
            live,
            told_at,
            heartbeat.issuers,
        )
        self._newest[slot] = edge
        if record.stamped_by_kafka:
            if known is None or epoch > known.epoch:
                self._skews[slot] = deque(maxlen=_SKEWS_KEPT)
            self._skews[slot].append(heartbeat.at.timestamp() - record.timestamp_ms / 1000)
        for listener in self._listeners:
            listener(edge)

    # How far apart clocks are

    def skews_s(self) -> dict[str, float]:
        """Return how far clocks are ahead of Kafka's (negative: behind): our own, and those of edges not stopped."""
        own = {self._name: self.kafka_clock.skew_s()} if self.kafka_clock.measured else {}
        return own | {
            f"edge/{slot}": max(skews) for slot, skews in self._skews.items() if not self._newest[slot].stopped
        }

    def warnings(self) -> list[str]:
        """Return what an operator has to know of clocks, in words."""
        unstamped = (
            [f"{EDGES} is not stamped by Kafka (message.timestamp.type=LogAppendTime): commands hang on hosts' clocks"]
            if self.kafka_clock.stamped is False
            else []
        )
        return unstamped + [
            f"the clock of {name} is {abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} Kafka's"
            for name, skew_s in self.skews_s().items()
            if abs(skew_s) > SKEW_TO_WARN_OF_S
        ]

    def export(self) -> None:
        """Export the skews as `chargebus.runtime.clock.skew`."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(skew_s, {"process": name}) for name, skew_s in self.skews_s().items()]

        get_meter("chargebus.runtime").create_observable_gauge("chargebus.runtime.clock.skew", [observe], "s")

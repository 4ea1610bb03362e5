"""Events of a batch: each kept once, and published where it was not known."""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic

from chargebus_calls import Block, Call
from chargebus_events.public import SECURITY_EVENT, STATION_EVENT, SecurityEvent, StationEvent, event
from chargebus_runtime.batch import Batch

from chargebus_notification.events.store.events import SECURITY_EVENTS, STATION_EVENTS, E, EventStore
from chargebus_notification.metrics import Metrics
from chargebus_notification.names import SOURCE

Told = dict[str, tuple[Call[Sequence[E]], E]]
"""The events of a batch by their names, each with the call that told it first."""


class _Events(Block[Sequence[E], Told[E]], Generic[E]):
    """Keeps the events of one kind; the edge has answered."""

    kind: ClassVar[str]
    store: ClassVar[EventStore[Any]]

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Sequence[E]]]) -> Told[E]:  # noqa: ARG002
        """Return that nothing need be known before."""
        return {}

    def decide(self, state: Told[E], call: Call[Sequence[E]]) -> None:
        """Note the events that a call tells."""
        for each in call.request:
            state.setdefault(each.event_id, (call, each))

    async def save(self, batch: Batch, state: Told[E]) -> None:
        """Keep what was not known, and publish it."""
        new = await self.store.add(batch.connection, [each for _, each in state.values()])
        self._metrics.events(self.kind, len(state), len(state) - len(new))
        for call, each in state.values():
            if each.event_id in new:
                batch.send(event(self.kind, each.event_id, SOURCE, batch.now, each), because=call.record)


class StationEvents(_Events[StationEvent]):
    """What monitors told."""

    kind = STATION_EVENT
    store = STATION_EVENTS


class SecurityEvents(_Events[SecurityEvent]):
    """What stations told of their security."""

    kind = SECURITY_EVENT
    store = SECURITY_EVENTS

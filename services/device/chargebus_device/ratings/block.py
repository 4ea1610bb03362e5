"""Reports of a batch: what they say of EVSEs is kept, and told where it changes what they can give."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chargebus_calls import Block, Call
from chargebus_events.record import Received
from chargebus_events.registry import Rating
from chargebus_runtime.batch import Batch

from chargebus_device.ratings import store
from chargebus_device.ratings.domain import RatingReport, with_reported


@dataclass
class Reported:
    """What was reported of EVSEs so far, by station, and what changed of it, with the record that brought it last."""

    known: dict[str, tuple[Rating, ...]]
    changes: dict[str, Received] = field(default_factory=dict)


class Ratings(Block[RatingReport, Reported]):
    """Keeps what registered stations report of what their EVSEs are built for."""

    async def load(self, batch: Batch, calls: Sequence[Call[RatingReport]]) -> Reported:
        """Return what the stations reported before; most reports say nothing of it."""
        station_ids = {call.request.station_id for call in calls if call.request.ratings}
        return Reported(await store.load(batch.connection, station_ids) if station_ids else {})

    def decide(self, state: Reported, call: Call[RatingReport]) -> None:
        """Take a report if its station is registered."""
        report = call.request
        before = state.known.get(report.station_id)
        if before is None or not report.ratings:
            return
        after = with_reported(before, report.ratings)
        if after != before:
            state.known[report.station_id] = after
            state.changes[report.station_id] = call.record

    async def save(self, batch: Batch, state: Reported) -> None:
        """Keep what changed, and tell of it."""
        changed = {station_id: state.known[station_id] for station_id in state.changes}
        for station in await store.keep(batch.connection, changed, batch.now) if changed else ():
            batch.send(station.record(), because=state.changes[station.station_id])

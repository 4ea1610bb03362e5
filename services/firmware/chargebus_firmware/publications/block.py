"""Statuses of a batch: the publications that they are of are loaded once, each is told in its turn, all kept once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chargebus_calls import Block, Call
from chargebus_commanding import InBatch
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_firmware.publications import store
from chargebus_firmware.publications.domain import Publication, told
from chargebus_firmware.publications.v201 import StatusTold


@dataclass
class PublicationState:
    """The newest publication of each controller of a batch, as it was and is, and the records that changed any."""

    before: Mapping[str, Publication]
    newest: dict[str, Publication]
    changed: dict[str, Received] = field(default_factory=dict)


class PublicationStatuses(Block[StatusTold, PublicationState]):
    """Takes what local controllers say of their publications; the edge answers them."""

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s

    async def load(self, batch: Batch, calls: Sequence[Call[StatusTold]]) -> PublicationState:
        """Return the newest publication of each controller that calls."""
        newest = await store.lock_newest(batch.connection, {call.request.station_id for call in calls})
        return PublicationState(newest, dict(newest))

    def decide(self, state: PublicationState, call: Call[StatusTold]) -> None:
        """Tell the publication that a status is of; one of an older publication changes nothing."""
        said = call.request
        publication = state.newest.get(said.station_id)
        if publication is None or said.request_id not in (None, publication.request_id):
            return
        state.newest[said.station_id] = told(publication, said.status, said.locations, said.at)
        state.changed[said.station_id] = call.record

    async def save(self, batch: Batch, state: PublicationState) -> None:
        """Keep what changed, and tell what is news; few publish at the same time."""
        for station_id, record in state.changed.items():
            before, publication = state.before[station_id], state.newest[station_id]
            known = {before.publication_id: before}
            await store.change(InBatch(batch, record), known, [publication], self._silent_s)

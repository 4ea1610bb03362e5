"""Statuses of a batch: the updates that they are of are loaded once, each is told in its turn, all are kept once."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chargebus_calls import Block, Call
from chargebus_commanding import InBatch, Transaction
from chargebus_events.public import FIRMWARE_UPDATE, FirmwareUpdate, event
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_firmware.images.domain.image import IMAGE
from chargebus_firmware.links import store as links
from chargebus_firmware.links.domain.ends import done_with
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.names import SOURCE
from chargebus_firmware.updates import store
from chargebus_firmware.updates.domain.telling import is_of, told
from chargebus_firmware.updates.domain.timing import Patience
from chargebus_firmware.updates.domain.update import Update
from chargebus_firmware.updates.payload import StatusTold

_NO_NUMBERS: Final[frozenset[int]] = frozenset({0, -1})
"""What stations say in the place of a number that they do not have."""


@dataclass(frozen=True)
class Told:
    """An update after something was told of it, and the record that did."""

    update: Update
    because: Received


Ended: TypeAlias = Callable[[Transaction | Batch, Collection[str]], Awaitable[None]]
"""Told of which campaigns updates have ended, in the transaction in which they have."""


class Keeping:
    """Keeps what became of updates, and tells of it."""

    def __init__(self, metrics: Metrics, patience: Patience, ended: Ended) -> None:
        self._metrics = metrics
        self._ended = ended
        self.patience = patience

    async def keep(self, tx: Transaction, before: Iterable[Update], after: Iterable[Update]) -> None:
        """Keep updates that are locked, and tell of those whose state is not that of `before`."""
        known = {update.update_id: update for update in before}
        after = list(after)
        await store.keep(tx.connection, after, self.patience)
        news = [update for update in after if update.changes != known[update.update_id].changes]
        for update in news:
            self.tell(tx, update)
        await self._end(tx, [(known[update.update_id], update) for update in news])

    async def keep_in_batch(self, batch: Batch, before: Mapping[str, Update], after: Mapping[str, Told]) -> None:
        """Keep the updates of stations that changed in a batch, each told because of a record."""
        changed = [
            (each, before[station_id]) for station_id, each in after.items() if each.update != before[station_id]
        ]
        await store.keep(batch.connection, [each.update for each, _ in changed], self.patience)
        news = [(known, each) for each, known in changed if each.update.changes != known.changes]
        for _, each in news:
            self.tell(InBatch(batch, each.because), each.update)
        await self._end(batch, [(known, each.update) for known, each in news])

    def count_open(self, by_state: Mapping[str, int]) -> None:
        """Note how many updates are not over."""
        self._metrics.count_open(by_state)

    async def end_links(self, tx: Transaction | Batch, station_ids: Collection[str]) -> None:
        """End the links by which stations fetch images."""
        if station_ids:
            await links.end(tx.connection, station_ids, IMAGE, tx.now)

    async def _end(self, tx: Transaction | Batch, news: Sequence[tuple[Update, Update]]) -> None:
        """End what ends with updates: their links, and that their campaigns wait for them."""
        await links.end_of(tx.connection, done_with(news), IMAGE, tx.now)
        await self._ended(tx, _campaigns(after for _, after in news))

    def tell(self, tx: Transaction, update: Update) -> None:
        """Tell of the state of an update, and count it if it is over."""
        if not update.is_open:
            self._metrics.update_ended(update.verdict, update.reason)
            if update.verdict == "succeeded" and update.asked_at is not None and update.ended_at is not None:
                self._metrics.update_took((update.ended_at - update.asked_at).total_seconds())
        body = FirmwareUpdate(
            str(update.update_id),
            update.station_id,
            tx.now,
            update.version,
            update.state,
            before=update.before,
            reason=update.reason,
            detail=update.detail,
            status=update.status,
            campaign_id=update.campaign_id,
            image_id=update.image_id,
        )
        tx.send(event(FIRMWARE_UPDATE, f"{update.update_id}/{update.changes}", SOURCE, tx.now, body))


def _campaigns(updates: Iterable[Update]) -> set[str]:
    return {update.campaign_id for update in updates if update.campaign_id and not update.is_open}


@dataclass
class StatusState:
    """The newest update of each station of a batch, as it was and as it is."""

    before: Mapping[str, Update]
    after: dict[str, Told] = field(default_factory=dict)

    def of(self, station_id: str) -> Update | None:
        """Return the newest update of a station, as it is by now."""
        told = self.after.get(station_id)
        return self.before.get(station_id) if told is None else told.update


class Statuses(Block[StatusTold, StatusState]):
    """Takes what stations say of their updates; the edge answers them."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    async def load(self, batch: Batch, calls: Sequence[Call[StatusTold]]) -> StatusState:
        """Return the newest update of each station that calls."""
        return StatusState(await store.lock_newest(batch.connection, {call.request.station_id for call in calls}))

    def decide(self, state: StatusState, call: Call[StatusTold]) -> None:
        """Tell the update that a status is of; one of an update before the newest changes nothing."""
        said = call.request
        update = state.of(said.station_id)
        number = None if said.request_id in _NO_NUMBERS else said.request_id
        if update is not None and is_of(update, number, said.at):
            state.after[said.station_id] = Told(told(update, said.status, said.at), call.record)

    async def save(self, batch: Batch, state: StatusState) -> None:
        """Keep what changed."""
        await self._keeping.keep_in_batch(batch, state.before, state.after)

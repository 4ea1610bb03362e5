"""Reservations in a batch: what stations tell of them by themselves, and transactions that use them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from chargebus_calls import Block, Call
from chargebus_runtime.batch import Batch

from chargebus_session.metrics import Metrics
from chargebus_session.reservations import store
from chargebus_session.reservations.domain.reservation import Begun, Reservation, StatusUpdate, updated, used
from chargebus_session.transactions.domain.state import Change, Recorded


@dataclass
class Known:
    """The reservations that a batch tells of, before and after."""

    before: dict[int, Reservation]
    after: dict[int, Reservation]
    now: datetime

    @property
    def changed(self) -> list[Reservation]:
        """Those that are not as they were."""
        return [each for number, each in self.after.items() if each != self.before[number]]


class StatusUpdates(Block[StatusUpdate, Known]):
    """Takes what stations tell of reservations; the edge has answered."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[StatusUpdate]]) -> Known:
        """Return the reservations that are told of."""
        known = await store.lock(batch.connection, {call.request.reservation_id for call in calls})
        return Known(known, dict(known), batch.now)

    def decide(self, state: Known, call: Call[StatusUpdate]) -> None:
        """End a reservation of this station; one that is not known, or is over, stays as it is."""
        told = call.request
        reservation = state.after.get(told.reservation_id)
        if reservation is not None and reservation.station_id == told.station_id:
            state.after[told.reservation_id] = updated(reservation, told.status, state.now)

    async def save(self, batch: Batch, state: Known) -> None:
        """Keep what changed."""
        await store.keep(batch.connection, state.changed)
        self._metrics.reserved(each.state for each in state.changed)


class Uses:
    """Ends reservations that transactions use; where nothing is reserved, nothing is asked."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def note(self, batch: Batch, changes: Sequence[Change], reserving: Collection[str]) -> None:
        """Take the events of a batch: those that name a reservation, and those that show a token to charge."""
        told = [_begun(change) for change in changes if isinstance(change, Recorded)]
        begun = [each for each in told if each.reservation_id is not None or each.station_id in reserving]
        if not begun:
            return
        stations = {each.station_id for each in begun}
        named = {each.reservation_id for each in begun if each.reservation_id is not None}
        before = await store.lock_for(batch.connection, stations, named)
        after = dict(before)
        for each in begun:
            after |= {number: used(reservation, each, batch.now) for number, reservation in after.items()}
        changed = [each for number, each in after.items() if each != before[number]]
        await store.keep(batch.connection, changed)
        self._metrics.reserved(each.state for each in changed)


def _begun(recorded: Recorded) -> Begun:
    """Return what an event tells of reservations; without a token that may charge, nothing but what it names."""
    event, judgement = recorded.event, recorded.judgement
    begun = Begun(
        recorded.session.station_id,
        recorded.session.session_id,
        recorded.summary.evse_id,
        event.happened_at,
        reservation_id=event.reservation_id if recorded.counts else None,
    )
    if not (recorded.counts and event.starts and event.token and judgement and judgement.status == "Accepted"):
        return begun
    return msgspec.structs.replace(begun, token_key=event.token.key, group_id=judgement.group_id)

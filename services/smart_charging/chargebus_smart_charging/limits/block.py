"""Limits that stations tell of, of a batch: what is known of the stations is loaded once, and kept once."""

from collections.abc import Sequence

import msgspec
from chargebus_calls import Block, Call
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.limits.domain.limit import KnownLimit
from chargebus_smart_charging.limits.domain.notified import Notified, Said, cleared_by, limit_of
from chargebus_smart_charging.limits.domain.telling import changes_plans, is_older
from chargebus_smart_charging.limits.payload import limit_event
from chargebus_smart_charging.limits.store import limits
from chargebus_smart_charging.limits.store.limits import Kept, Key
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.sites.store import due, evses


class StationLimits(msgspec.Struct):
    """What is known of the stations of a batch: their sites, the limits they told of, and what changes of those."""

    sites: dict[str, str]
    known: dict[Key, Kept]
    changed: dict[Key, Received] = {}
    concerned: set[str] = set()
    unplaced: int = 0

    def keep(self, kept: Kept, because: Received, *, moves: bool) -> None:
        """Note what a call changes; `moves`: a plan depends on it."""
        self.known[kept.key] = kept
        self.changed[kept.key] = because
        if moves:
            self.concerned.add(kept.limit.site_id)


class NotifiedLimits(Block[Said, StationLimits]):
    """Keeps the limits that others set on stations, as these tell of them; the edge answers."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Said]]) -> StationLimits:
        """Return what is known of the stations that call."""
        station_ids = {call.request.station_id for call in calls}
        known = await limits.lock_of_stations(batch.connection, station_ids)
        return StationLimits(await evses.sites_of(batch.connection, station_ids), known)

    def decide(self, state: StationLimits, call: Call[Said]) -> None:
        """Take a call in its turn; a limit on a station that hangs under no site limits nothing."""
        said = call.request
        site_id = state.sites.get(said.station_id)
        if site_id is None:
            state.unplaced += 1
        elif isinstance(said, Notified):
            limit = limit_of(said, site_id)
            known = state.known.get((site_id, limit.source, limit.limit_id))
            before = None if known is None or known.cleared else known.limit
            if not is_older(limit, None if known is None else known.limit):
                state.keep(Kept(limit), call.record, moves=changes_plans(limit, before, said.at))
        else:
            for limit in list(cleared_by(said, _present(state))):
                gone = Kept(msgspec.structs.replace(limit, told_at=said.at), cleared=True)
                state.keep(gone, call.record, moves=limit.counts)

    async def save(self, batch: Batch, state: StationLimits) -> None:
        """Keep what is known now, tell of it, and have the sites planned."""
        kept = [state.known[key] for key in state.changed]
        await limits.keep(batch.connection, kept)
        for each in kept:
            if each.limit.periods and each.limit.counts:
                batch.send(limit_event(each.limit, batch.now, cleared=each.cleared), because=state.changed[each.key])
        self._metrics.count("limit", "frame", "taken", len(kept))
        self._metrics.count("limit", "frame", "station under no site", state.unplaced)
        await due.mark_by(batch, state.concerned, batch.now)


def _present(state: StationLimits) -> list[KnownLimit]:
    return [kept.limit for kept in state.known.values() if not kept.cleared]

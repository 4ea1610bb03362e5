"""Reports of stations of a batch: parts are put together; what is complete is compared with what is wanted."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import asyncpg
import msgspec
from chargebus_calls import Block, Call
from chargebus_runtime.batch import Batch

from chargebus_notification.displays.domain import reports
from chargebus_notification.displays.domain.limits import TOO_MANY
from chargebus_notification.displays.domain.message import Face, difference
from chargebus_notification.displays.domain.reports import DisplayStation, Part
from chargebus_notification.displays.domain.shown import compared
from chargebus_notification.displays.store import limits, messages, shown, stations
from chargebus_notification.displays.store.shown import Reported
from chargebus_notification.metrics import Metrics

Told = Callable[[str, Face], Face]
"""What of a message a station of a version is told."""


class ReportState(msgspec.Struct):
    """The stations of a batch, what they reported, and whose report is complete."""

    known: dict[str, DisplayStation]
    reported: dict[tuple[str, int], Reported] = {}
    complete: set[str] = set()
    changed: set[str] = set()


class Reports(Block[Part, ReportState]):
    """Takes what stations report of their messages; the edge has answered."""

    def __init__(self, told: Told, metrics: Metrics) -> None:
        self._told = told
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Part]]) -> ReportState:
        """Return what is known of the stations that report."""
        return ReportState(await stations.lock(batch.connection, {call.request.station_id for call in calls}))

    def decide(self, state: ReportState, call: Call[Part]) -> None:
        """Take a part of the report that was asked for last; any other was asked for by somebody else."""
        part = call.request
        station = state.known[part.station_id]
        if not reports.is_of(station, part.request_id):
            self._metrics.display_report("not ours")
            return
        for number, face in part.messages:
            state.reported[part.station_id, number] = Reported(part.station_id, number, part.request_id, face)
        station = reports.numbered(station, (number for number, _ in part.messages))
        state.known[part.station_id] = station
        state.changed.add(part.station_id)
        if part.is_last:
            state.known[part.station_id] = reports.completed(station, call.frame.received_at)
            state.complete.add(part.station_id)
            self._metrics.display_report("complete")

    async def save(self, batch: Batch, state: ReportState) -> None:
        """Keep what was reported, and compare what is complete."""
        await shown.keep_reported(batch.connection, state.reported.values())
        complete = [state.known[station_id] for station_id in sorted(state.complete)]
        await stations.keep(batch.connection, [state.known[station_id] for station_id in sorted(state.changed)])
        await judge(batch.connection, complete, self._told, batch.now)


async def judge(
    connection: asyncpg.Connection, complete: Collection[DisplayStation], told: Told, now: datetime
) -> None:
    """Compare what stations reported with what is wanted of them; what is to be repaired falls due.

    What there was no room for does, too: there may be some now.
    """
    if not complete:
        return
    await shown.forget_reported(connection, [(each.station_id, each.request_id) for each in complete])
    by_id = {each.station_id: each for each in complete}
    found = {(each.station_id, each.number): each.face for each in await shown.reported(connection, by_id)}
    known = await shown.of_stations(connection, by_id)
    wanted = await messages.find(connection, {each.message_id for each in known})
    taken = await limits.find(connection, by_id)
    after = []
    for each in known:
        station, its = by_id[each.station_id], found.get((each.station_id, each.number))
        face = told(station.version, wanted[each.message_id].face)
        if each.station_id in taken:
            face = taken[each.station_id].limits.told(face)
        unlike = None if its is None else difference(face, its)
        after.append(compared(each, unlike, station.asked_at or now, now))
    await shown.keep(connection, [new for new, old in zip(after, known, strict=True) if new != old])
    await shown.wake(connection, by_id, "refused", TOO_MANY, now)

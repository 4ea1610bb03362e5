"""Status reports of a batch: what is newer is kept, what is news is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from chargebus_calls import Block, Call, UnusableCallError
from chargebus_events.frames import Frame
from chargebus_events.public import CONNECTOR_STATUS, ConnectorStatus, event
from chargebus_runtime.batch import Batch

from chargebus_device.metrics import Metrics
from chargebus_device.names import SOURCE
from chargebus_device.statuses import store
from chargebus_device.statuses.domain import Known, Place, Report, UnusableReportError, is_news, take
from chargebus_device.statuses.store import Places


def report(read: Callable[[bytes], Report], frame: Frame) -> Report:
    """Read a status report.

    Raises:
        UnusableCallError: it names no place that a station can have, or cannot be read at all.
    """
    try:
        return read(frame.payload)
    except (UnusableReportError, msgspec.ValidationError) as error:
        raise UnusableCallError(str(error)) from error


@dataclass
class StatusState:
    """What is known of the stations of a batch, by place, and what its reports change."""

    known: dict[str, Places]
    changes: dict[tuple[str, Place], Known] = field(default_factory=dict)
    news: list[tuple[Call[Report], Known]] = field(default_factory=list)


class Statuses(Block[Report, StatusState]):
    """Keeps the newest status of every place of registered stations."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Report]]) -> StatusState:
        """Return what is known of the stations that report."""
        return StatusState(await store.load(batch.connection, {call.frame.station_id for call in calls}))

    def decide(self, state: StatusState, call: Call[Report]) -> None:
        """Take a report if its station is registered and it is not older than what is known."""
        frame, report = call.frame, call.request
        places = state.known.get(frame.station_id)
        if places is None:
            return
        before = places.get(report.place)
        after = take(before, report, frame.received_at)
        if after is None:
            self._metrics.status_outdated.add(1, {"version": frame.version})
            return
        places[report.place] = state.changes[frame.station_id, report.place] = after
        if is_news(before, report):
            state.news.append((call, after))
            self._metrics.status_changes.add(1, {"version": frame.version, "status": report.status})

    async def save(self, batch: Batch, state: StatusState) -> None:
        """Keep what changed, and tell what is news."""
        await store.keep(batch.connection, state.changes)
        for call, known in state.news:
            body = _body(call.frame.station_id, known)
            told = event(CONNECTOR_STATUS, f"{call.frame.id}/status", SOURCE, batch.now, body)
            batch.send(told, because=call.record)


def _body(station_id: str, known: Known) -> ConnectorStatus:
    report = known.report
    return ConnectorStatus(
        station_id=station_id,
        at=known.reported_at,
        evse_id=report.place.evse_id,
        connector_id=report.place.connector_id,
        status=report.status,
        detail=report.detail,
        error_code=report.error_code,
        info=report.info,
        vendor_error_code=report.vendor_error_code,
    )

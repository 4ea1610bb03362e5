"""Owns handling status reports: load what is known, take what is newer, tell what is news."""

import logging
from collections.abc import Sequence

import msgspec
from chargebus_events.public import CONNECTOR_STATUS, ConnectorStatus, event
from chargebus_runtime.batch import Batch

from chargebus_device.domain.status import Known, Place, Report, UnusableReportError, is_news, take
from chargebus_device.incoming import Incoming
from chargebus_device.metrics import DeviceMetrics
from chargebus_device.routes import StatusRoute
from chargebus_device.source import SOURCE
from chargebus_device.store import statuses

log = logging.getLogger(__name__)

IncomingStatus = Incoming[StatusRoute]


class Statuses:
    """Keeps the newest status of every place of registered stations."""

    def __init__(self, metrics: DeviceMetrics) -> None:
        self._metrics = metrics

    async def handle(self, batch: Batch, incoming: Sequence[IncomingStatus]) -> None:
        """Apply the status reports of a batch, in order."""
        if not incoming:
            return
        known = await statuses.load(batch.connection, {status.frame.station_id for status in incoming})
        changes: dict[tuple[str, Place], Known] = {}
        for status in incoming:
            station_id = status.frame.station_id
            report = self._read(status)
            if report is None or station_id not in known:
                continue
            before = known[station_id].get(report.place)
            after = take(before, report, status.frame.received_at)
            if after is None:
                self._metrics.status_outdated.add(1, {"version": status.frame.version})
                continue
            known[station_id][report.place] = changes[station_id, report.place] = after
            if is_news(before, report):
                self._tell(batch, status, after)
        await statuses.keep(batch.connection, changes)

    def _read(self, status: IncomingStatus) -> Report | None:
        """Read a report; one that names no possible place is logged: the edge has answered it already."""
        try:
            return status.route.read(status.frame.payload)
        except (UnusableReportError, msgspec.ValidationError) as error:
            log.warning("%s reports an unusable status: %s", status.frame.station_id, error)
            self._metrics.status_unusable.add(1, {"version": status.frame.version})
            return None

    def _tell(self, batch: Batch, status: IncomingStatus, known: Known) -> None:
        frame, report = status.frame, known.report
        body = ConnectorStatus(
            station_id=frame.station_id,
            at=known.reported_at,
            evse_id=report.place.evse_id,
            connector_id=report.place.connector_id,
            status=report.status,
            detail=report.detail,
            error_code=report.error_code,
            info=report.info,
            vendor_error_code=report.vendor_error_code,
        )
        batch.send(event(CONNECTOR_STATUS, f"{frame.id}/status", SOURCE, batch.now, body), because=status.record)
        self._metrics.status_changes.add(1, {"version": frame.version, "status": report.status})

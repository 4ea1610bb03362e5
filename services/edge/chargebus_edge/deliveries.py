"""What became of commands, as records for `ocpp.deliveries`."""

from datetime import datetime

import msgspec
from chargebus_events.commands import Delivery

from chargebus_edge.outputs import Report


def delivery(report: Report, station_id: str, epoch: int, now: datetime) -> Delivery:
    """Return a link's report as the event that the `command` service reads; `epoch` is what the command named."""
    error = report.error
    return Delivery(
        command_id=report.command.command_id,
        station_id=station_id,
        epoch=epoch,
        result=report.result,
        at=now,
        payload=None if report.payload is None else msgspec.Raw(report.payload),
        error_code="" if error is None else error.code,
        error_description="" if error is None else error.description,
        error_details=error.details if error is not None and error.code else None,
        sent_at=report.command.sent_at,
    )

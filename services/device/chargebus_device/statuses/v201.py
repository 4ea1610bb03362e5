"""OCPP 2.0.1 and 2.1: a status in the domain's words."""

from chargebus_ocppj.payloads import Payload, reader

from chargebus_device.payload import time
from chargebus_device.statuses.domain import Report, Status, connector


class StatusNotification(Payload, frozen=True, rename="camel"):
    """StatusNotificationRequest. Spec: OCPP 2.0.1 G01."""

    evse_id: int
    connector_id: int
    connector_status: Status
    timestamp: str | None = None


_read_status = reader(StatusNotification)


def status(payload: bytes) -> Report:
    """Read a StatusNotificationRequest.

    Raises:
        UnusableReportError, msgspec.ValidationError: it names no connector that can exist.
    """
    said = _read_status(payload)
    return Report(
        place=connector(said.evse_id, said.connector_id),
        status=said.connector_status,
        said_at=time(said.timestamp),
    )

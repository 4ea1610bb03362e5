"""OCPP 2.0.1 and 2.1: a status in the domain's words."""

from collections.abc import Mapping

from chargebus_ocppj.payloads import Payload, reader

from chargebus_device.payload import time
from chargebus_device.statuses.domain import Report, Status, connector, status_of

_STATUS: Mapping[str, Status] = {
    "Available": "Available",
    "Occupied": "Occupied",
    "Reserved": "Reserved",
    "Unavailable": "Unavailable",
    "Faulted": "Faulted",
    # of 1.6, from stations that were brought up to 2.x
    "Preparing": "Occupied",
    "Charging": "Occupied",
    "SuspendedEVSE": "Occupied",
    "SuspendedEV": "Occupied",
    "Finishing": "Occupied",
}


class StatusNotification(Payload, frozen=True, rename="camel"):
    """StatusNotificationRequest. Spec: OCPP 2.0.1 G01."""

    evse_id: int
    connector_id: int
    connector_status: str
    timestamp: str | None = None


_read_status = reader(StatusNotification)


def status(payload: bytes) -> Report:
    """Read a StatusNotificationRequest.

    Raises:
        UnusableReportError, msgspec.ValidationError: it names no connector that can exist.
    """
    said = _read_status(payload)
    status = status_of(_STATUS, said.connector_status)
    return Report(
        place=connector(said.evse_id, said.connector_id),
        status=status,
        detail="" if status == said.connector_status else said.connector_status,
        said_at=time(said.timestamp),
    )

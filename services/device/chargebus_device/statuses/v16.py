"""OCPP 1.6: a status in the domain's words."""

from collections.abc import Mapping

from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_device.payload import time
from chargebus_device.statuses.domain import STATION, Place, Report, Status, connector, status_of

_STATUS: Mapping[str, Status] = {
    "Available": "Available",
    "Preparing": "Occupied",
    "Charging": "Occupied",
    "SuspendedEVSE": "Occupied",
    "SuspendedEV": "Occupied",
    "Finishing": "Occupied",
    "Reserved": "Reserved",
    "Unavailable": "Unavailable",
    "Faulted": "Faulted",
    "Occupied": "Occupied",  # of 1.5 and 2.x: some stations never unlearn it, or never wait for it
}
_NO_ERROR = "NoError"


class StatusNotification(Payload, frozen=True, rename="camel"):
    """StatusNotification.req. Spec: OCPP 1.6 6.47."""

    connector_id: int
    error_code: str
    status: str
    info: str | None = None
    timestamp: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


_read_status = reader(StatusNotification)


def status(payload: bytes) -> Report:
    """Read a StatusNotification.req: connector n is EVSE n with its one connector, connector 0 the station.

    Raises:
        UnusableReportError, msgspec.ValidationError: it names no connector that can exist.
    """
    said = _read_status(payload)
    return Report(
        place=_place(said.connector_id),
        status=status_of(_STATUS, said.status),
        detail=said.status,
        error_code="" if said.error_code == _NO_ERROR else clean(said.error_code),
        info=clean(said.info),
        vendor_id=clean(said.vendor_id),
        vendor_error_code=clean(said.vendor_error_code),
        said_at=time(said.timestamp),
    )


def _place(connector_id: int) -> Place:
    return connector(connector_id, 1) if connector_id else STATION

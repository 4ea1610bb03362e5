"""Owns OCPP 2.0.1: what its stations send, in the domain's words."""

from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_device.domain.boot import Boot
from chargebus_device.domain.status import Report, Status, connector
from chargebus_device.payload import time


class Modem(Payload, frozen=True, rename="camel"):
    """ModemType."""

    iccid: str | None = None
    imsi: str | None = None


class ChargingStation(Payload, frozen=True, rename="camel"):
    """ChargingStationType."""

    vendor_name: str
    model: str
    serial_number: str | None = None
    firmware_version: str | None = None
    modem: Modem = Modem()


class BootNotification(Payload, frozen=True, rename="camel"):
    """BootNotificationRequest. Spec: OCPP 2.0.1 B01."""

    charging_station: ChargingStation
    reason: str


class StatusNotification(Payload, frozen=True, rename="camel"):
    """StatusNotificationRequest. Spec: OCPP 2.0.1 G01."""

    evse_id: int
    connector_id: int
    connector_status: Status
    timestamp: str | None = None


_read_boot = reader(BootNotification)
_read_status = reader(StatusNotification)


def boot(payload: bytes) -> Boot:
    """Read a BootNotificationRequest."""
    said = _read_boot(payload)
    station = said.charging_station
    return Boot(
        vendor=clean(station.vendor_name),
        model=clean(station.model),
        serial_number=clean(station.serial_number),
        firmware_version=clean(station.firmware_version),
        reason=said.reason,
        iccid=clean(station.modem.iccid),
        imsi=clean(station.modem.imsi),
    )


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

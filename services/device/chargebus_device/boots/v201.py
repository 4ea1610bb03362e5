"""OCPP 2.0.1 and 2.1: a boot in the domain's words."""

from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_device.boots.domain import Boot


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


_read_boot = reader(BootNotification)


def boot(payload: bytes) -> Boot:
    """Read a BootNotificationRequest."""
    said = _read_boot(payload)
    station = said.charging_station
    return Boot(
        vendor=clean(station.vendor_name),
        model=clean(station.model),
        serial_number=clean(station.serial_number),
        firmware_version=clean(station.firmware_version),
        reason=clean(said.reason),
        iccid=clean(station.modem.iccid),
        imsi=clean(station.modem.imsi),
    )

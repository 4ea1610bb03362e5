"""OCPP 1.6: a boot in the domain's words."""

from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_device.boots.domain import Boot


class BootNotification(Payload, frozen=True, rename="camel"):
    """BootNotification.req. Spec: OCPP 1.6 6.3."""

    charge_point_vendor: str
    charge_point_model: str
    charge_point_serial_number: str | None = None
    charge_box_serial_number: str | None = None
    firmware_version: str | None = None
    iccid: str | None = None
    imsi: str | None = None
    meter_serial_number: str | None = None


_read_boot = reader(BootNotification)


def boot(payload: bytes) -> Boot:
    """Read a BootNotification.req; the charge box's serial number, deprecated, stands in for a missing one."""
    said = _read_boot(payload)
    return Boot(
        vendor=clean(said.charge_point_vendor),
        model=clean(said.charge_point_model),
        serial_number=clean(said.charge_point_serial_number) or clean(said.charge_box_serial_number),
        firmware_version=clean(said.firmware_version),
        iccid=clean(said.iccid),
        imsi=clean(said.imsi),
        meter_serial_number=clean(said.meter_serial_number),
    )

"""OCPP 2.0.1 and 2.1: the messages of publications; 1.6 has none."""

from datetime import datetime

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_firmware.publications.domain import Publication


class StatusTold(msgspec.Struct, frozen=True):
    """A controller's status of a publication; without a number it is of the one under way."""

    station_id: str
    status: str
    request_id: int | None
    locations: tuple[str, ...]
    at: datetime


class _Status(Payload, frozen=True):
    status: str
    request_id: int | None = None
    location: tuple[str, ...] = ()


_status = reader(_Status)


def status_told(frame: Frame) -> StatusTold:
    """Return what a PublishFirmwareStatusNotification says."""
    read = _status(frame.payload)
    return StatusTold(frame.station_id, read.status, read.request_id, read.location, frame.received_at)


def publish_firmware(publication: Publication, location: str) -> dict[str, object]:
    """Return PublishFirmware.

    Spec: OCPP 2.0.1 L03
    """
    return {
        "location": location,
        "retries": publication.retries,
        "checksum": publication.checksum,
        "requestId": publication.request_id,
        "retryInterval": publication.retry_interval_s,
    }


def unpublish_firmware(publication: Publication) -> dict[str, object]:
    """Return UnpublishFirmware.

    Spec: OCPP 2.0.1 L04
    """
    return {"checksum": publication.checksum}

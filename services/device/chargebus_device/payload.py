"""Owns what is the same in every version: reading times of stations, and the answers to them."""

from datetime import datetime
from typing import Any

from chargebus_events.record import timestamp
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_device.domain.boot import BootAnswer


def time(value: str | None) -> datetime | None:
    """Return a station's timestamp, None for one that is missing or cannot be read."""
    if value is None:
        return None
    try:
        return parse_timestamp(value)
    except ValueError:
        return None


def boot_answer(answer: BootAnswer) -> dict[str, Any]:
    """Return the answer to a BootNotification.

    Spec: OCPP 1.6 6.4; OCPP 2.0.1 BootNotificationResponse (statusInfo is optional and left out)
    """
    return {
        "status": answer.registration.capitalize(),
        "currentTime": timestamp(answer.now),
        "interval": answer.interval_s,
    }


def unknown_vendor() -> dict[str, Any]:
    """Return the answer to a DataTransfer: no vendor is known.

    Spec: OCPP 1.6 4.3; OCPP 2.0.1 P02.FR.06
    """
    return {"status": "UnknownVendorId"}

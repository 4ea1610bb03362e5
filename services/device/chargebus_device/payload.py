"""Owns what is the same in every version: reading texts and times of stations, and the answers to them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from chargebus_events.record import timestamp
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_device.domain.boot import BootAnswer

P = TypeVar("P", bound=msgspec.Struct)

_CONTROL = dict.fromkeys((*range(0x20), 0x7F))


class Payload(msgspec.Struct, frozen=True, rename="camel"):
    """An OCPP payload: members in camel case, unknown ones ignored."""


def reader(payload: type[P]) -> Callable[[bytes], P]:
    """Return the function that reads raw JSON as `payload`; 1.0 passes for the integer 1, as in JSON Schema."""
    return msgspec.json.Decoder(payload, strict=False).decode


def text(value: str | None) -> str:
    """Return a station's text without control characters: real stations send them and PostgreSQL takes no NUL."""
    return "" if value is None else value.translate(_CONTROL).strip()


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

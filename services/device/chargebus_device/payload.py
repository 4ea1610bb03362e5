"""Owns what is the same in every version: reading times of stations, and what is answered whatever was said."""

from datetime import datetime
from typing import Any

from chargebus_ocppj.timestamps import parse_timestamp


def time(value: str | None) -> datetime | None:
    """Return a station's timestamp, None for one that is missing or cannot be read."""
    if value is None:
        return None
    try:
        return parse_timestamp(value)
    except ValueError:
        return None


def unknown_vendor() -> dict[str, Any]:
    """Return the answer to a DataTransfer: no vendor is known.

    Spec: OCPP 1.6 4.3; OCPP 2.0.1 P02.FR.06
    """
    return {"status": "UnknownVendorId"}

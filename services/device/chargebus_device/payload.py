"""Owns reading what stations write, as far as it is the same in every version: texts and times."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec
from chargebus_ocppj.timestamps import parse_timestamp

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

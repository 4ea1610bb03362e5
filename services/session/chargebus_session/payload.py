"""Owns reading what stations write, as far as it is the same in every version: texts, whole numbers and times."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar, get_args

import msgspec
from chargebus_ocppj.errors import PropertyConstraintError
from chargebus_ocppj.timestamps import format_timestamp, parse_timestamp
from chargebus_ocppj.versions import Version

from chargebus_session.domain.events import TIMESTAMP_UNREADABLE, clock_flags

P = TypeVar("P", bound=msgspec.Struct)

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that PostgreSQL can hold."""

_CONTROL = dict.fromkeys((*range(0x20), 0x7F))


class Payload(msgspec.Struct, frozen=True, rename="camel"):
    """A request: members in camel case, unknown ones ignored."""


class Answer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A response: members in the order of the schema, those without a value left out."""


encode: Callable[[Answer], bytes] = msgspec.json.Encoder().encode


def reader(payload: type[P]) -> Callable[[bytes], P]:
    """Return the function that reads raw JSON as `payload`; 1.0 passes for the integer 1, as in JSON Schema."""
    return msgspec.json.Decoder(payload, strict=False).decode


def version(text: str) -> Version:
    """Return a frame's version as the wire library types it.

    Raises:
        ValueError: there is no such version.
    """
    for known in get_args(Version):
        if known == text:
            return text  # type: ignore[return-value]
    raise ValueError(text)


def unreadable(version_text: str, error: msgspec.MsgspecError) -> PropertyConstraintError:
    """Return the error for a payload that its schema lets through and we cannot hold (a number beyond 64 bits)."""
    return PropertyConstraintError(version(version_text), f"payload: {error}")


def text(value: str | None) -> str:
    """Return a station's text without control characters: real stations send them and PostgreSQL takes no NUL."""
    if not value:
        return ""
    return (value if value.isprintable() else value.translate(_CONTROL)).strip()


def moment(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return a station's time and what is wrong with it; one that cannot be read is when we received it."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,)
    return at, clock_flags(at, received_at)


def timestamp(at: datetime | None) -> str | None:
    """Return a time as stations read it."""
    return None if at is None else format_timestamp(at)

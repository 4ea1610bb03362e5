"""Owns what is the same in every version: how answers, and times in them, are written."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from chargebus_ocppj.timestamps import format_timestamp


class AnswerPayload(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A response: members in the order of the schema, those without a value left out."""


encode: Callable[[AnswerPayload], bytes] = msgspec.json.Encoder().encode


def timestamp(at: datetime | None) -> str | None:
    """Return a time as stations read it."""
    return None if at is None else format_timestamp(at)

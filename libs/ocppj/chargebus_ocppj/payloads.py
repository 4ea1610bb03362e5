"""Reading what stations write in payloads: structs of the members that matter, texts that can be stored."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

P = TypeVar("P", bound=msgspec.Struct)

_CONTROL: Final = dict.fromkeys((*range(0x20), 0x7F))


class Payload(msgspec.Struct, frozen=True, rename="camel"):
    """A request or response as far as it is read: members in camel case, unknown ones ignored."""


def reader(payload: type[P]) -> Callable[[bytes], P]:
    """Return the function that reads raw JSON as `payload`; 1.0 passes for the integer 1, as in JSON Schema."""
    return msgspec.json.Decoder(payload, strict=False).decode


def clean(text: str | None) -> str:
    """Return a station's text without control characters: real stations send them and PostgreSQL takes no NUL."""
    if not text:
        return ""
    return (text if text.isprintable() else text.translate(_CONTROL)).strip()

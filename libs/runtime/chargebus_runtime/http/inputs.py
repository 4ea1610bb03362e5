"""What callers send: JSON that is taken as it stands, nothing guessed and nothing lost."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Header
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict

_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


class Input(BaseModel):
    """What a caller sends; the base of every model of a body.

    Unknown fields are refused, so that a misspelt one is not lost, and nothing is converted: "true" and 1 are no
    booleans, "5" is no number, and 5 is no text.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


def _read(given: object) -> datetime:
    if isinstance(given, datetime):
        return given
    if not isinstance(given, str) or not _RFC_3339.fullmatch(given.upper()):
        raise ValueError("a time is written like 2026-05-01T12:00:00Z or 2026-05-01T14:00:00.5+02:00 (RFC 3339)")
    return datetime.fromisoformat(given.upper())


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC it lies outside of the years 1 to 9999") from error


def _whole(given: object) -> object:
    return int(given) if isinstance(given, float) and given.is_integer() else given


WHOLE: Final = BeforeValidator(_whole)
"""Makes an `int` within another type a `WholeNumber`: `list[Annotated[int, Field(ge=1), WHOLE]]` has its bounds in
the schema, which they are not in of `list[Annotated[WholeNumber, Field(ge=1)]]`."""

WholeNumber = Annotated[int, WHOLE]
"""An `int` of a body: to JSON 3.0 is the same number as 3, which a strict `int` is not."""

UtcDatetime = Annotated[AwareDatetime, BeforeValidator(_read), AfterValidator(_in_utc)]
"""A time with any offset, as a request gives it in RFC 3339's text; it arrives in UTC."""

IDEMPOTENCY_KEY: Final = r"^[\x21-\x7e]{1,255}$"

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=IDEMPOTENCY_KEY,
        description="Repeat a call with the same key and body, and it is the same command, sent once",
    ),
]
"""The header `Idempotency-Key`, for what must not happen twice where a caller tries again."""

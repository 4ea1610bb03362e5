"""The JSON of what several subjects say of files."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from chargebus_firmware.links.domain.locations import MOST_CHARACTERS, SCHEMES, objection

_PATTERN: Final = rf"^({'|'.join(SCHEMES)})://[a-zA-Z0-9\[][!-~]*$"


def _checked(url: str) -> str:
    if what := objection(url):
        raise ValueError(what)
    if not re.fullmatch(_PATTERN, url):
        raise ValueError("a URL is written in small letters up to its host, and in visible ASCII characters")
    return url


FileUrl = Annotated[
    str,
    Field(
        min_length=8,
        max_length=MOST_CHARACTERS,
        description=f"Where the file lies, if somebody else serves it: {', '.join(SCHEMES)}",
        json_schema_extra={"pattern": _PATTERN},
    ),
    AfterValidator(_checked),
]
"""A URL to which stations are sent."""

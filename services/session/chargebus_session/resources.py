"""The JSON that the subjects of this service share over HTTP."""

from typing import Annotated, Final

from pydantic import StringConstraints

PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"

_NOT_BLANK: Final = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f\x85][^\x00-\x1f\x7f]*$"

TokenText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=_NOT_BLANK)]

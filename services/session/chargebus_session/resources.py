"""The JSON that the subjects of this service share over HTTP."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"

TokenText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=PLAIN)]


class Input(BaseModel):
    """What a caller sends: unknown fields are refused, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")

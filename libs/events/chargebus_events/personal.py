"""What frames tell of people, and how it stands on Kafka where there is a key to seal it with.

Only the member that is personal is sealed, so that the frame can be read, put in order and counted without a key.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

PERSONAL: Final[Mapping[str, str]] = {"NotifyCustomerInformation": "data"}
"""By action, the member that is personal, and text."""

SEALED: Final = "sealed"
"""The member that a frame has beside it where that is sealed: true. No schema of a station has one of this name."""

GOOD_FOR: Final = timedelta(days=3)
"""How long what is sealed can be opened: longer than the service that reads it is ever away."""


def context_of(action: str, station_id: str) -> str:
    """Return what sealed text is bound to."""
    return f"{action}/{station_id}"

"""When a station was heard last, and how often."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was heard of a station."""

    station_id: str
    heard_at: datetime
    times: int = 1


def heard_again(known: Hearing | None, new: Hearing) -> Hearing:
    """Return what is known of a station after it was heard once more; what comes late does not set it back."""
    if known is None:
        return new
    return Hearing(new.station_id, max(known.heard_at, new.heard_at), known.times + new.times)
